#include "daemon/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/settings.h"
#include "daemon/backups.h"
#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"
#include "daemon/log_key.h"
#include "daemon/plans.h"
#include "daemon/rate.h"
#include "daemon/session.h"
#include "daemon/slowlog.h"
#include "daemon/stats.h"
#include "daemon/subscriptions.h"
#include "daemon/worker.h"

enum { BACKLOG = 512, GROUPS_MAX = 256, TURN_MAX_MS = 1000, STOP_MS = 5000, ALONE_READS = 16, WAIT_LOOK_MS = 10 };

/* A query that waits for an event to come. */
struct seq_wait {
	struct seq_wait *next;
	struct ticket ticket;
	uint64_t min_seq;
	int64_t deadline_ms;
	enum role role;
	int64_t peer;
	size_t method_len, params_len;
	uint8_t bytes[];
};

struct server {
	const struct options *options;
	struct event_base *base;
	struct ledger *ledger;
	struct rate *rate;
	struct stats *stats;
	struct slowlog *slowlog;
	struct backups *backups;
	struct subscriptions *subscriptions;
	struct worker *reader, *prover, *rebuilder;
	struct note_key log_key;
	int listen_fd, lock_fd;
	struct event *on_connect, *on_accept_again, *on_term, *on_int, *on_timer;
	gid_t group;
	struct session **sessions; /* by slot */
	uint32_t n_slots, n_sessions, serial;
	bool stalled, reap, stop, stopping;
	struct session *arrived, *arrived_last; /* with requests for the end of the turn */
	struct session *queue;                  /* with answers for the end of the turn */
	/* who talks: the session heard last, and for how many reads in a row it was the same */
	uint64_t heard;
	unsigned heard_in_a_row;
	int64_t timer_due_ms; /* what on_timer is armed for, monotone; 0: not armed */
	int64_t started_ms;
	struct seq_wait *waits;
	uint64_t refused_peers, refused_full;
};

/* ---- accessors ---- */

struct event_base *server_base(struct server *srv)
{
	return srv->base;
}

struct ledger *server_ledger(struct server *srv)
{
	return srv->ledger;
}

struct stats *server_stats_of(struct server *srv)
{
	return srv->stats;
}

struct backups *server_backups(struct server *srv)
{
	return srv->backups;
}

struct slowlog *server_slowlog(struct server *srv)
{
	return srv->slowlog;
}

struct subscriptions *server_subscriptions(struct server *srv)
{
	return srv->subscriptions;
}

const struct options *server_options(const struct server *srv)
{
	return srv->options;
}

struct worker *server_reader(struct server *srv)
{
	return srv->reader;
}

struct worker *server_prover(struct server *srv)
{
	return srv->prover;
}

const struct note_key *server_log_key(const struct server *srv)
{
	return &srv->log_key;
}

struct worker *server_rebuilder(struct server *srv)
{
	return srv->rebuilder;
}

uint64_t server_durable(const struct server *srv)
{
	return ledger_durable(srv->ledger);
}

size_t server_frame_max(const struct server *srv)
{
	return (size_t)srv->options->frame_max;
}

bool server_stopping(const struct server *srv)
{
	return srv->stopping;
}

int64_t server_started_ms(const struct server *srv)
{
	return srv->started_ms;
}

unsigned server_connections(const struct server *srv)
{
	return srv->n_sessions;
}

void server_stop(struct server *srv)
{
	srv->stop = true;
}

void server_heard(struct server *srv, struct session *s)
{
	uint64_t id = session_id(s);

	srv->heard_in_a_row = srv->heard == id ? srv->heard_in_a_row + 1 : 0;
	srv->heard = id;
	if (!session_arrive(s, srv->arrived_last))
		return;
	if (srv->arrived == NULL)
		srv->arrived = s;
	srv->arrived_last = s;
}

static bool one_is_alone(const struct server *srv)
{
	return srv->heard_in_a_row >= ALONE_READS && subscriptions_count(srv->subscriptions) == 0;
}

struct session *server_queue(struct server *srv, struct session *s)
{
	struct session *before = srv->queue;

	srv->queue = s;
	return before;
}

static void process_arrived(struct server *srv)
{
	struct session *first = srv->arrived;

	srv->arrived = srv->arrived_last = NULL;
	sessions_process(first);
}

static void send_queued(struct server *srv)
{
	/* sending may let a session read on, and so queue it again: behind those of this round */
	struct session *s = srv->queue;

	srv->queue = NULL;
	while (s != NULL)
		s = session_send_queued(s);
}

void server_stall(struct server *srv)
{
	srv->stalled = true;
}

void server_reap(struct server *srv)
{
	srv->reap = true;
}

void server_count_call(struct server *srv, const struct call *c, int rc, int64_t took_ns)
{
	stats_call(srv->stats, c, rc, took_ns);
	slowlog_call(srv->slowlog, c, took_ns);
}

/* ---- sessions: an id is the slot and a serial number, so that a late answer finds nobody else ---- */

struct session *server_session(struct server *srv, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	if (slot >= srv->n_slots || srv->sessions[slot] == NULL || session_id(srv->sessions[slot]) != id)
		return NULL;
	return srv->sessions[slot];
}

void server_each_session(struct server *srv, void (*fn)(struct session *s, void *arg), void *arg)
{
	for (uint32_t i = 0; i < srv->n_slots; i++)
		if (srv->sessions[i] != NULL)
			fn(srv->sessions[i], arg);
}

static void drop_session(struct server *srv, uint32_t slot)
{
	subscriptions_drop_session(srv->subscriptions, session_id(srv->sessions[slot]));
	session_close(srv->sessions[slot]);
	srv->sessions[slot] = NULL;
	srv->n_sessions--;
}

static void reap_sessions(struct server *srv)
{
	srv->reap = false;
	for (uint32_t i = 0; i < srv->n_slots; i++) {
		if (srv->sessions[i] == NULL || !session_is_shut(srv->sessions[i]))
			continue;
		if (session_is_over(srv->sessions[i]))
			drop_session(srv, i);
		else
			srv->reap = true; /* it waits in the queue: next turn */
	}
}

/* ---- who connects ---- */

static bool listed(const struct uid_list *l, uid_t uid)
{
	for (size_t i = 0; i < l->n; i++)
		if ((uid_t)l->v[i] == uid)
			return true;
	return false;
}

/* The kernel tells the peer's groups as they were when it connected. */
static bool in_group(int fd, gid_t primary, gid_t wanted)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (primary == wanted)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

static enum role role_of_peer(struct server *srv, int fd, int64_t *ret_uid)
{
	const struct options *o = srv->options;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return ROLE_NONE;
	*ret_uid = (int64_t)cred.uid;
	if (listed(&o->auditors, cred.uid))
		return ROLE_AUDITOR;
	if (listed(&o->bots, cred.uid))
		return ROLE_BOT;
	if (cred.uid == 0 || cred.uid == geteuid() || listed(&o->admins, cred.uid))
		return ROLE_ADMIN;
	return in_group(fd, cred.gid, srv->group) ? ROLE_BOT : ROLE_NONE;
}

/* A connection that is not taken still learns why: one error, for whatever it may ask first. */
static void refuse(int fd, enum err_code code, const char *reason)
{
	struct err err;
	struct buf b;

	err_set(&err, code, "%s", reason);
	buf_init(&b, 4096);
	mp_put_array(&b, 3);
	mp_put_uint8(&b, 2);
	mp_put_text(&b, SLICE_LIT("server.refused"));
	mp_put_array(&b, 1);
	mp_put_map(&b, 2);
	mp_put_text(&b, SLICE_LIT("code"));
	mp_put_text(&b, slice_str(err_name(code)));
	mp_put_text(&b, SLICE_LIT("message"));
	mp_put_text(&b, slice_str(reason));
	if (send(fd, b.base, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		diag_debug("a refused peer had gone already");
	buf_free(&b);
	close(fd);
}

static uint32_t free_slot(struct server *srv)
{
	uint32_t slot = 0;

	while (slot < srv->n_slots && srv->sessions[slot] != NULL)
		slot++;
	return slot;
}

static void take(struct server *srv, int fd)
{
	int64_t uid = -1;
	enum role role = role_of_peer(srv, fd, &uid);
	uint32_t slot = free_slot(srv);
	struct session *s;

	if (slot == srv->n_slots) {
		srv->refused_full++;
		diag_warn("a connection was refused: %u are open, the limit (max_connections)", srv->n_slots);
		refuse(fd, E_LIMIT_EXCEEDED, "too many connections (max_connections)");
		return;
	}
	s = session_open(srv, fd, (uint64_t)++srv->serial << 32 | slot, role, uid);
	if (s == NULL) {
		refuse(fd, E_INTERNAL, "no memory");
		return;
	}
	srv->sessions[slot] = s;
	srv->n_sessions++;
	if (role == ROLE_NONE) {
		/* its first request is answered `forbidden`, then it is closed */
		srv->refused_peers++;
		diag_warn("uid %" PRId64 " is neither admin, bot nor auditor", uid);
	}
	diag_debug("connection %" PRIu64 ": uid %" PRId64, session_id(s), uid);
}

/* Whoever waits to be accepted would wake the loop again at once: they wait a second. */
static void pause_accepting(struct server *srv)
{
	static const struct timeval second = { .tv_sec = 1 };

	diag_warn("no file descriptors left for new connections; see max_connections and the limit of open files");
	event_del(srv->on_connect);
	event_add(srv->on_accept_again, &second);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;

	(void)fd;
	(void)what;
	event_add(srv->on_connect, NULL);
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;

	(void)what;
	for (int i = 0; i < 64; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer < 0) {
			if (errno == EMFILE || errno == ENFILE)
				pause_accepting(srv);
			return;
		}
		take(srv, peer);
	}
}

/* ---- the socket ---- */

/* One daemon per socket: whoever holds the lock beside it may take a stale one over. */
static int lock_socket(struct server *srv, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s.lock", srv->options->socket);
	srv->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (srv->lock_fd < 0)
		return err_set(err, E_UNAVAILABLE, "cannot open %s: %s", path, strerror(errno));
	if (flock(srv->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(err, E_UNAVAILABLE, "another dianad listens on %s", srv->options->socket);
	return 0;
}

static int bind_socket(struct server *srv, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = srv->options->socket;
	struct stat st;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, E_INVALID_ARGUMENT, "socket path is longer than %zu bytes: %s",
			       sizeof(addr.sun_path) - 1, path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(err, E_UNAVAILABLE, "%s is there and is not a socket: not touched", path);
		diag_info("taking over the socket that an earlier daemon left");
		unlink(path);
	}
	srv->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (srv->listen_fd < 0 || bind(srv->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return err_set(err, E_UNAVAILABLE, "cannot listen on %s: %s", path, strerror(errno));
	if (chmod(path, (mode_t)srv->options->socket_mode) != 0 || chown(path, (uid_t)-1, srv->group) != 0)
		return err_set(err, E_UNAVAILABLE, "cannot give %s its mode and group: %s", path, strerror(errno));
	if (listen(srv->listen_fd, BACKLOG) != 0)
		return err_set(err, E_UNAVAILABLE, "cannot listen on %s: %s", path, strerror(errno));
	return 0;
}

static int find_group(struct server *srv, struct err *err)
{
	const char *name = srv->options->socket_group;
	struct group *g;

	srv->group = getegid();
	if (name == NULL)
		return 0;
	g = getgrnam(name); // cppcheck-suppress getgrnamCalled ; before any thread
	if (g == NULL)
		return err_set(err, E_INVALID_ARGUMENT, "no group named %s (socket_group)", name);
	srv->group = g->gr_gid;
	return 0;
}

/* ---- answers that come later ---- */

struct ticket call_ticket(const struct call *c)
{
	return (struct ticket){ c->server, c->session_id, c->msgid, c->id, monotonic_ns() };
}

void call_answer(const struct ticket *t, int rc, struct slice result, const struct err *err)
{
	struct session *s = server_session(t->server, t->session_id);

	if (s == NULL)
		return;
	session_answer(s, t->msgid, rc, result, err, server_durable(t->server));
	session_send(s);
	if (session_is_shut(s))
		server_reap(t->server);
}

int server_wait_for_seq(struct server *srv, struct call *c, uint64_t min_seq, int64_t wait_ms)
{
	struct seq_wait *w = malloc(sizeof(*w) + c->method.len + c->params.len);

	if (w == NULL)
		return err_set(c->err, E_INTERNAL, "no memory");
	*w = (struct seq_wait){ .next = srv->waits,
				.ticket = call_ticket(c),
				.min_seq = min_seq,
				.deadline_ms = monotonic_ms() + wait_ms,
				.role = c->role,
				.peer = c->peer,
				.method_len = c->method.len,
				.params_len = c->params.len };
	memcpy(w->bytes, c->method.base, c->method.len);
	memcpy(w->bytes + c->method.len, c->params.base, c->params.len);
	srv->waits = w;
	return CALL_LATER;
}

static void run_waiting(struct server *srv, struct seq_wait *w)
{
	struct buf out;
	struct err err;
	struct call c = { .server = srv,
			  .session_id = w->ticket.session_id,
			  .msgid = w->ticket.msgid,
			  .role = w->role,
			  .peer = w->peer,
			  .method = slice_of(w->bytes, w->method_len),
			  .params = slice_of(w->bytes + w->method_len, w->params_len),
			  .waited = true,
			  .out = &out,
			  .err = &err };
	int rc;

	buf_init(&out, ANSWER_MAX);
	rc = dispatch_call(&c);
	ledger_release(srv->ledger);
	if (rc != CALL_LATER) {
		struct session *s = server_session(srv, w->ticket.session_id);

		if (s != NULL) {
			session_answer(s, w->ticket.msgid, rc, buf_slice(&out), &err, ledger_head(srv->ledger));
			session_send(s);
		}
	}
	buf_free(&out);
}

static void look_at_waits(struct server *srv)
{
	struct seq_wait **p = &srv->waits;
	int64_t now = srv->waits ? monotonic_ms() : 0;

	while (*p != NULL) {
		struct seq_wait *w = *p;

		if (w->min_seq > ledger_head(srv->ledger) && now < w->deadline_ms && !srv->stopping) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		run_waiting(srv, w);
		free(w);
	}
}

/* ---- the ledger tells ---- */

static void tell_durable(struct session *s, void *arg)
{
	if (!session_waiting(s))
		return;
	session_durable(s, *(const uint64_t *)arg);
	session_send(s);
	session_resume(s);
	if (session_is_shut(s))
		server_reap(session_server(s));
}

static void on_durable(void *arg, uint64_t seq)
{
	struct server *srv = arg;

	server_each_session(srv, tell_durable, &seq);
	if (srv->subscriptions != NULL)
		subscriptions_pump(srv->subscriptions);
}

struct lost {
	uint64_t durable;
	struct err err;
};

static void tell_lost(struct session *s, void *arg)
{
	const struct lost *l = arg;

	session_lost(s, l->durable, &l->err);
}

static void on_failed(void *arg, uint64_t durable_seq, const struct err *err)
{
	struct lost lost = { .durable = durable_seq };

	err_set(&lost.err, err->code == E_STORAGE_FULL ? E_STORAGE_FULL : E_UNAVAILABLE,
		"the log could not be written: outcome unknown, ask again with the same key (%.120s)", err->text);
	err_detail_text(&lost.err, "outcome", SLICE_LIT("unknown"));
	server_each_session(arg, tell_lost, &lost);
}

/* ---- the loop ---- */

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct server *srv = arg;

	(void)what;
	if (!srv->stop)
		diag_info("%s: stopping", sig == SIGTERM ? "SIGTERM" : "SIGINT");
	srv->stop = true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	((struct server *)arg)->timer_due_ms = 0; /* it only ends the wait: the turn does the rest */
}

static void process_session(struct session *s, void *arg)
{
	(void)arg;
	sessions_process(s);
}

/* The loop wakes at least once a second; only a nearer time is worth arming the timer anew. */
static void arm_timer(struct server *srv)
{
	int64_t ms = ledger_next_due(srv->ledger), now;
	struct timeval tv;

	if (ms < 0 || ms > TURN_MAX_MS)
		ms = TURN_MAX_MS;
	if (srv->waits != NULL && ms > WAIT_LOOK_MS)
		ms = WAIT_LOOK_MS;
	if (ms == TURN_MAX_MS && srv->timer_due_ms != 0)
		return;
	now = monotonic_ms();
	if (srv->timer_due_ms != 0 && srv->timer_due_ms <= now + ms)
		return;
	srv->timer_due_ms = now + ms;
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	event_add(srv->on_timer, &tv);
}

static void turn(struct server *srv)
{
	process_arrived(srv);
	ledger_turn(srv->ledger, one_is_alone(srv));
	look_at_waits(srv);
	if (srv->stalled && ledger_accepts(srv->ledger)) {
		srv->stalled = false;
		server_each_session(srv, process_session, NULL);
		subscriptions_pump(srv->subscriptions);
		ledger_turn(srv->ledger, false);
	}
	send_queued(srv);
	if (srv->reap)
		reap_sessions(srv);
}

static void count_unsent(struct session *s, void *arg)
{
	*(size_t *)arg += session_waiting(s);
}

/* What was decided is flushed and answered; nothing new is read. */
static void wind_down(struct server *srv)
{
	int64_t until = monotonic_ms() + STOP_MS;

	srv->stopping = true;
	event_del(srv->on_connect);
	event_del(srv->on_accept_again);
	while (monotonic_ms() < until) {
		size_t waiting = 0;

		server_each_session(srv, count_unsent, &waiting);
		if (waiting == 0 && ledger_durable(srv->ledger) == ledger_head(srv->ledger))
			break;
		turn(srv);
		arm_timer(srv);
		event_base_loop(srv->base, EVLOOP_ONCE);
	}
}

int server_run(struct server *srv, struct err *err)
{
	bool more;

	diag_info("listening on %s", srv->options->socket);
	while (!srv->stop) {
		turn(srv);
		arm_timer(srv);
		more = srv->queue != NULL || (srv->stalled && ledger_accepts(srv->ledger));
		/* EVLOOP_ONCE in any case: without it, libevent stays as long as anything is readable, and who has hung
		 * up is readable until this turn's end takes the connection away */
		if (event_base_loop(srv->base, more ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE) < 0)
			return err_set(err, E_INTERNAL, "the event loop failed");
	}
	wind_down(srv);
	return 0;
}

static bool progress(void *arg, uint64_t seq, uint64_t to)
{
	static int64_t last_ms;
	struct server *srv = arg;

	event_base_loop(srv->base, EVLOOP_NONBLOCK); /* signals */
	if (monotonic_ms() - last_ms > 2000) {
		last_ms = monotonic_ms();
		diag_info("at event %" PRIu64 " of %" PRIu64 " (%.0f %%)", seq, to, 100.0 * (double)seq / (double)to);
	}
	return !srv->stop;
}

static int open_events(struct server *srv, struct err *err)
{
	srv->base = event_base_new();
	if (srv->base == NULL)
		return err_set(err, E_INTERNAL, "no event base");
	srv->on_term = evsignal_new(srv->base, SIGTERM, on_signal, srv);
	srv->on_int = evsignal_new(srv->base, SIGINT, on_signal, srv);
	srv->on_timer = evtimer_new(srv->base, on_timer, srv);
	if (srv->on_term == NULL || srv->on_int == NULL || srv->on_timer == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	evsignal_add(srv->on_term, NULL);
	evsignal_add(srv->on_int, NULL);
	return 0;
}

/* More activity reports than a person makes are refused without a trace in the log. */
static int admit(void *arg, const struct command *c, struct err *err)
{
	const struct user_record_activity *p = c->params;
	struct server *srv = arg;
	int64_t retry_at, limit;

	if (c->method != METHOD_user_record_activity)
		return 0;
	limit = setting_int(ledger_state(srv->ledger), SETTING_throttle_activity_per_minute);
	if (rate_allow(srv->rate, p->user_id, ledger_now(srv->ledger), limit, &retry_at))
		return 0;
	err_set(err, E_RATE_LIMITED, "user %" PRId64 ": more than %" PRId64 " activities in a minute", p->user_id,
		limit);
	err_detail_int(err, "retry_at", retry_at);
	return E_RATE_LIMITED;
}

static int open_log_key(struct server *srv, struct err *err)
{
	char id[2 * NOTE_ID + 1];
	bool made;
	int rc = log_key_load(srv->options->data, &srv->log_key, &made, err);

	if (rc != 0)
		return err_wrap(err, "the key that signs checkpoints");
	note_key_put_id(&srv->log_key, id);
	if (made)
		diag_info("a key was made that signs checkpoints, %s of %s; keep a copy of log.key", id,
			  srv->log_key.name);
	return 0;
}

static int open_ledger(struct server *srv, struct err *err)
{
	const struct options *o = srv->options;
	struct ledger_options lo = { .data = o->data,
				     .install_defaults = o->defaults != 0,
				     .log_reserve = (uint64_t)o->log_reserve_mb << 20,
				     .seal = o->seal != 0,
				     .seal_behind = (uint64_t)o->seal_behind };
	struct ledger_ops ops = { admit, on_durable, on_failed, srv };
	int rc = ledger_open(&lo, srv->base, &ops, progress, srv, &srv->ledger, err);

	if (rc == 0)
		rc = open_log_key(srv, err);
	if (rc == 0)
		rc = worker_start(srv->base, "reader", WORKER_LONG, &srv->reader, err);
	if (rc == 0)
		rc = worker_start(srv->base, "prover", WORKER_PROMPT, &srv->prover, err);
	if (rc == 0)
		rc = worker_start(srv->base, "rebuilder", WORKER_LONG, &srv->rebuilder, err);
	return rc;
}

static int open_parts(struct server *srv, struct err *err)
{
	srv->n_slots = (uint32_t)srv->options->max_connections;
	srv->sessions = calloc(srv->n_slots, sizeof(struct session *));
	srv->rate = rate_new();
	srv->stats = stats_new();
	srv->slowlog = slowlog_new();
	srv->backups = backups_new();
	srv->subscriptions = subscriptions_new(srv);
	if (srv->sessions == NULL || srv->rate == NULL || srv->stats == NULL || srv->slowlog == NULL ||
	    srv->backups == NULL || srv->subscriptions == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	return plans_init(err);
}

int server_open(const struct options *o, struct server **ret, struct err *err)
{
	struct server *srv = calloc(1, sizeof(*srv));
	int rc;

	if (srv == NULL)
		return err_set(err, E_INTERNAL, "no memory");
	*srv = (struct server){ .options = o, .listen_fd = -1, .lock_fd = -1, .started_ms = monotonic_ms() };
	signal(SIGPIPE, SIG_IGN);
	rc = find_group(srv, err);
	if (rc == 0)
		rc = open_events(srv, err);
	if (rc == 0)
		rc = open_parts(srv, err);
	if (rc == 0)
		rc = lock_socket(srv, err);
	if (rc == 0)
		rc = open_ledger(srv, err);
	if (rc == 0)
		rc = bind_socket(srv, err);
	if (rc == 0) {
		srv->on_connect = event_new(srv->base, srv->listen_fd, EV_READ | EV_PERSIST, on_connect, srv);
		srv->on_accept_again = evtimer_new(srv->base, on_accept_again, srv);
		if (srv->on_connect == NULL || srv->on_accept_again == NULL || event_add(srv->on_connect, NULL) != 0)
			rc = err_set(err, E_INTERNAL, "no memory");
	}
	if (rc != 0) {
		server_close(srv);
		return rc;
	}
	*ret = srv;
	return 0;
}

static void free_event(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void server_close(struct server *srv)
{
	worker_stop(srv->reader);
	worker_stop(srv->prover);
	worker_stop(srv->rebuilder);
	ledger_close(srv->ledger);
	for (uint32_t i = 0; srv->sessions != NULL && i < srv->n_slots; i++)
		if (srv->sessions[i] != NULL)
			drop_session(srv, i);
	while (srv->waits != NULL) {
		struct seq_wait *next = srv->waits->next;

		free(srv->waits);
		srv->waits = next;
	}
	if (srv->listen_fd >= 0) {
		close(srv->listen_fd);
		unlink(srv->options->socket);
	}
	if (srv->lock_fd >= 0)
		close(srv->lock_fd);
	free_event(srv->on_connect);
	free_event(srv->on_accept_again);
	free_event(srv->on_term);
	free_event(srv->on_int);
	free_event(srv->on_timer);
	subscriptions_free(srv->subscriptions);
	stats_free(srv->stats);
	slowlog_free(srv->slowlog);
	backups_free(srv->backups);
	rate_free(srv->rate);
	free(srv->sessions);
	plans_free();
	if (srv->base != NULL)
		event_base_free(srv->base);
	free(srv);
}

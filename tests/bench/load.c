#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mix.h"

#define READ_SIZE ((size_t)256 << 10)
#define STALL_NS (30 * (uint64_t)1000000000)
#define TICK_NS ((uint64_t)250 * 1000000)
/* How often an open loop sends what is due: a wake-up for each single request would take a core. */
#define BURST_NS ((uint64_t)500 * 1000)
/* In an open loop, how often what is due is sent: a wake-up for each single request would take a core. */
#define BURST_NS ((uint64_t)500 * 1000)

struct conn {
	int fd;
	uint32_t oldest; /* in-order drivers: slot of the next reply */
	bool waits_to_write;
	struct bytes partial; /* start of a reply whose rest has not come */
	struct bytes unsent;  /* what the socket did not take */
	uint64_t *sent_at;    /* per slot; 0: free */
};

enum stage { WARMING, MEASURING, DRAINING };

/* Of an open loop. Slots are taken in the order in which they became free, so that requests which were answered
 * together go out together again. */
struct schedule {
	uint32_t *free; /* ring of connection * depth + slot */
	uint32_t size, first, n;
	uint64_t burst; /* ns, when what is owed was due */
	double owed;    /* requests */
};

struct load {
	const struct load_spec *spec;
	struct load_result *result;
	int epoll;
	struct conn *conns;
	enum stage stage;
	uint64_t in_flight;
	uint64_t measured; /* replies that count */
	uint64_t began;    /* ns, of the stage MEASURING */
	uint64_t ended;
	struct schedule schedule;
	struct bytes in; /* shared by all connections */
	struct bytes out;
};

uint32_t workload_first_amount(uint32_t index)
{
	return 1 + (uint32_t)(mix64(index) % 1000);
}

uint32_t workload_pick_user(struct workload *w)
{
	return USER_BASE + random_below(&w->random, w->users);
}

uint32_t workload_pick_regular(struct workload *w)
{
	return USER_BASE + random_below(&w->random, w->regulars);
}

uint32_t workload_pick_awarded(struct workload *w)
{
	if (w->regulars != 0 && w->awards % w->regular_every == 0)
		return USER_BASE + (uint32_t)(w->awards / w->regular_every % w->regulars);
	return workload_pick_user(w);
}

uint32_t workload_pick_amount(struct workload *w)
{
	uint32_t amount = 1 + random_below(&w->random, 100);

	w->awards++;
	w->credited += amount;
	return amount;
}

static int conn_open(struct load *l, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int flags;

	c->fd = unix_connect(l->spec->socket);
	if (c->fd < 0) {
		complain("%s: cannot connect: %s", l->spec->driver->name, strerror(errno));
		return -1;
	}
	flags = fcntl(c->fd, F_GETFL);
	if (fcntl(c->fd, F_SETFL, flags | O_NONBLOCK) != 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
		complain("%s: %s", l->spec->driver->name, strerror(errno));
		return -1;
	}
	return 0;
}

static void conn_watch_write(struct load *l, struct conn *c, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c };

	if (c->waits_to_write != on)
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->waits_to_write = on;
}

/* Bytes taken, or -1 when the connection is gone. */
static ssize_t conn_write(struct load *l, struct conn *c, const uint8_t *base, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(c->fd, base + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			complain("%s: write: %s", l->spec->driver->name, strerror(errno));
			return -1;
		}
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Sends what was encoded for this connection, behind what still waits. */
static int conn_send(struct load *l, struct conn *c)
{
	ssize_t n = 0;

	if (c->unsent.len == 0 && (n = conn_write(l, c, l->out.base, l->out.len)) < 0)
		return -1;
	bytes_append(&c->unsent, l->out.base + n, l->out.len - (size_t)n);
	l->out.len = 0;
	conn_watch_write(l, c, c->unsent.len != 0);
	return 0;
}

static int conn_send_rest(struct load *l, struct conn *c)
{
	ssize_t n = conn_write(l, c, c->unsent.base, c->unsent.len);

	if (n < 0)
		return -1;
	c->unsent.len -= (size_t)n;
	memmove(c->unsent.base, c->unsent.base + n, c->unsent.len);
	conn_watch_write(l, c, c->unsent.len != 0);
	return 0;
}

static bool runs_to_its_end(enum op op)
{
	return op == OP_LOAD || op == OP_PREPARE;
}

/* Whether there is anything left to ask. */
static bool wants_more(const struct load *l)
{
	const struct workload *w = l->spec->work;

	if (l->spec->op == OP_LOAD)
		return w->loaded < w->users;
	if (l->spec->op == OP_PREPARE)
		return w->prepared < MIX_PREPARATIONS;
	return l->stage != DRAINING;
}

static void ask(struct load *l, struct conn *c, uint32_t slot, uint64_t now)
{
	l->spec->driver->encode(l->spec->work, l->spec->op, slot, &l->out);
	c->sent_at[slot] = now;
	l->in_flight++;
}

/* ---- the open loop ---- */

static bool is_open(const struct load *l)
{
	return l->spec->rate > 0;
}

static void slot_freed(struct load *l, const struct conn *c, uint32_t slot)
{
	struct schedule *s = &l->schedule;

	s->free[(s->first + s->n++) % s->size] = (uint32_t)(c - l->conns) * l->spec->depth + slot;
}

static uint32_t slot_take(struct schedule *s)
{
	uint32_t id = s->free[s->first];

	s->first = (s->first + 1) % s->size;
	s->n--;
	return id;
}

/* Whether a request is due that a slot is free for. */
static bool is_due(struct load *l, uint64_t now)
{
	struct schedule *s = &l->schedule;

	while (s->owed < 1 && s->burst + BURST_NS <= now) {
		s->burst += BURST_NS;
		s->owed += l->spec->rate * (double)BURST_NS / 1e9;
	}
	return s->owed >= 1 && s->n > 0 && wants_more(l);
}

static int send_due(struct load *l, uint64_t now)
{
	struct schedule *s = &l->schedule;
	struct conn *to = NULL;

	while (is_due(l, now)) {
		uint32_t id = slot_take(s);
		struct conn *c = &l->conns[id / l->spec->depth];

		if (to != NULL && to != c && conn_send(l, to) != 0)
			return -1;
		to = c;
		ask(l, c, id % l->spec->depth, s->burst);
		s->owed -= 1;
	}
	return to != NULL ? conn_send(l, to) : 0;
}

/* ---- replies ---- */

static int account(struct load *l, struct conn *c, const struct reply *reply, uint64_t now)
{
	struct load_result *r = l->result;

	if (reply->slot >= l->spec->depth || c->sent_at[reply->slot] == 0) {
		complain("%s: answered a request that was not made", l->spec->driver->name);
		return -1;
	}
	if (reply->error != NULL && l->spec->expects != NULL && l->spec->expects(reply))
		r->refusals++;
	else if (reply->error != NULL && r->errors++ == 0)
		l->spec->driver->explain(reply, r->first_error, sizeof(r->first_error));
	if (l->stage == MEASURING) {
		hist_add(&r->latency, now - c->sent_at[reply->slot]);
		l->measured++;
	}
	c->sent_at[reply->slot] = 0;
	r->all_ops++;
	l->in_flight--;
	return 0;
}

/* Everything whole in the bytes; what is left over is kept for the next read. */
static int conn_replies(struct load *l, struct conn *c, uint64_t now)
{
	const struct load_spec *spec = l->spec;
	const uint8_t *at = l->in.base, *end = at + l->in.len;

	while (at < end) {
		struct reply reply = { .slot = c->oldest };
		ssize_t n = spec->driver->scan(at, (size_t)(end - at), &reply);

		if (n < 0) {
			complain("%s: what came is not a reply", spec->driver->name);
			return -1;
		}
		if (n == 0)
			break;
		if (account(l, c, &reply, now) != 0)
			return -1;
		if (spec->driver->in_order)
			c->oldest = c->oldest + 1 == spec->depth ? 0 : c->oldest + 1;
		if (is_open(l))
			slot_freed(l, c, reply.slot);
		else if (wants_more(l))
			ask(l, c, reply.slot, now);
		at += n;
	}
	c->partial.len = 0;
	bytes_append(&c->partial, at, (size_t)(end - at));
	return l->out.len != 0 ? conn_send(l, c) : 0;
}

static int conn_read(struct load *l, struct conn *c)
{
	ssize_t n;

	l->in.len = 0;
	bytes_append(&l->in, c->partial.base, c->partial.len);
	n = read(c->fd, bytes_reserve(&l->in, READ_SIZE), READ_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		complain("%s: closed the connection%s%s", l->spec->driver->name, n < 0 ? ": " : "",
			 n < 0 ? strerror(errno) : "");
		return -1;
	}
	l->in.len += (size_t)n;
	return conn_replies(l, c, now_ns());
}

static int load_start(struct load *l)
{
	const struct load_spec *spec = l->spec;
	uint64_t now;

	for (uint32_t i = 0; i < spec->connections; i++)
		if (conn_open(l, &l->conns[i]) != 0)
			return -1;
	now = l->schedule.burst = now_ns();
	for (uint32_t i = 0; i < spec->connections; i++) {
		struct conn *c = &l->conns[i];

		for (uint32_t slot = 0; slot < spec->depth && wants_more(l); slot++) {
			if (is_open(l))
				slot_freed(l, c, slot);
			else
				ask(l, c, slot, now);
		}
		if (l->out.len != 0 && conn_send(l, c) != 0)
			return -1;
	}
	return 0;
}

static void stage_advance(struct load *l, uint64_t now)
{
	const struct load_spec *spec = l->spec;

	if (runs_to_its_end(spec->op))
		return;
	if (l->stage == WARMING && (double)(now - l->began) >= spec->warmup_s * 1e9) {
		l->stage = MEASURING;
		l->began = now;
	} else if (l->stage == MEASURING &&
		   (l->measured >= spec->count || (double)(now - l->began) >= spec->seconds * 1e9)) {
		l->stage = DRAINING;
		l->ended = now;
	}
	if (l->stage != DRAINING && spec->over != NULL && spec->over(spec->over_arg)) {
		if (l->stage == WARMING)
			l->began = now;
		l->stage = DRAINING;
		l->ended = now;
	}
}

/* Until something happens, or the next burst is due. */
static int await_events(struct load *l, struct epoll_event *evs, int n)
{
	uint64_t now = now_ns(), until = l->schedule.burst + BURST_NS;
	struct timespec wait = { .tv_nsec = until > now ? (long)(until - now) : 0 };

	return is_open(l) ? epoll_pwait2(l->epoll, evs, n, &wait, NULL) : epoll_wait(l->epoll, evs, n, 100);
}

static bool goes_on(const struct load *l)
{
	return l->in_flight > 0 || (is_open(l) && wants_more(l));
}

static int load_loop(struct load *l)
{
	struct epoll_event evs[64];
	uint64_t ticked = l->began, progress = l->began;

	while (goes_on(l)) {
		int n = await_events(l, evs, COUNT(evs));
		uint64_t now = now_ns();

		if (interrupted)
			return -1;
		stage_advance(l, now);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;

			if ((evs[i].events & EPOLLOUT) && conn_send_rest(l, c) != 0)
				return -1;
			if ((evs[i].events & ~(uint32_t)EPOLLOUT) && conn_read(l, c) != 0)
				return -1;
		}
		if (is_open(l) && send_due(l, now) != 0)
			return -1;
		if (n > 0 || l->in_flight == 0)
			progress = now;
		if (now - progress > STALL_NS) {
			complain("%s: no reply for 30 seconds", l->spec->driver->name);
			return -1;
		}
		if (l->spec->tick != NULL && now - ticked >= TICK_NS) {
			l->spec->tick(l->spec->tick_arg);
			ticked = now;
		}
	}
	return 0;
}

int load_run(const struct load_spec *spec, struct load_result *result)
{
	struct load l = { .spec = spec, .result = result };
	int rc = -1;

	l.conns = calloc(spec->connections, sizeof(*l.conns));
	for (uint32_t i = 0; l.conns != NULL && i < spec->connections; i++) {
		l.conns[i].fd = -1;
		l.conns[i].sent_at = calloc(spec->depth, sizeof(uint64_t));
		if (l.conns[i].sent_at == NULL)
			goto out;
	}
	l.schedule.size = spec->connections * spec->depth;
	l.schedule.free = malloc(l.schedule.size * sizeof(*l.schedule.free));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l.conns == NULL || l.schedule.free == NULL || l.epoll < 0) {
		complain("cannot prepare %u connections", spec->connections);
		goto out;
	}
	/* The load itself is measured from the first request to the last reply. */
	l.stage = runs_to_its_end(spec->op) ? MEASURING : WARMING;
	l.began = now_ns();
	if (load_start(&l) != 0 || load_loop(&l) != 0)
		goto out;
	if (l.ended == 0)
		l.ended = now_ns();
	result->ops += l.measured;
	result->seconds += (double)(l.ended - l.began) / 1e9;
	rc = 0;
out:
	for (uint32_t i = 0; l.conns != NULL && i < spec->connections; i++) {
		if (l.conns[i].fd >= 0)
			close(l.conns[i].fd);
		bytes_free(&l.conns[i].partial);
		bytes_free(&l.conns[i].unsent);
		free(l.conns[i].sent_at);
	}
	free(l.conns);
	free(l.schedule.free);
	if (l.epoll > 0)
		close(l.epoll);
	bytes_free(&l.in);
	bytes_free(&l.out);
	return rc;
}

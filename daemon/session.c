#include "daemon/session.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/diag.h"
#include "daemon/ledger.h"
#include "daemon/lookahead.h"
#include "daemon/server.h"
#include "daemon/subscriptions.h"

enum {
	READ_CHUNK = 64 * 1024,
	INPUT_KEEP = 256 * 1024, /* an input buffer larger than this is given back when it is empty */
	OUTPUT_HIGH = 1 << 20,   /* reading stops above */
	OUTPUT_MAX = 64 << 20,   /* a client that lets this much pile up is closed */
	FRAME_DEPTH = 14,
};

/* Output up to `end` waits for `need_seq`. msgids are kept to answer them should the block be lost. */
struct mark {
	uint64_t need_seq;
	size_t end;
	uint32_t msgid;
};

struct session {
	struct server *srv;
	uint64_t id;
	int fd;
	enum role role;
	int64_t uid;
	struct event *readable, *writable;
	bool shut;
	bool reading; /* the read event is armed */
	bool writing; /* the write event is armed */
	bool queued;  /* has answers for the end of the turn */
	struct session *next_queued;
	bool arrived; /* has requests for the end of the turn */
	struct session *next_arrived;
	/* in */
	struct buf in;
	size_t in_pos; /* frames before it are worked off */
	struct mp_scan scan;
	bool scanning;
	/* out */
	struct buf out;
	size_t sent;  /* bytes already written */
	size_t ready; /* bytes that may be written */
	struct mark *marks;
	size_t first_mark, n_marks, cap_marks;
	size_t push_start;
	int64_t progress_ms;
};

uint64_t session_id(const struct session *s)
{
	return s->id;
}

struct server *session_server(const struct session *s)
{
	return s->srv;
}

size_t session_unsent(const struct session *s)
{
	return s->out.len - s->sent;
}

int64_t session_progress_ms(const struct session *s)
{
	return s->progress_ms;
}

bool session_waiting(const struct session *s)
{
	return s->n_marks > 0;
}

void session_shut(struct session *s)
{
	s->shut = true;
}

bool session_is_over(const struct session *s)
{
	return s->shut && !s->queued && !s->arrived;
}

bool session_is_shut(const struct session *s)
{
	return s->shut;
}

/* ---- events ---- */

static void want_read(struct session *s, bool on)
{
	if (on == s->reading)
		return;
	s->reading = on;
	if (on)
		event_add(s->readable, NULL);
	else
		event_del(s->readable);
}

static void want_write(struct session *s, bool on)
{
	if (on == s->writing)
		return;
	s->writing = on;
	if (on)
		event_add(s->writable, NULL);
	else
		event_del(s->writable);
}

/* ---- output ---- */

static void compact_output(struct session *s)
{
	if (s->sent < s->out.len && s->sent < OUTPUT_HIGH)
		return;
	for (size_t i = 0; i < s->n_marks; i++)
		s->marks[s->first_mark + i].end -= s->sent;
	s->ready -= s->sent;
	buf_consume(&s->out, s->sent);
	s->sent = 0;
	if (s->out.len == 0 && s->out.cap > INPUT_KEEP)
		buf_free(&s->out);
}

void session_send(struct session *s)
{
	while (!s->shut && s->sent < s->ready) {
		ssize_t n = write(s->fd, s->out.base + s->sent, s->ready - s->sent);

		if (n > 0) {
			s->sent += (size_t)n;
			s->progress_ms = monotonic_ms();
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		s->shut = true;
		return;
	}
	compact_output(s);
	want_write(s, !s->shut && s->sent < s->ready);
}

struct session *session_send_queued(struct session *s)
{
	struct session *next = s->next_queued;

	s->queued = false;
	s->next_queued = NULL;
	session_send(s);
	if (s->shut)
		server_reap(s->srv);
	else
		session_resume(s);
	return next;
}

static bool push_mark(struct session *s, uint64_t need_seq, uint32_t msgid)
{
	if (s->n_marks == 0)
		s->first_mark = 0;
	if (s->first_mark + s->n_marks == s->cap_marks && s->first_mark > s->cap_marks / 2) {
		memmove(s->marks, s->marks + s->first_mark, s->n_marks * sizeof(*s->marks));
		s->first_mark = 0;
	}
	if (s->first_mark + s->n_marks == s->cap_marks) {
		size_t cap = s->cap_marks ? 2 * s->cap_marks : 64;
		struct mark *more = realloc(s->marks, cap * sizeof(*more));

		if (more == NULL)
			return false;
		s->marks = more;
		s->cap_marks = cap;
	}
	s->marks[s->first_mark + s->n_marks++] = (struct mark){ need_seq, s->out.len, msgid };
	return true;
}

/* The output has grown by one answer, which waits for need_seq. */
static void answer_ends(struct session *s, uint32_t msgid, uint64_t need_seq)
{
	if (s->out.failed) {
		diag_info("connection %llu: closed, it does not read its answers", (unsigned long long)s->id);
		s->shut = true;
		return;
	}
	if (s->n_marks == 0 && need_seq <= server_durable(s->srv))
		s->ready = s->out.len;
	else if (!push_mark(s, need_seq, msgid))
		s->shut = true;
}

void session_durable(struct session *s, uint64_t seq)
{
	while (s->n_marks > 0 && s->marks[s->first_mark].need_seq <= seq) {
		s->ready = s->marks[s->first_mark].end;
		s->first_mark++;
		s->n_marks--;
	}
}

static void put_answer_head(struct buf *b, uint32_t msgid)
{
	mp_put_array(b, 4);
	mp_put_uint8(b, 1);
	mp_put_uint32(b, msgid);
}

static void put_error(struct buf *b, uint32_t msgid, const struct err *err)
{
	struct slice text = slice_str(err->text);

	put_answer_head(b, msgid);
	mp_put_map(b, 3);
	mp_put_text(b, SLICE_LIT("code"));
	mp_put_text(b, slice_str(err_name(err->code)));
	mp_put_text(b, SLICE_LIT("message"));
	mp_put_text(b, utf8_valid(text) ? text : SLICE_LIT("(text withheld)"));
	mp_put_text(b, SLICE_LIT("details"));
	mp_put_map(b, err->n_details);
	buf_append(b, err->details, err->details_len);
	mp_put_nil(b);
}

void session_answer(struct session *s, uint32_t msgid, int rc, struct slice result, const struct err *err,
		    uint64_t need_seq)
{
	if (rc != 0) {
		put_error(&s->out, msgid, err);
	} else {
		put_answer_head(&s->out, msgid);
		mp_put_nil(&s->out);
		buf_append(&s->out, result.base, result.len);
	}
	answer_ends(s, msgid, need_seq);
}

/* Answers that waited for a lost block are in the output already: they are replaced, one by one. */
void session_lost(struct session *s, uint64_t durable_seq, const struct err *err)
{
	size_t n, first;

	session_durable(s, durable_seq);
	n = s->n_marks;
	first = s->first_mark;
	s->n_marks = 0;
	buf_truncate(&s->out, s->ready);
	for (size_t i = 0; i < n; i++)
		put_error(&s->out, s->marks[first + i].msgid, err);
	s->ready = s->out.len;
	session_send(s);
}

struct buf *session_push_begin(struct session *s, const char *method)
{
	s->push_start = s->out.len;
	mp_put_array(&s->out, 3);
	mp_put_uint8(&s->out, 2);
	mp_put_text(&s->out, slice_str(method));
	mp_put_array(&s->out, 1);
	return &s->out;
}

void session_push_end(struct session *s)
{
	/* what is pushed is durable, but answers before it in the buffer may wait: so does it then */
	answer_ends(s, 0, s->n_marks > 0 ? s->marks[s->first_mark + s->n_marks - 1].need_seq : 0);
}

/* ---- input ---- */

struct frame {
	uint64_t type;
	uint32_t msgid;
	bool has_msgid;
	struct request_head head;
	size_t start, end; /* in the input */
	const char *bad;   /* why it is refused; NULL: it is not */
};

/* Takes a whole frame apart. False: not a request or notification; has_msgid tells whether to say so. */
static bool parse_frame(struct slice bytes, struct frame *f)
{
	struct mp m = mp_of(bytes);
	uint64_t msgid;
	uint32_t n, n_params;

	*f = (struct frame){ 0 };
	if (!mp_array(&m, &n) || n < 3 || !mp_uint(&m, &f->type))
		return false;
	if (f->type == 2)
		return n == 3;
	if (f->type != 0 || n != 4 || !mp_uint(&m, &msgid) || msgid > UINT32_MAX)
		return false;
	f->msgid = (uint32_t)msgid;
	f->has_msgid = true;
	if (!mp_str(&m, &f->head.method) || !mp_array(&m, &n_params) || n_params > 1)
		return false;
	f->head.params = SLICE_LIT("\x80");
	return n_params == 0 || mp_raw(&m, FRAME_DEPTH, &f->head.params);
}

static void refuse_frame(struct session *s, const struct frame *f)
{
	struct err err;

	diag_info("connection %llu: closed, %s", (unsigned long long)s->id, f->bad);
	if (f->has_msgid) {
		err_field(&err, "frame", "%s", f->bad);
		session_answer(s, f->msgid, E_INVALID_ARGUMENT, SLICE_NULL, &err, 0);
		session_send(s);
	}
	s->shut = true;
}

/* The msgid of a frame that is cut, oversized or malformed further on, where its beginning tells it. */
static void peek_msgid(struct slice bytes, struct frame *f)
{
	struct mp m = mp_of(bytes);
	uint64_t type, msgid;

	*f = (struct frame){ 0 };
	/* not mp_array(): the count may be larger than what has arrived */
	if (bytes.len < 3 || (((const uint8_t *)bytes.base)[0] & 0xf0) != 0x90)
		return;
	m.p++;
	if (!mp_uint(&m, &type) || type != 0 || !mp_uint(&m, &msgid) || msgid > UINT32_MAX)
		return;
	f->msgid = (uint32_t)msgid;
	f->has_msgid = true;
}

/* *clock: when the call before ended, and afterwards when this one has. Looking at a clock is not for nothing. */
static void run_frame(struct session *s, const struct frame *f, int64_t *clock)
{
	struct err err;
	struct call c = { .server = s->srv,
			  .session_id = s->id,
			  .msgid = f->msgid,
			  .role = s->role,
			  .peer = s->uid,
			  .method = f->head.method,
			  .params = f->head.params,
			  .out = &s->out,
			  .err = &err };
	size_t start = s->out.len, body;
	int64_t began = *clock;
	int rc;

	put_answer_head(&s->out, f->msgid);
	mp_put_nil(&s->out);
	body = s->out.len;
	rc = dispatch_call(&c);
	*clock = monotonic_ns();
	server_count_call(s->srv, &c, rc, *clock - began);
	ledger_release(server_ledger(s->srv));
	if (rc == CALL_LATER) {
		buf_truncate(&s->out, start);
		return;
	}
	if (rc == 0 && s->out.len - body > ANSWER_MAX) {
		rc = err_set(&err, E_LIMIT_EXCEEDED, "the answer is larger than %d bytes", ANSWER_MAX);
		err_detail_int(&err, "limit", ANSWER_MAX);
	}
	if (rc != 0) {
		buf_truncate(&s->out, start);
		put_error(&s->out, f->msgid, &err);
	}
	answer_ends(s, f->msgid, ledger_head(server_ledger(s->srv)));
	if (s->role == ROLE_NONE) {
		s->ready = s->out.len; /* an error about the role has seen nothing */
		session_send(s);
		s->shut = true;
	}
}

/* Next whole frame, or the refusal of what is none; false: more must arrive. */
static bool next_frame(struct session *s, struct frame *f)
{
	struct slice rest = slice_of(s->in.base + s->in_pos, s->in.len - s->in_pos);
	size_t start = s->in_pos;
	enum mp_scan_result r;

	if (rest.len == 0)
		return false;
	if (!s->scanning)
		mp_scan_start(&s->scan, FRAME_DEPTH + 1);
	s->scanning = true;
	r = mp_scan(&s->scan, rest, server_frame_max(s->srv));
	if (r == MP_SCAN_MORE)
		return false;
	s->scanning = false;
	if (r == MP_SCAN_DONE) {
		s->in_pos += s->scan.pos;
		if (!parse_frame(slice_of(rest.base, s->scan.pos), f))
			f->bad = "not a MessagePack-RPC request";
	} else {
		peek_msgid(rest, f);
		f->bad = r == MP_SCAN_BIG    ? "the frame is too large"
			 : r == MP_SCAN_DEEP ? "the frame is nested too deep"
					     : "the frame is malformed";
	}
	f->start = start;
	f->end = s->in_pos;
	return true;
}

/* At most `max` frames that have arrived. A refusal is the last. */
static size_t gather(struct session *s, struct frame *frames, size_t max)
{
	size_t n = 0;

	while (n < max && next_frame(s, &frames[n]))
		if (frames[n++].bad != NULL)
			break;
	return n;
}

static void compact_input(struct session *s)
{
	buf_consume(&s->in, s->in_pos);
	s->in_pos = 0;
	if (s->in.len == 0 && s->in.cap > INPUT_KEEP)
		buf_free(&s->in);
}

/* True: reading may go on. */
static bool open_for_input(struct session *s)
{
	return !s->shut && session_unsent(s) < OUTPUT_HIGH && ledger_accepts(server_ledger(s->srv)) &&
	       !server_stopping(s->srv);
}

/* All its frames were worked off, or no more are taken now. */
static void pause_input(struct session *s)
{
	compact_input(s);
	if (!s->queued && s->sent < s->ready) {
		s->queued = true;
		s->next_queued = server_queue(s->srv, s);
	}
	want_read(s, open_for_input(s));
	if (!s->shut && !ledger_accepts(server_ledger(s->srv)))
		server_stall(s->srv); /* what stops at a full output goes on when that is sent */
	if (s->shut)
		server_reap(s->srv);
}

/* Frames of one or more sessions, in the order in which they are worked off. */
struct batch {
	struct frame frames[LOOKAHEAD_MAX];
	struct share {
		struct session *session;
		size_t end; /* of its frames; they begin where those of the one before end */
	} shares[LOOKAHEAD_MAX];
	size_t n_frames, n_shares;
};

/* Adds what has arrived at the session, as far as there is room. */
static void batch_add(struct batch *b, struct session *s)
{
	if (open_for_input(s))
		b->n_frames += gather(s, b->frames + b->n_frames, LOOKAHEAD_MAX - b->n_frames);
	b->shares[b->n_shares++] = (struct share){ s, b->n_frames };
}

static void batch_foresee(const struct batch *b, struct server *srv)
{
	struct request_head heads[LOOKAHEAD_MAX];

	for (size_t i = 0; i < b->n_frames; i++)
		heads[i] = b->frames[i].head;
	if (b->n_frames > 1)
		lookahead(ledger_state(server_ledger(srv)), ledger_now(server_ledger(srv)), heads, b->n_frames);
}

static void run_frames(struct session *s, const struct frame *frames, size_t n, int64_t *clock)
{
	size_t done;

	for (done = 0; done < n && open_for_input(s); done++) {
		if (frames[done].bad != NULL)
			refuse_frame(s, &frames[done]);
		else if (frames[done].type == 0)
			run_frame(s, &frames[done], clock);
	}
	if (done < n) {
		/* stopped in between: the rest is gathered again when it goes on */
		s->in_pos = done > 0 ? frames[done - 1].end : frames[0].start;
		s->scanning = false;
	}
}

/* `more`: the last session may have more frames than there was room for. */
static void batch_run(const struct batch *b, bool more)
{
	int64_t clock = monotonic_ns();
	size_t from = 0;

	for (size_t i = 0; i < b->n_shares; from = b->shares[i++].end) {
		run_frames(b->shares[i].session, b->frames + from, b->shares[i].end - from, &clock);
		if (!more || i + 1 < b->n_shares)
			pause_input(b->shares[i].session);
	}
}

/* Takes it out of the list of those that have requests. Returns the next. */
static struct session *leave_arrived(struct session *s)
{
	struct session *next = s->next_arrived;

	s->next_arrived = NULL;
	s->arrived = false;
	return next;
}

void sessions_process(struct session *s)
{
	while (s != NULL) {
		struct server *srv = s->srv;
		struct batch b;
		bool full = false;

		b.n_frames = b.n_shares = 0;
		while (s != NULL && !full && b.n_shares < LOOKAHEAD_MAX) {
			batch_add(&b, s);
			full = b.n_frames == LOOKAHEAD_MAX;
			if (!full)
				s = leave_arrived(s);
		}
		batch_foresee(&b, srv);
		batch_run(&b, full);
	}
}

bool session_arrive(struct session *s, struct session *behind)
{
	if (s->arrived)
		return false;
	s->arrived = true;
	if (behind != NULL)
		behind->next_arrived = s;
	return true;
}

void session_resume(struct session *s)
{
	if (!s->reading && open_for_input(s) && !s->arrived)
		sessions_process(s);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	ssize_t n;

	(void)what;
	if (!buf_room(&s->in, READ_CHUNK)) {
		s->shut = true;
		server_reap(s->srv);
		return;
	}
	n = read(fd, s->in.base + s->in.len, READ_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->shut = true;
		server_reap(s->srv);
		return;
	}
	s->in.len += (size_t)n;
	server_heard(s->srv, s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	s->writing = false; /* not persistent */
	session_send(s);
	if (s->shut) {
		server_reap(s->srv);
		return;
	}
	session_resume(s);
	subscriptions_pump_session(s);
}

struct session *session_open(struct server *srv, int fd, uint64_t id, enum role role, int64_t uid)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct session){
		.srv = srv, .id = id, .fd = fd, .role = role, .uid = uid, .progress_ms = monotonic_ms()
	};
	buf_init(&s->in, server_frame_max(srv) + 2 * READ_CHUNK);
	buf_init(&s->out, OUTPUT_MAX);
	s->readable = event_new(server_base(srv), fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(server_base(srv), fd, EV_WRITE, on_writable, s);
	if (s->readable == NULL || s->writable == NULL) {
		s->fd = -1; /* the caller's to close */
		session_close(s);
		return NULL;
	}
	want_read(s, true);
	return s;
}

void session_close(struct session *s)
{
	if (s->readable != NULL)
		event_free(s->readable);
	if (s->writable != NULL)
		event_free(s->writable);
	if (s->fd >= 0)
		close(s->fd);
	buf_free(&s->in);
	buf_free(&s->out);
	free(s->marks);
	free(s);
}

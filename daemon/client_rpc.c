#include "daemon/client_rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The daemon's answers stay below 16 MiB, its notifications below one commit of 4096 events. */
#define FRAME_MAX (32u << 20)
#define READ_SIZE (64u << 10)
#define NOTES_MAX 65536u /* kept beside a call that is waiting for its answer */

enum frame_kind { FRAME_REQUEST = 0, FRAME_ANSWER = 1, FRAME_NOTE = 2 };

struct note {
	struct note *next;
	struct client_message message;
};

struct client_rpc {
	int fd;
	int stop_fd;
	int timeout_ms;
	uint32_t last_msgid;
	char *in; /* bytes received; [0, in_used) belongs to the frame that is arriving and later ones */
	size_t in_used, in_size;
	struct client_scan scan;
	struct note *first_note, **last_note;
	unsigned n_notes;
};

/* ---- finding frames ---- */

enum { ITEMS_NONE, ITEMS_SINGLE, ITEMS_PAIRS, ITEMS_INVALID };

struct token {
	uint8_t length_bytes; /* size of the big-endian length that follows the tag */
	uint8_t fixed;        /* bytes besides */
	uint8_t items;        /* what the length counts: ITEMS_NONE are bytes */
};

/* Tags 0xc0 to 0xdf of the MessagePack specification. */
static const struct token tokens[32] = {
	[0x00] = { 0, 0, ITEMS_NONE },    /* nil */
	[0x01] = { 0, 0, ITEMS_INVALID }, /* never used */
	[0x02] = { 0, 0, ITEMS_NONE },    /* false */
	[0x03] = { 0, 0, ITEMS_NONE },    /* true */
	[0x04] = { 1, 0, ITEMS_NONE },    /* bin */
	[0x05] = { 2, 0, ITEMS_NONE },    [0x06] = { 4, 0, ITEMS_NONE },  [0x07] = { 1, 1, ITEMS_NONE }, /* ext */
	[0x08] = { 2, 1, ITEMS_NONE },    [0x09] = { 4, 1, ITEMS_NONE },  [0x0a] = { 0, 4, ITEMS_NONE }, /* float */
	[0x0b] = { 0, 8, ITEMS_NONE },    [0x0c] = { 0, 1, ITEMS_NONE },                                 /* uint */
	[0x0d] = { 0, 2, ITEMS_NONE },    [0x0e] = { 0, 4, ITEMS_NONE },  [0x0f] = { 0, 8, ITEMS_NONE },
	[0x10] = { 0, 1, ITEMS_NONE }, /* int */
	[0x11] = { 0, 2, ITEMS_NONE },    [0x12] = { 0, 4, ITEMS_NONE },  [0x13] = { 0, 8, ITEMS_NONE },
	[0x14] = { 0, 2, ITEMS_NONE }, /* fixext */
	[0x15] = { 0, 3, ITEMS_NONE },    [0x16] = { 0, 5, ITEMS_NONE },  [0x17] = { 0, 9, ITEMS_NONE },
	[0x18] = { 0, 17, ITEMS_NONE },   [0x19] = { 1, 0, ITEMS_NONE },                                   /* str */
	[0x1a] = { 2, 0, ITEMS_NONE },    [0x1b] = { 4, 0, ITEMS_NONE },  [0x1c] = { 2, 0, ITEMS_SINGLE }, /* array */
	[0x1d] = { 4, 0, ITEMS_SINGLE },  [0x1e] = { 2, 0, ITEMS_PAIRS },                                  /* map */
	[0x1f] = { 4, 0, ITEMS_PAIRS },
};

/* Tags that hold their length or value themselves. False for the others. */
static bool scan_fix(uint8_t tag, size_t *ret_size, uint64_t *ret_items)
{
	*ret_size = 1;
	*ret_items = 0;
	if (tag <= 0x7f || tag >= 0xe0)
		return true;
	if (tag <= 0x8f)
		*ret_items = (uint64_t)(tag & 0x0f) * 2;
	else if (tag <= 0x9f)
		*ret_items = tag & 0x0f;
	else if (tag <= 0xbf)
		*ret_size = 1 + (size_t)(tag & 0x1f);
	return tag <= 0xbf;
}

static enum client_scan_state scan_token(const uint8_t *p, size_t len, size_t *ret_size, uint64_t *ret_items)
{
	const struct token *token;
	uint64_t length = 0;

	if (scan_fix(p[0], ret_size, ret_items))
		return CLIENT_SCAN_DONE;
	token = &tokens[p[0] - 0xc0];
	if (token->items == ITEMS_INVALID)
		return CLIENT_SCAN_BAD;
	if (len < 1u + token->length_bytes)
		return CLIENT_SCAN_MORE;
	for (unsigned i = 0; i < token->length_bytes; i++)
		length = length << 8 | p[1 + i];
	*ret_size = 1u + token->length_bytes + token->fixed;
	if (token->items == ITEMS_NONE)
		*ret_size += (size_t)length;
	else
		*ret_items = token->items == ITEMS_PAIRS ? length * 2 : length;
	return CLIENT_SCAN_DONE;
}

enum client_scan_state client_scan(struct client_scan *scan, const char *bytes, size_t len)
{
	if (!scan->begun) {
		scan->begun = true;
		scan->open = 1;
	}
	while (scan->open > 0) {
		enum client_scan_state state;
		uint64_t items = 0;
		size_t size = 0;

		if (scan->at >= len)
			return CLIENT_SCAN_MORE;
		state = scan_token((const uint8_t *)bytes + scan->at, len - scan->at, &size, &items);
		if (state != CLIENT_SCAN_DONE)
			return state;
		/* every value still open takes a byte at least */
		if (scan->at + size + scan->open - 1 + items > FRAME_MAX)
			return CLIENT_SCAN_BAD;
		if (size > len - scan->at)
			return CLIENT_SCAN_MORE;
		scan->at += size;
		scan->open += items - 1;
	}
	return CLIENT_SCAN_DONE;
}

/* ---- waiting and moving bytes ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* deadline_ms 0: none. */
static int rpc_wait(struct client_rpc *rpc, short events, int64_t deadline_ms, struct client_error *err)
{
	struct pollfd fds[2] = { { rpc->fd, events, 0 }, { rpc->stop_fd, POLLIN, 0 } };

	for (;;) {
		int64_t left_ms = deadline_ms == 0 ? -1 : deadline_ms - now_ms();
		int ready;

		if (deadline_ms != 0 && left_ms <= 0)
			return client_error_set(err, CLIENT_TIMEOUT, "no answer within %g s", rpc->timeout_ms / 1000.0);
		ready = poll(fds, 2, (int)left_ms);
		if (ready < 0 && errno != EINTR)
			return client_error_set(err, CLIENT_LOST, "poll: %s", strerror(errno));
		if (ready > 0 && fds[1].revents != 0)
			return client_error_set(err, CLIENT_STOPPED, "stopped");
		if (ready > 0 && fds[0].revents != 0)
			return 0;
	}
}

/*
 * A daemon that refuses a request for its size answers and closes without reading on: a failed write
 * is therefore no failure of the call yet, the answer or the end of the connection tells.
 */
static int rpc_send(struct client_rpc *rpc, const char *bytes, size_t len, int64_t deadline_ms,
		    struct client_error *err)
{
	while (len > 0) {
		ssize_t sent = send(rpc->fd, bytes, len, MSG_NOSIGNAL);

		if (sent >= 0) {
			bytes += sent;
			len -= (size_t)sent;
		} else if (errno == EAGAIN) {
			int rc = rpc_wait(rpc, POLLOUT, deadline_ms, err);

			if (rc != 0)
				return rc;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0;
		} else if (errno != EINTR) {
			return client_error_set(err, CLIENT_LOST, "send: %s", strerror(errno));
		}
	}
	return 0;
}

static int rpc_reserve(struct client_rpc *rpc, struct client_error *err)
{
	size_t size = rpc->in_size == 0 ? READ_SIZE : rpc->in_size * 2;
	char *in;

	if (rpc->in_size - rpc->in_used >= READ_SIZE / 2)
		return 0;
	in = realloc(rpc->in, size);
	if (in == NULL)
		return client_error_set(err, CLIENT_NOMEM, "out of memory");
	rpc->in = in;
	rpc->in_size = size;
	return 0;
}

static int rpc_receive(struct client_rpc *rpc, int64_t deadline_ms, struct client_error *err)
{
	int rc = rpc_reserve(rpc, err);

	while (rc == 0) {
		ssize_t got = recv(rpc->fd, rpc->in + rpc->in_used, rpc->in_size - rpc->in_used, 0);

		if (got > 0) {
			rpc->in_used += (size_t)got;
			return 0;
		}
		if (got == 0)
			return client_error_set(err, CLIENT_LOST, "the daemon closed the connection");
		if (errno == EAGAIN)
			rc = rpc_wait(rpc, POLLIN, deadline_ms, err);
		else if (errno != EINTR)
			rc = client_error_set(err, CLIENT_LOST, "connection lost: %s", strerror(errno));
	}
	return rc;
}

/* ---- messages ---- */

void client_message_clear(struct client_message *message)
{
	msgpack_unpacked_destroy(&message->unpacked);
	free(message->bytes);
	memset(message, 0, sizeof(*message));
}

static int message_garbage(struct client_message *message, struct client_error *err)
{
	client_message_clear(message);
	return client_error_set(err, CLIENT_GARBAGE, "what answers is not a Diana daemon (not MessagePack-RPC)");
}

static const msgpack_object *present(const msgpack_object *object)
{
	return object->type == MSGPACK_OBJECT_NIL ? NULL : object;
}

/* Unpacked objects point into the bytes, which is why the message owns them. Clears message on failure. */
static int message_unpack(struct client_message *message, size_t len, struct client_error *err)
{
	msgpack_unpacked unpacked;
	msgpack_unpack_return found;
	size_t offset = 0;

	msgpack_unpacked_init(&unpacked);
	found = msgpack_unpack_next(&unpacked, message->bytes, len, &offset);
	message->unpacked = unpacked;
	return found == MSGPACK_UNPACK_SUCCESS && offset == len ? 0 : message_garbage(message, err);
}

/* In an array of one, for the object that unpacking gives stands in the message itself, which may be moved. */
bool client_message_take(char *packed, size_t len, struct client_message *ret)
{
	struct client_message m = { 0 };
	msgpack_sbuffer boxed;
	msgpack_packer packer;
	struct client_error err;

	msgpack_sbuffer_init(&boxed);
	msgpack_packer_init(&packer, &boxed, msgpack_sbuffer_write);
	if (msgpack_pack_array(&packer, 1) != 0 || msgpack_sbuffer_write(&boxed, packed, len) != 0) {
		msgpack_sbuffer_destroy(&boxed);
		free(packed);
		return false;
	}
	free(packed);
	len = boxed.size;
	m.bytes = msgpack_sbuffer_release(&boxed);
	if (message_unpack(&m, len, &err) != 0)
		return false;
	m.result = &m.unpacked.data.via.array.ptr[0];
	*ret = m;
	return true;
}

bool client_message_copy(const msgpack_object *object, struct client_message *ret)
{
	msgpack_sbuffer packed;
	msgpack_packer packer;
	size_t len;

	msgpack_sbuffer_init(&packed);
	msgpack_packer_init(&packer, &packed, msgpack_sbuffer_write);
	if (msgpack_pack_object(&packer, *object) != 0) {
		msgpack_sbuffer_destroy(&packed);
		return false;
	}
	len = packed.size;
	return client_message_take(msgpack_sbuffer_release(&packed), len, ret);
}

static enum frame_kind message_kind(const struct client_message *message)
{
	const msgpack_object *frame = &message->unpacked.data;
	const msgpack_object *items;

	if (frame->type != MSGPACK_OBJECT_ARRAY || frame->via.array.size < 3)
		return FRAME_REQUEST;
	items = frame->via.array.ptr;
	if (items[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return FRAME_REQUEST;
	if (items[0].via.u64 == FRAME_ANSWER && frame->via.array.size == 4)
		return FRAME_ANSWER;
	if (items[0].via.u64 == FRAME_NOTE && frame->via.array.size == 3 && items[1].type == MSGPACK_OBJECT_STR)
		return FRAME_NOTE;
	return FRAME_REQUEST;
}

static void message_read_note(struct client_message *message)
{
	const msgpack_object *items = message->unpacked.data.via.array.ptr;
	const msgpack_object *params = &items[2];

	message->method = &items[1];
	if (params->type == MSGPACK_OBJECT_ARRAY && params->via.array.size > 0)
		message->params = &params->via.array.ptr[0];
}

static bool message_read_answer(struct client_message *message, uint32_t msgid)
{
	const msgpack_object *items = message->unpacked.data.via.array.ptr;

	if (items[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER || items[1].via.u64 != msgid)
		return false;
	message->error = present(&items[2]);
	message->result = &items[3];
	return true;
}

/* ---- frames ---- */

static int rpc_take_frame(struct client_rpc *rpc, struct client_message *ret, struct client_error *err)
{
	size_t len = rpc->scan.at;

	memset(ret, 0, sizeof(*ret));
	ret->bytes = malloc(len);
	if (ret->bytes == NULL)
		return client_error_set(err, CLIENT_NOMEM, "out of memory");
	memcpy(ret->bytes, rpc->in, len);
	rpc->in_used -= len;
	memmove(rpc->in, rpc->in + len, rpc->in_used);
	memset(&rpc->scan, 0, sizeof(rpc->scan));
	return message_unpack(ret, len, err);
}

static int rpc_next_frame(struct client_rpc *rpc, int64_t deadline_ms, struct client_message *ret,
			  struct client_error *err)
{
	struct client_message none = { 0 };

	for (;;) {
		enum client_scan_state state = client_scan(&rpc->scan, rpc->in, rpc->in_used);
		int rc;

		if (state == CLIENT_SCAN_DONE)
			return rpc_take_frame(rpc, ret, err);
		if (state == CLIENT_SCAN_BAD)
			return message_garbage(&none, err);
		rc = rpc_receive(rpc, deadline_ms, err);
		if (rc != 0)
			return rc;
	}
}

static int rpc_keep_note(struct client_rpc *rpc, struct client_message *message, struct client_error *err)
{
	struct note *note = rpc->n_notes < NOTES_MAX ? malloc(sizeof(*note)) : NULL;

	if (note == NULL) {
		client_message_clear(message);
		return client_error_set(err, CLIENT_NOMEM, "too many notifications to keep");
	}
	message_read_note(message);
	note->message = *message;
	note->next = NULL;
	*rpc->last_note = note;
	rpc->last_note = &note->next;
	rpc->n_notes++;
	return 0;
}

static bool rpc_kept_note(struct client_rpc *rpc, struct client_message *ret)
{
	struct note *note = rpc->first_note;

	if (note == NULL)
		return false;
	rpc->first_note = note->next;
	if (rpc->first_note == NULL)
		rpc->last_note = &rpc->first_note;
	rpc->n_notes--;
	*ret = note->message;
	free(note);
	return true;
}

static int rpc_await_answer(struct client_rpc *rpc, int64_t deadline_ms, struct client_message *ret_answer,
			    struct client_error *err)
{
	struct client_message message;

	for (;;) {
		int rc = rpc_next_frame(rpc, deadline_ms, &message, err);

		if (rc != 0)
			return rc;
		switch (message_kind(&message)) {
		case FRAME_NOTE:
			rc = rpc_keep_note(rpc, &message, err);
			if (rc != 0)
				return rc;
			break;
		case FRAME_ANSWER:
			if (!message_read_answer(&message, rpc->last_msgid))
				return message_garbage(&message, err);
			*ret_answer = message;
			return 0;
		default:
			return message_garbage(&message, err);
		}
	}
}

static int pack_request(msgpack_sbuffer *out, uint32_t msgid, const char *method, const struct client_params *params)
{
	msgpack_packer packer;
	int failed = 0;

	msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
	failed |= msgpack_pack_array(&packer, 4);
	failed |= msgpack_pack_int(&packer, FRAME_REQUEST);
	failed |= msgpack_pack_uint32(&packer, msgid);
	failed |= msgpack_pack_str(&packer, strlen(method));
	failed |= msgpack_pack_str_body(&packer, method, strlen(method));
	failed |= msgpack_pack_array(&packer, 1);
	failed |= msgpack_pack_map(&packer, params != NULL ? params->n : 0);
	if (params != NULL && params->n > 0)
		failed |= params->failed ? -1 : msgpack_sbuffer_write(out, params->body.data, params->body.size);
	return failed;
}

int client_rpc_call(struct client_rpc *rpc, const char *method, const struct client_params *params,
		    struct client_message *ret_answer, struct client_error *err)
{
	int64_t deadline_ms = rpc->timeout_ms > 0 ? now_ms() + rpc->timeout_ms : 0;
	msgpack_sbuffer request;
	int rc;

	msgpack_sbuffer_init(&request);
	if (pack_request(&request, ++rpc->last_msgid, method, params) != 0)
		rc = client_error_set(err, CLIENT_NOMEM, "out of memory");
	else
		rc = rpc_send(rpc, request.data, request.size, deadline_ms, err);
	msgpack_sbuffer_destroy(&request);
	return rc != 0 ? rc : rpc_await_answer(rpc, deadline_ms, ret_answer, err);
}

int client_rpc_next(struct client_rpc *rpc, struct client_message *ret_message, struct client_error *err)
{
	struct client_message message;
	int rc;

	if (rpc_kept_note(rpc, ret_message))
		return 0;
	rc = rpc_next_frame(rpc, 0, &message, err);
	if (rc != 0)
		return rc;
	if (message_kind(&message) != FRAME_NOTE)
		return message_garbage(&message, err);
	message_read_note(&message);
	*ret_message = message;
	return 0;
}

/* ---- opening and closing ---- */

static const char *connect_advice(int code)
{
	switch (code) {
	case ENOENT:
		return "there is no such socket. Start dianad, or say where it listens with --socket PATH "
		       "or DIANA_SOCKET";
	case ECONNREFUSED:
		return "nobody listens there. The daemon has stopped, or this is not its socket: start dianad, or "
		       "say where it listens with --socket PATH or DIANA_SOCKET";
	case EACCES:
	case EPERM:
		return "no permission. Use an account in the group of the socket, or ask for the role in "
		       "the daemon's configuration";
	case EAGAIN:
		return "the daemon takes no connections at the moment. Look at its log, then try again";
	default:
		return NULL;
	}
}

static int connect_failed(const char *path, int code, struct client_error *err)
{
	const char *advice = connect_advice(code);

	return client_error_set(err, CLIENT_UNREACHABLE, "no daemon at %s: %s", path,
				advice != NULL ? advice : strerror(code));
}

/* Connecting can block while the daemon's backlog is full; SO_SNDTIMEO bounds that. */
static int socket_connect(int fd, const struct client_rpc_options *options)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { options->timeout_ms / 1000, options->timeout_ms % 1000 * 1000 };

	if (options->timeout_ms > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
		return -1;
	memcpy(address.sun_path, options->path, strlen(options->path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

int client_rpc_open(const struct client_rpc_options *options, struct client_rpc **ret_rpc, struct client_error *err)
{
	struct client_rpc *rpc;
	int fd;

	if (strlen(options->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return client_error_set(err, CLIENT_UNREACHABLE, "socket path too long: %s", options->path);
	rpc = calloc(1, sizeof(*rpc));
	fd = rpc == NULL ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || socket_connect(fd, options) != 0) {
		int code = rpc == NULL ? ENOMEM : errno;

		if (fd >= 0)
			close(fd);
		free(rpc);
		return connect_failed(options->path, code, err);
	}
	rpc->fd = fd;
	rpc->stop_fd = options->stop_fd;
	rpc->timeout_ms = options->timeout_ms;
	rpc->last_note = &rpc->first_note;
	*ret_rpc = rpc;
	return 0;
}

void client_rpc_close(struct client_rpc *rpc)
{
	struct client_message message;

	if (rpc == NULL)
		return;
	while (rpc_kept_note(rpc, &message))
		client_message_clear(&message);
	close(rpc->fd);
	free(rpc->in);
	free(rpc);
}

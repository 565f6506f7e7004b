#include "proto_diana.h"

#include <errno.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit.h"
#include "mix.h"

/*
 * Requests as bytes, [0, msgid, method, [params]], with every number that is patched in its widest
 * form. The msgid is the slot.
 */
#define U16                                                                                                            \
	"\xcd"                                                                                                         \
	"\0\0"
#define U32                                                                                                            \
	"\xce"                                                                                                         \
	"\0\0\0\0"
#define REQUEST                                                                                                        \
	"\x94"                                                                                                         \
	"\x00" U32
#define USER_ID                                                                                                        \
	"\xa7"                                                                                                         \
	"user_id" U32
#define AMOUNT                                                                                                         \
	"\xa6"                                                                                                         \
	"amount"

#define AWARD_TO_USER                                                                                                  \
	REQUEST "\xab"                                                                                                 \
		"point.award"                                                                                          \
		"\x91"                                                                                                 \
		"\x84" USER_ID
#define AWARD_TO_AMOUNT AWARD_TO_USER AMOUNT "\x00" /* 1..100 is one byte */
#define AWARD                                                                                                          \
	AWARD_TO_AMOUNT "\xa6"                                                                                         \
			"source"                                                                                       \
			"\xa6"                                                                                         \
			"manual"                                                                                       \
			"\xab"                                                                                         \
			"description"                                                                                  \
			"\xa0"

#define MANY                                                                                                           \
	REQUEST "\xb0"                                                                                                 \
		"point.award_many"                                                                                     \
		"\x91"                                                                                                 \
		"\x81"                                                                                                 \
		"\xa5"                                                                                                 \
		"items"                                                                                                \
		"\xdc"                                                                                                 \
		"\0\0"
#define ITEM_TO_USER "\x84" USER_ID
#define ITEM_TO_AMOUNT ITEM_TO_USER AMOUNT U16
#define ITEM                                                                                                           \
	ITEM_TO_AMOUNT "\xa6"                                                                                          \
		       "source"                                                                                        \
		       "\xa6"                                                                                          \
		       "manual"                                                                                        \
		       "\xa8"                                                                                          \
		       "multiply"                                                                                      \
		       "\xc2"

#define GET                                                                                                            \
	REQUEST "\xa9"                                                                                                 \
		"point.get"                                                                                            \
		"\x91"                                                                                                 \
		"\x81"                                                                                                 \
		"\xa2"                                                                                                 \
		"id" U32

/* Appends a literal; gives where it stands. */
#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)
/* Where the number that ends this literal starts. */
#define NUMBER_AT(literal, width) (sizeof(literal) - 1 - (width))

static uint8_t *put(struct bytes *out, const char *literal, size_t len)
{
	uint8_t *at = bytes_reserve(out, len);

	memcpy(at, literal, len);
	out->len += len;
	return at;
}

static void put_u32(uint8_t *at, uint32_t n)
{
	n = __builtin_bswap32(n);
	memcpy(at, &n, sizeof(n));
}

static void put_u16(uint8_t *at, uint16_t n)
{
	n = __builtin_bswap16(n);
	memcpy(at, &n, sizeof(n));
}

static uint8_t *put_request(struct bytes *out, const char *literal, size_t len, uint32_t slot)
{
	uint8_t *at = put(out, literal, len);

	put_u32(at + NUMBER_AT(REQUEST, 4), slot);
	return at;
}

static void put_award(struct workload *w, uint32_t slot, struct bytes *out)
{
	uint8_t *at = put_request(out, AWARD, sizeof(AWARD) - 1, slot);

	put_u32(at + NUMBER_AT(AWARD_TO_USER, 4), workload_pick_awarded(w));
	at[NUMBER_AT(AWARD_TO_AMOUNT, 1)] = (uint8_t)workload_pick_amount(w);
}

static void put_load(struct workload *w, uint32_t slot, struct bytes *out)
{
	uint32_t n = w->users - w->loaded < DIANA_LOAD_BATCH ? w->users - w->loaded : DIANA_LOAD_BATCH;
	uint8_t *at = put_request(out, MANY, sizeof(MANY) - 1, slot);

	put_u16(at + NUMBER_AT(MANY, 2), (uint16_t)n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t points = workload_first_amount(w->loaded);

		at = PUT(out, ITEM);
		put_u32(at + NUMBER_AT(ITEM_TO_USER, 4), USER_BASE + w->loaded++);
		put_u16(at + NUMBER_AT(ITEM_TO_AMOUNT, 2), (uint16_t)points);
		w->credited += points;
	}
}

static void diana_encode(struct workload *w, enum op op, uint32_t slot, struct bytes *out)
{
	switch (op) {
	case OP_LOAD:
		put_load(w, slot, out);
		break;
	case OP_AWARD:
		put_award(w, slot, out);
		break;
	case OP_BALANCE:
	case OP_RANK: /* one query answers both */
		put_u32(put_request(out, GET, sizeof(GET) - 1, slot) + NUMBER_AT(GET, 4), workload_pick_user(w));
		break;
	case OP_PREPARE:
		mix_prepare_encode(w, slot, out);
		break;
	case OP_MIX:
		mix_encode(w, slot, out);
		break;
	case OP_HISTORY:
	case OP_TRAIL:
	case OP_PROVE:
		audit_encode(w, op, slot, out);
		break;
	}
}

static uint64_t big_endian(const uint8_t *at, size_t width)
{
	uint64_t n = 0;

	for (size_t i = 0; i < width; i++)
		n = n << 8 | at[i];
	return n;
}

/*
 * What follows a first byte of 0xc0..0xdf: so many bytes of a number or a length; whether that
 * length counts bytes, elements or pairs; and bytes that are skipped in any case.
 */
enum counts { NOTHING, BYTES, ELEMENTS, PAIRS };
static const struct tail {
	uint8_t width, counts, extra;
} tails[32] = {
	[0x04] = { 1, BYTES, 0 },    [0x05] = { 2, BYTES, 0 },    [0x06] = { 4, BYTES, 0 }, /* bin */
	[0x07] = { 1, BYTES, 1 },    [0x08] = { 2, BYTES, 1 },    [0x09] = { 4, BYTES, 1 }, /* ext */
	[0x0a] = { 0, NOTHING, 4 },  [0x0b] = { 0, NOTHING, 8 },                            /* float */
	[0x0c] = { 0, NOTHING, 1 },  [0x0d] = { 0, NOTHING, 2 },                            /* uint */
	[0x0e] = { 0, NOTHING, 4 },  [0x0f] = { 0, NOTHING, 8 },  [0x10] = { 0, NOTHING, 1 },
	[0x11] = { 0, NOTHING, 2 }, /* int */
	[0x12] = { 0, NOTHING, 4 },  [0x13] = { 0, NOTHING, 8 },  [0x14] = { 0, NOTHING, 2 },
	[0x15] = { 0, NOTHING, 3 },  [0x16] = { 0, NOTHING, 5 }, /* fixext */
	[0x17] = { 0, NOTHING, 9 },  [0x18] = { 0, NOTHING, 17 }, [0x19] = { 1, BYTES, 0 },
	[0x1a] = { 2, BYTES, 0 },    [0x1b] = { 4, BYTES, 0 },    /* str */
	[0x1c] = { 2, ELEMENTS, 0 }, [0x1d] = { 4, ELEMENTS, 0 }, /* array */
	[0x1e] = { 2, PAIRS, 0 },    [0x1f] = { 4, PAIRS, 0 },    /* map */
};

/* The byte behind one value, or NULL when it is not whole. */
static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
	for (uint64_t todo = 1; todo > 0; todo--) {
		uint64_t skip = 0;
		uint8_t b;

		if (at >= end)
			return NULL;
		b = *at++;
		if (b < 0x80 || b >= 0xe0) { /* small int */
			continue;
		} else if (b >= 0xa0 && b < 0xc0) { /* short str */
			skip = b & 0x1f;
		} else if (b >= 0xc0) {
			const struct tail *t = &tails[b & 0x1f];
			uint64_t n;

			if ((size_t)(end - at) < t->width)
				return NULL;
			n = big_endian(at, t->width);
			at += t->width;
			skip = t->extra + (t->counts == BYTES ? n : 0);
			todo += t->counts == ELEMENTS ? n : t->counts == PAIRS ? 2 * n : 0;
		} else { /* short map or array */
			todo += (uint64_t)(b & 0x0f) << (b < 0x90);
		}
		if ((size_t)(end - at) < skip)
			return NULL;
		at += skip;
	}
	return at;
}

/* A msgid in whatever width the daemon chose. */
static const uint8_t *read_msgid(const uint8_t *at, const uint8_t *end, uint32_t *ret_msgid)
{
	size_t width;

	if (at >= end)
		return NULL;
	width = *at == 0xcc ? 1 : *at == 0xcd ? 2 : *at == 0xce ? 4 : 0;
	if ((size_t)(end - at) <= width)
		return NULL;
	*ret_msgid = width == 0 ? *at : (uint32_t)big_endian(at + 1, width);
	return at + 1 + width;
}

/* [1, msgid, error, result] */
static ssize_t diana_scan(const uint8_t *base, size_t len, struct reply *ret_reply)
{
	const uint8_t *at = base, *end = base + len, *error;

	if (len < 4)
		return 0;
	if (at[0] != 0x94 || at[1] != 0x01)
		return -1;
	error = read_msgid(at + 2, end, &ret_reply->slot);
	if (error == NULL || (at = skip_value(error, end)) == NULL)
		return 0;
	if (*error != 0xc0) {
		ret_reply->error = error;
		ret_reply->error_len = (size_t)(at - error);
	}
	at = skip_value(at, end);
	return at != NULL ? (ssize_t)(at - base) : 0;
}

static const msgpack_object *find(const msgpack_object *map, const char *key)
{
	if (map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];

		if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == strlen(key) &&
		    memcmp(kv->key.via.str.ptr, key, strlen(key)) == 0)
			return &kv->val;
	}
	return NULL;
}

static void diana_explain(const struct reply *reply, char *text, size_t size)
{
	const msgpack_object *code, *message;
	msgpack_unpacked u;

	msgpack_unpacked_init(&u);
	snprintf(text, size, "an error without a code");
	if (msgpack_unpack_next(&u, (const char *)reply->error, reply->error_len, NULL) == MSGPACK_UNPACK_SUCCESS &&
	    (code = find(&u.data, "code")) != NULL && code->type == MSGPACK_OBJECT_STR &&
	    (message = find(&u.data, "message")) != NULL && message->type == MSGPACK_OBJECT_STR)
		snprintf(text, size, "%.*s: %.*s", (int)code->via.str.size, code->via.str.ptr,
			 (int)message->via.str.size, message->via.str.ptr);
	msgpack_unpacked_destroy(&u);
}

const struct driver diana_driver = {
	.name = "dianad",
	.in_order = false,
	.encode = diana_encode,
	.scan = diana_scan,
	.explain = diana_explain,
};

/* One call of the other kind: a map with at most one param, the whole result decoded. */
struct param {
	const char *key; /* NULL: none */
	bool is_true;    /* else the number */
	uint32_t number;
};

static void put_call(struct bytes *out, const char *method, const struct param *param)
{
	msgpack_sbuffer buf;
	msgpack_packer pk;

	msgpack_sbuffer_init(&buf);
	msgpack_packer_init(&pk, &buf, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, 4);
	msgpack_pack_int(&pk, 0);
	msgpack_pack_int(&pk, 0);
	msgpack_pack_str_with_body(&pk, method, strlen(method));
	msgpack_pack_array(&pk, 1);
	msgpack_pack_map(&pk, param->key != NULL);
	if (param->key != NULL) {
		msgpack_pack_str_with_body(&pk, param->key, strlen(param->key));
		if (param->is_true)
			msgpack_pack_true(&pk);
		else
			msgpack_pack_uint32(&pk, param->number);
	}
	bytes_append(out, buf.data, buf.size);
	msgpack_sbuffer_destroy(&buf);
}

/* The decoded reply points into its bytes. */
struct answer {
	struct bytes bytes;
	msgpack_unpacked reply; /* [1, msgid, nil, result] */
};

static void answer_free(struct answer *a)
{
	msgpack_unpacked_destroy(&a->reply);
	bytes_free(&a->bytes);
}

static ssize_t await_reply(int fd, struct bytes *in, struct reply *ret_reply)
{
	for (;;) {
		ssize_t n = diana_scan(in->base, in->len, ret_reply);

		if (n != 0)
			return n;
		n = read(fd, bytes_reserve(in, 4096), 4096);
		if (n <= 0)
			return -1;
		in->len += (size_t)n;
	}
}

/* Sends one request. -2: no connection, or the answer is `unavailable`. The caller frees ret_answer after success. */
static int exchange(const char *socket, const char *method, const struct bytes *request, unsigned timeout_s,
		    struct answer *ret_answer)
{
	struct timeval timeout = { .tv_sec = (time_t)timeout_s };
	struct answer a = { 0 };
	struct reply reply = { 0 };
	int rc = -1, fd = unix_connect(socket);
	char text[256];
	ssize_t len;

	if (fd < 0)
		return -2;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	msgpack_unpacked_init(&a.reply);
	if (write(fd, request->base, request->len) != (ssize_t)request->len ||
	    (len = await_reply(fd, &a.bytes, &reply)) < 0) {
		if (!interrupted)
			complain("dianad: %s: no answer", method);
	} else if (reply.error != NULL) {
		diana_explain(&reply, text, sizeof(text));
		rc = strncmp(text, "unavailable:", 12) == 0 ? -2 : -1;
		if (rc == -1)
			complain("dianad: %s: %s", method, text);
	} else if (msgpack_unpack_next(&a.reply, (const char *)a.bytes.base, (size_t)len, NULL) ==
		   MSGPACK_UNPACK_SUCCESS) {
		rc = 0;
	}
	close(fd);
	if (rc == 0)
		*ret_answer = a;
	else
		answer_free(&a);
	return rc;
}

static int call(const char *socket, const char *method, struct param param, unsigned timeout_s,
		struct answer *ret_answer)
{
	struct bytes out = { 0 };
	int rc;

	put_call(&out, method, &param);
	rc = exchange(socket, method, &out, timeout_s, ret_answer);
	bytes_free(&out);
	return rc;
}

static const msgpack_object *result_of(const struct answer *a)
{
	return &a->reply.data.via.array.ptr[3];
}

/* A number of a result that is a map. */
static int call_number(const char *socket, const char *method, struct param param, const char *key, double *ret_number)
{
	const msgpack_object *field;
	struct answer a;
	int rc = call(socket, method, param, 30, &a);

	if (rc != 0)
		return rc;
	field = find(result_of(&a), key);
	if (field != NULL && field->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
		*ret_number = (double)field->via.u64;
	} else if (field != NULL && field->type == MSGPACK_OBJECT_FLOAT64) {
		*ret_number = field->via.f64;
	} else {
		complain("dianad: %s: no number %s in the result", method, key);
		rc = -1;
	}
	answer_free(&a);
	return rc;
}

/* Points on the wire are the float64 nearest to a multiple of 0.001, never negative here. */
static int64_t thousandths(double points)
{
	return (int64_t)(points * 1000 + 0.5);
}

int diana_ready(const char *socket)
{
	double seq;

	return call_number(socket, "server.health", (struct param){ 0 }, "head_seq", &seq);
}

int diana_head_seq(const char *socket, uint64_t *ret_seq)
{
	double seq;
	int rc = call_number(socket, "server.health", (struct param){ 0 }, "head_seq", &seq);

	if (rc == 0)
		*ret_seq = (uint64_t)seq;
	return rc;
}

int diana_balance(const char *socket, uint32_t user, int64_t *ret_balance)
{
	double points;
	int rc = call_number(socket, "point.get", (struct param){ .key = "id", .number = user }, "balance", &points);

	if (rc == 0)
		*ret_balance = thousandths(points);
	return rc;
}

int diana_credited(const char *socket, int64_t *ret_sum)
{
	double points;
	int rc = call_number(socket, "point.stats", (struct param){ 0 }, "total_earned", &points);

	if (rc == 0)
		*ret_sum = thousandths(points);
	return rc;
}

int diana_rebuild(const char *socket, unsigned timeout_s)
{
	struct answer a;
	int rc = call(socket, "projection.rebuild", (struct param){ .key = "all", .is_true = true }, timeout_s, &a);

	if (rc == 0)
		answer_free(&a);
	return rc;
}

int diana_verify(const char *socket, unsigned timeout_s, uint64_t *ret_checked)
{
	const msgpack_object *ok, *checked;
	struct answer a;
	int rc = call(socket, "log.verify", (struct param){ 0 }, timeout_s, &a);

	if (rc != 0)
		return rc;
	ok = find(result_of(&a), "ok");
	checked = find(result_of(&a), "checked");
	if (ok == NULL || ok->type != MSGPACK_OBJECT_BOOLEAN || !ok->via.boolean || checked == NULL ||
	    checked->type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
		complain("dianad: log.verify finds the log damaged");
		rc = -1;
	} else {
		*ret_checked = checked->via.u64;
	}
	answer_free(&a);
	return rc;
}

int diana_count_items(const char *socket, struct workload *w, enum op op, uint32_t *ret_n)
{
	const msgpack_object *items;
	struct bytes out = { 0 };
	struct answer a;
	int rc;

	diana_encode(w, op, 0, &out);
	rc = exchange(socket, "a list", &out, 30, &a);
	bytes_free(&out);
	if (rc != 0)
		return rc;
	items = find(result_of(&a), "items");
	if (items != NULL && items->type == MSGPACK_OBJECT_ARRAY) {
		*ret_n = items->via.array.size;
	} else {
		complain("dianad: what should be a list has no items");
		rc = -1;
	}
	answer_free(&a);
	return rc;
}

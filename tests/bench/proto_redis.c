#include "proto_redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * What an award does, as one would write it for Redis: balance, the user's history, the history of
 * all, the leaderboard, the day's counters and the day's active users.
 * ARGV: user, day, thousandths.
 */
static const char award_script[] =
	"local user, day, amount = ARGV[1], ARGV[2], ARGV[3] "
	"local balance = redis.call('HINCRBY', 'u:' .. user, 'b', amount) "
	"redis.call('XADD', 'h:' .. user, '*', 'a', amount, 'b', balance, 's', 'manual', 'd', '') "
	"redis.call('XADD', 'log', '*', 'u', user, 'a', amount, 'b', balance, 's', 'manual', 'd', '') "
	"redis.call('ZADD', 'lb', balance, user) "
	"redis.call('HINCRBY', 'd:' .. day, 'n', 1) "
	"redis.call('HINCRBY', 'd:' .. day, 's', amount) "
	"redis.call('SADD', 'a:' .. day, user) "
	"return balance";

#define USER_DIGITS 10
#define DAY_DIGITS 5

/* An award up to the length of its last argument; the user's digits stand at award_user. */
static char award_head[256];
static size_t award_head_len;
static size_t award_user;
/* One day for the whole run, also past midnight. */
static char award_day[DAY_DIGITS + 1];

static const char balance_request[] = "*3\r\n$4\r\nHGET\r\n$12\r\nu:0000000000\r\n$1\r\nb\r\n";
static const char rank_request[] = "*3\r\n$8\r\nZREVRANK\r\n$2\r\nlb\r\n$10\r\n0000000000\r\n";
#define BALANCE_USER (sizeof("*3\r\n$4\r\nHGET\r\n$12\r\nu:") - 1)
#define RANK_USER (sizeof("*3\r\n$8\r\nZREVRANK\r\n$2\r\nlb\r\n$10\r\n") - 1)

static void put_user(uint8_t *at, uint32_t user)
{
	for (int i = USER_DIGITS - 1; i >= 0; i--, user /= 10)
		at[i] = (uint8_t)('0' + user % 10);
}

static void put_award(struct bytes *out, uint32_t user, uint32_t points)
{
	uint8_t digits[16], *at = digits + sizeof(digits), *to;
	uint32_t thousandths = points * 1000;
	size_t n;

	for (; thousandths != 0; thousandths /= 10)
		*--at = (uint8_t)('0' + thousandths % 10);
	n = (size_t)(digits + sizeof(digits) - at);
	to = bytes_reserve(out, award_head_len + n + 5);
	memcpy(to, award_head, award_head_len);
	put_user(to + award_user, user);
	to += award_head_len;
	*to++ = (uint8_t)('0' + n); /* at most seven digits */
	memcpy(to, "\r\n", 2);
	memcpy(to + 2, at, n);
	memcpy(to + 2 + n, "\r\n", 2);
	out->len += award_head_len + n + 5;
}

static void put_query(struct bytes *out, const char *request, size_t len, size_t at, uint32_t user)
{
	bytes_append(out, request, len);
	put_user(out->base + out->len - len + at, user);
}

static void redis_encode(struct workload *w, enum op op, uint32_t slot, struct bytes *out)
{
	uint32_t user, points;

	(void)slot; /* replies come in order */
	switch (op) {
	case OP_LOAD:
		points = workload_first_amount(w->loaded);
		put_award(out, USER_BASE + w->loaded++, points);
		w->credited += points;
		break;
	case OP_AWARD:
		user = workload_pick_awarded(w);
		put_award(out, user, workload_pick_amount(w));
		break;
	case OP_BALANCE:
		put_query(out, balance_request, sizeof(balance_request) - 1, BALANCE_USER, workload_pick_user(w));
		break;
	case OP_RANK:
		put_query(out, rank_request, sizeof(rank_request) - 1, RANK_USER, workload_pick_user(w));
		break;
	case OP_PREPARE:
	case OP_MIX:
	case OP_HISTORY:
	case OP_TRAIL:
	case OP_PROVE:
		abort(); /* dianad alone */
	}
}

/* Length of a bulk string with its header and end; 0: not whole yet; -1: not one. */
static ssize_t scan_bulk(const uint8_t *base, size_t line, size_t len, struct reply *ret_reply)
{
	size_t n = 0, i;

	if (base[1] == '-') { /* nil: every user asked for exists */
		ret_reply->error = (const uint8_t *)"nil";
		ret_reply->error_len = 3;
		return (ssize_t)line;
	}
	for (i = 1; base[i] >= '0' && base[i] <= '9' && n < BYTES_MAX; i++)
		n = n * 10 + (size_t)(base[i] - '0');
	if (base[i] != '\r')
		return -1;
	return len >= line + n + 2 ? (ssize_t)(line + n + 2) : 0;
}

/* The calls made here are answered by a status, an integer, a bulk string or an error. */
static ssize_t redis_scan(const uint8_t *base, size_t len, struct reply *ret_reply)
{
	const uint8_t *nl = memchr(base, '\n', len);
	size_t line;

	if (nl == NULL)
		return 0;
	line = (size_t)(nl - base) + 1;
	switch (base[0]) {
	case ':':
	case '+':
		return (ssize_t)line;
	case '$':
		return line >= 4 ? scan_bulk(base, line, len, ret_reply) : -1;
	case '-':
		ret_reply->error = base;
		ret_reply->error_len = line;
		return (ssize_t)line;
	default:
		return -1;
	}
}

static void redis_explain(const struct reply *reply, char *text, size_t size)
{
	snprintf(text, size, "%.*s", (int)reply->error_len, (const char *)reply->error);
	text[strcspn(text, "\r\n")] = '\0';
}

const struct driver redis_driver = {
	.name = "redis",
	.in_order = true,
	.encode = redis_encode,
	.scan = redis_scan,
	.explain = redis_explain,
};

static void put_command(struct bytes *out, const char *const *words, size_t n)
{
	char head[32];

	bytes_append(out, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", n));
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		bytes_append(out, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", len));
		bytes_append(out, words[i], len);
		bytes_append(out, "\r\n", 2);
	}
}

/* Reads one reply into in; its length, or -1. */
static ssize_t await_reply(int fd, struct bytes *in, struct reply *ret_reply)
{
	for (;;) {
		ssize_t n = in->len > 0 ? redis_scan(in->base, in->len, ret_reply) : 0;

		if (n != 0)
			return n;
		n = read(fd, bytes_reserve(in, 4096), 4096);
		if (n <= 0)
			return -1;
		in->len += (size_t)n;
	}
}

/* Sends one command and gives the text of its reply. -2: no connection. */
static int command(const char *socket, char *ret_text, size_t size, const char *const *words, size_t n)
{
	struct timeval timeout = { .tv_sec = 30 };
	struct bytes out = { 0 }, in = { 0 };
	struct reply reply = { 0 };
	int rc = -1, fd = unix_connect(socket);
	ssize_t len;
	size_t start;

	if (fd < 0)
		return -2;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	put_command(&out, words, n);
	if (write(fd, out.base, out.len) != (ssize_t)out.len || (len = await_reply(fd, &in, &reply)) < 0) {
		complain("redis: %s: no answer", words[0]);
	} else if (reply.error != NULL) {
		complain("redis: %s: %.*s", words[0], (int)reply.error_len, (const char *)reply.error);
	} else {
		start = in.base[0] == '$' ? strcspn((char *)in.base, "\n") + 1 : 1;
		snprintf(ret_text, size, "%.*s", (int)((size_t)len - start - 2), (const char *)in.base + start);
		rc = 0;
	}
	close(fd);
	bytes_free(&out);
	bytes_free(&in);
	return rc;
}

int redis_prepare(const char *socket)
{
	const char *const words[] = { "SCRIPT", "LOAD", award_script };
	char sha[64];
	int rc = command(socket, sha, sizeof(sha), words, COUNT(words));

	if (rc != 0)
		return rc;
	snprintf(award_day, sizeof(award_day), "%05u", (unsigned)(time(NULL) / 86400) % 100000);
	award_head_len =
		(size_t)snprintf(award_head, sizeof(award_head),
				 "*6\r\n$7\r\nEVALSHA\r\n$%zu\r\n%s\r\n$1\r\n0\r\n$%d\r\n%0*u\r\n$%d\r\n%s\r\n$",
				 strlen(sha), sha, USER_DIGITS, USER_DIGITS, 0u, DAY_DIGITS, award_day);
	award_user = award_head_len - (USER_DIGITS + 2 + strlen("$0\r\n") + DAY_DIGITS + 2 + 1);
	return 0;
}

int redis_set_fsync(const char *socket, const char *policy)
{
	const char *const words[] = { "CONFIG", "SET", "appendfsync", policy };
	char text[64];

	return command(socket, text, sizeof(text), words, COUNT(words));
}

static int number(const char *socket, int64_t *ret_number, const char *key, const char *field)
{
	const char *const words[] = { "HGET", key, field };
	char text[64];

	if (command(socket, text, sizeof(text), words, COUNT(words)) != 0)
		return -1;
	*ret_number = strtoll(text, NULL, 10);
	return 0;
}

int redis_balance(const char *socket, uint32_t user, int64_t *ret_balance)
{
	char key[32];

	snprintf(key, sizeof(key), "u:%u", user);
	return number(socket, ret_balance, key, "b");
}

int redis_credited(const char *socket, int64_t *ret_sum)
{
	char key[32];

	snprintf(key, sizeof(key), "d:%s", award_day);
	return number(socket, ret_sum, key, "s");
}

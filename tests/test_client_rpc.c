/*
 * The client's end of the wire against a server that says whatever a test wants. No thread: what the
 * server is to say is written before the client asks, and waits in the socket.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/client_object.h"
#include "daemon/client_rpc.h"

#define ANSWER_1_IS_5 "\x94\x01\x01\xc0\x05"
#define NOTE_A                                                                                                         \
	"\x93\x02\xa1"                                                                                                 \
	"a\x91\x81\xa1x\x01"
#define NOTE_B                                                                                                         \
	"\x93\x02\xa1"                                                                                                 \
	"b\x90"

struct world {
	char directory[32];
	char path[64];
	int listener, server;
	int stop[2];
	struct client_rpc *rpc;
};

static int given_a_server(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct client_rpc_options options = { .timeout_ms = 200 };
	struct client_error err;

	assert_non_null(w);
	memcpy(w->directory, "/tmp/client_rpc.XXXXXX", sizeof("/tmp/client_rpc.XXXXXX"));
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/s", w->directory);
	memcpy(address.sun_path, w->path, sizeof(w->path));
	w->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(w->listener, 1), 0);
	assert_int_equal(pipe(w->stop), 0);
	options.path = w->path;
	options.stop_fd = w->stop[0];
	assert_int_equal(client_rpc_open(&options, &w->rpc, &err), 0);
	w->server = accept(w->listener, NULL, NULL);
	assert_true(w->server >= 0);
	*state = w;
	return 0;
}

static int clean_up(void **state)
{
	struct world *w = *state;

	client_rpc_close(w->rpc);
	close(w->server);
	close(w->listener);
	close(w->stop[0]);
	close(w->stop[1]);
	unlink(w->path);
	rmdir(w->directory);
	free(w);
	return 0;
}

static void says(struct world *w, const char *bytes, size_t len)
{
	assert_int_equal(write(w->server, bytes, len), len);
}

#define server_says(w, bytes) says(w, bytes, sizeof(bytes) - 1)

static void hangs_up(struct world *w)
{
	assert_int_equal(shutdown(w->server, SHUT_WR), 0);
}

static enum client_code call(struct world *w, struct client_message *answer)
{
	struct client_error err = { .code = CLIENT_OK };
	int rc = client_rpc_call(w->rpc, "m", NULL, answer, &err);

	assert_int_equal(rc, err.code);
	return (enum client_code)rc;
}

static void assert_call_fails(struct world *w, enum client_code code)
{
	struct client_message answer;

	assert_int_equal(call(w, &answer), code);
}

static void assert_next_note(struct world *w, const char *method)
{
	struct client_message note;
	struct client_error err;

	assert_int_equal(client_rpc_next(w->rpc, &note, &err), 0);
	assert_true(client_text_is(client_object_as_text(note.method), method));
	client_message_clear(&note);
}

/* ---- calls ---- */

static void a_request_is_what_the_specification_says(void **state)
{
	struct world *w = *state;
	struct client_params params;
	struct client_message answer;
	struct client_error err;
	char request[64];

	server_says(w, ANSWER_1_IS_5);
	client_params_init(&params);
	client_params_int(&params, "id", 5);
	assert_int_equal(client_rpc_call(w->rpc, "user.get", &params, &answer, &err), 0);
	assert_int_equal(read(w->server, request, sizeof(request)), 18);
	assert_memory_equal(request, "\x94\x00\x01\xa8user.get\x91\x81\xa2id\x05", 18);
	client_params_free(&params);
	client_message_clear(&answer);
}

static void an_answer_gives_its_result(void **state)
{
	struct world *w = *state;
	struct client_message answer;

	server_says(w, ANSWER_1_IS_5);
	assert_int_equal(call(w, &answer), CLIENT_OK);
	assert_null(answer.error);
	assert_int_equal(answer.result->via.u64, 5);
	client_message_clear(&answer);
}

static void a_refusal_is_an_answer(void **state)
{
	struct world *w = *state;
	struct client_message answer;

	server_says(w, "\x94\x01\x01\x81\xa4"
		       "code\xa4nope\xc0");
	assert_int_equal(call(w, &answer), CLIENT_OK);
	assert_true(client_text_is(client_object_text(answer.error, "code"), "nope"));
	client_message_clear(&answer);
}

static void notifications_during_a_call_are_kept_in_order(void **state)
{
	struct world *w = *state;
	struct client_message answer;

	server_says(w, NOTE_A NOTE_B ANSWER_1_IS_5 NOTE_A);
	assert_int_equal(call(w, &answer), CLIENT_OK);
	client_message_clear(&answer);
	assert_next_note(w, "a");
	assert_next_note(w, "b");
	assert_next_note(w, "a");
}

static void notifications_left_unread_are_freed(void **state)
{
	struct world *w = *state;
	struct client_message answer;

	server_says(w, NOTE_A NOTE_B ANSWER_1_IS_5);
	assert_int_equal(call(w, &answer), CLIENT_OK);
	client_message_clear(&answer);
}

/* ---- servers that do not behave ---- */

static void what_is_not_messagepack_rpc_is_refused(void **state)
{
	struct world *w = *state;

	server_says(w, "HTTP/1.1 400 Bad Request\r\n");
	assert_call_fails(w, CLIENT_GARBAGE);
}

static void an_answer_to_another_call_is_refused(void **state)
{
	struct world *w = *state;

	server_says(w, "\x94\x01\x07\xc0\x05");
	assert_call_fails(w, CLIENT_GARBAGE);
}

static void a_frame_that_announces_too_much_is_refused_at_once(void **state)
{
	struct world *w = *state;

	server_says(w, "\xdd\xff\xff\xff\xff");
	assert_call_fails(w, CLIENT_GARBAGE);
}

static void a_frame_nested_too_deep_is_refused(void **state)
{
	struct world *w = *state;
	char bytes[101];

	memset(bytes, 0x91, 100);
	bytes[100] = (char)0xc0;
	says(w, bytes, sizeof(bytes));
	assert_call_fails(w, CLIENT_GARBAGE);
}

static void a_connection_that_ends_within_an_answer_is_lost(void **state)
{
	struct world *w = *state;

	server_says(w, "\x94\x01\x01");
	hangs_up(w);
	assert_call_fails(w, CLIENT_LOST);
}

static void silence_ends_with_the_timeout(void **state)
{
	assert_call_fails(*state, CLIENT_TIMEOUT);
}

static void a_stop_ends_the_wait(void **state)
{
	struct world *w = *state;

	assert_int_equal(write(w->stop[1], "", 1), 1);
	assert_call_fails(w, CLIENT_STOPPED);
}

static void a_socket_that_is_not_there_is_explained(void **state)
{
	struct client_rpc_options options = { .path = "/nonexistent/socket", .stop_fd = -1 };
	struct client_rpc *rpc;
	struct client_error err;

	(void)state;
	assert_int_equal(client_rpc_open(&options, &rpc, &err), CLIENT_UNREACHABLE);
	assert_non_null(strstr(err.text, "/nonexistent/socket"));
	assert_non_null(strstr(err.text, "Start dianad"));
}

/* ---- finding the end of a value ---- */

/* One value each, of every kind of tag. */
static const struct {
	const char *bytes;
	size_t len;
} values[] = {
#define VALUE(literal)                                                                                                 \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
	VALUE("\x05"),
	VALUE("\xff"),
	VALUE("\xc0"),
	VALUE("\xa3"
	      "abc"),
	VALUE("\xd9\x02hi"),
	VALUE("\xda\x00\x02hi"),
	VALUE("\xdb\x00\x00\x00\x02hi"),
	VALUE("\xc4\x01x"),
	VALUE("\xc5\x00\x01x"),
	VALUE("\xc6\x00\x00\x00\x01x"),
	VALUE("\xc7\x01\x05x"),
	VALUE("\xc8\x00\x01\x05x"),
	VALUE("\xc9\x00\x00\x00\x01\x05x"),
	VALUE("\xca\x00\x00\x00\x00"),
	VALUE("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"),
	VALUE("\xcc\x01"),
	VALUE("\xcd\x00\x01"),
	VALUE("\xce\x00\x00\x00\x01"),
	VALUE("\xcf\x00\x00\x00\x00\x00\x00\x00\x01"),
	VALUE("\xd0\x01"),
	VALUE("\xd1\x00\x01"),
	VALUE("\xd2\x00\x00\x00\x01"),
	VALUE("\xd3\x00\x00\x00\x00\x00\x00\x00\x01"),
	VALUE("\xd4\x01x"),
	VALUE("\xd5\x01xx"),
	VALUE("\xd6\x01xxxx"),
	VALUE("\xd7\x01xxxxxxxx"),
	VALUE("\xd8\x01xxxxxxxxxxxxxxxx"),
	VALUE("\x92\x01\x91\xc0"),
	VALUE("\xdc\x00\x02\x01\x02"),
	VALUE("\xdd\x00\x00\x00\x02\x01\x90"),
	VALUE("\x82\x01\x02\x03\x81\xa1x\x80"),
	VALUE("\xde\x00\x01\x01\x02"),
	VALUE("\xdf\x00\x00\x00\x01\x01\x02"),
#undef VALUE
};

static void every_value_ends_where_it_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct client_scan at_once = { 0 }, bytewise = { 0 };

		assert_int_equal(client_scan(&at_once, values[i].bytes, values[i].len), CLIENT_SCAN_DONE);
		assert_int_equal(at_once.at, values[i].len);
		for (size_t len = 0; len < values[i].len; len++)
			assert_int_equal(client_scan(&bytewise, values[i].bytes, len), CLIENT_SCAN_MORE);
		assert_int_equal(client_scan(&bytewise, values[i].bytes, values[i].len), CLIENT_SCAN_DONE);
	}
}

static void the_tag_that_means_nothing_is_bad(void **state)
{
	struct client_scan scan = { 0 };

	(void)state;
	assert_int_equal(client_scan(&scan, "\x91\xc1", 2), CLIENT_SCAN_BAD);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, given_a_server, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(a_request_is_what_the_specification_says),
		with_server(an_answer_gives_its_result),
		with_server(a_refusal_is_an_answer),
		with_server(notifications_during_a_call_are_kept_in_order),
		with_server(notifications_left_unread_are_freed),
		with_server(what_is_not_messagepack_rpc_is_refused),
		with_server(an_answer_to_another_call_is_refused),
		with_server(a_frame_that_announces_too_much_is_refused_at_once),
		with_server(a_frame_nested_too_deep_is_refused),
		with_server(a_connection_that_ends_within_an_answer_is_lost),
		with_server(silence_ends_with_the_timeout),
		with_server(a_stop_ends_the_wait),
		cmocka_unit_test(a_socket_that_is_not_there_is_explained),
		cmocka_unit_test(every_value_ends_where_it_ends),
		cmocka_unit_test(the_tag_that_means_nothing_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What dianactl shows as JSON, and what it sends for the JSON and the words it is given. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/client_json.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"

static msgpack_object real(double number)
{
	return (msgpack_object){ .type = MSGPACK_OBJECT_FLOAT64, .via.f64 = number };
}

static void assert_json(msgpack_object object, const char *expected)
{
	char *text = client_json_text(&object, CLIENT_JSON_COMPACT);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

/* The bytes are one MessagePack value. */
static void assert_bytes_json(const char *bytes, size_t len, const char *expected)
{
	msgpack_unpacked unpacked;
	size_t offset = 0;

	msgpack_unpacked_init(&unpacked);
	assert_int_equal(msgpack_unpack_next(&unpacked, bytes, len, &offset), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(offset, len);
	assert_json(unpacked.data, expected);
	msgpack_unpacked_destroy(&unpacked);
}

#define assert_literal_json(bytes, expected) assert_bytes_json(bytes, sizeof(bytes) - 1, expected)

/* Params as the map they are sent as. */
static void assert_params(const struct client_params *params, const char *expected)
{
	char bytes[512] = { (char)(0x80 | params->n) };

	assert_false(params->failed);
	assert_true(params->n < 16 && params->body.size < sizeof(bytes));
	if (params->n > 0)
		memcpy(bytes + 1, params->body.data, params->body.size);
	assert_bytes_json(bytes, params->body.size + 1, expected);
}

static void assert_sent(const char *json, const char *expected)
{
	struct client_params params;
	struct client_error err;

	client_params_init(&params);
	assert_int_equal(client_json_params(&params, json, strlen(json), &err), 0);
	assert_params(&params, expected);
	client_params_free(&params);
}

static void assert_not_sent(const char *json, const char *why)
{
	struct client_params params;
	struct client_error err;

	client_params_init(&params);
	assert_int_equal(client_json_params(&params, json, strlen(json), &err), CLIENT_BAD_INPUT);
	assert_non_null(strstr(err.text, why));
	client_params_free(&params);
}

static void assert_words_sent(const char *const *words, size_t n, const char *expected)
{
	struct client_params params;
	struct client_error err;

	client_params_init(&params);
	assert_int_equal(client_json_words(&params, words, n, &err), 0);
	assert_params(&params, expected);
	client_params_free(&params);
}

static void assert_words_not_sent(const char *const *words, size_t n, const char *why)
{
	struct client_params params;
	struct client_error err;

	client_params_init(&params);
	assert_int_equal(client_json_words(&params, words, n, &err), CLIENT_BAD_INPUT);
	assert_non_null(strstr(err.text, why));
	client_params_free(&params);
}

/* ---- showing ---- */

static void a_point_value_prints_without_binary_noise(void **state)
{
	(void)state;
	assert_json(real(0.1), "0.1");
	assert_json(real(0.001), "0.001");
	assert_json(real(-2.675), "-2.675");
	assert_json(real(3999999999999.999), "3999999999999.999");
}

static void every_thousandth_prints_with_at_most_three_decimals(void **state)
{
	(void)state;
	for (int64_t milli = 1; milli < 4000000000000000; milli = milli * 3 + 1) {
		msgpack_object object = real((double)milli / 1000.0);
		char *text = client_json_text(&object, CLIENT_JSON_COMPACT);
		const char *point;

		assert_non_null(text);
		point = strchr(text, '.');
		assert_non_null(point);
		assert_in_range(strlen(point + 1), 1, 3);
		assert_true(strtod(text, NULL) == object.via.f64);
		free(text);
	}
}

static void any_real_reads_back_as_itself(void **state)
{
	static const double numbers[] = { 1e-300, 1.7976931348623157e308, 5e-324, 1.0 / 3, 1e22, 123456789012345680.0 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		msgpack_object object = real(numbers[i]);
		char *text = client_json_text(&object, CLIENT_JSON_COMPACT);

		assert_non_null(text);
		assert_true(strtod(text, NULL) == numbers[i]);
		free(text);
	}
}

static void a_whole_real_stays_a_real(void **state)
{
	(void)state;
	assert_json(real(5), "5.0");
	assert_json(real(4e12), "4000000000000.0");
}

static void what_is_no_number_in_json_is_null(void **state)
{
	(void)state;
	assert_json(real(NAN), "null");
	assert_json(real(-INFINITY), "null");
}

static void integers_print_over_their_whole_range(void **state)
{
	(void)state;
	assert_literal_json("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
	assert_literal_json("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808");
}

static void bytes_print_as_base64(void **state)
{
	(void)state;
	assert_literal_json("\xc4\x00", "\"\"");
	assert_literal_json("\xc4\x01\xff", "\"/w==\"");
	assert_literal_json("\xc4\x02\xff\xff", "\"//8=\"");
	assert_literal_json("\xc4\x05hello", "\"aGVsbG8=\"");
	assert_literal_json("\xd5\x04xy", "\"eHk=\"");
}

static void keys_that_are_no_text_become_text(void **state)
{
	(void)state;
	assert_literal_json("\x84\x01\xa1x\xc0\xa1y\xc3\xa1z\x91\xa1q\xa1w",
			    "{\"1\":\"x\",\"null\":\"y\",\"true\":\"z\",\"[\\\"q\\\"]\":\"w\"}");
}

static void text_that_is_not_utf8_still_makes_json(void **state)
{
	(void)state;
	assert_literal_json("\xa3"
			    "a\xff"
			    "b",
			    "\"a\xef\xbf\xbd"
			    "b\"");
}

static void control_characters_are_escaped(void **state)
{
	(void)state;
	assert_literal_json("\xa7\"\\\n\t\x1b\x00\x7f", "\"\\\"\\\\\\n\\t\\u001b\\u0000\\u007f\"");
}

static void pretty_json_is_indented_by_two(void **state)
{
	msgpack_object item = real(0.5);
	msgpack_object_kv entries[] = {
		{ client_object_of_text("a"), client_object_of_array(&item, 1) },
		{ client_object_of_text("b"), client_object_of_array(NULL, 0) },
	};
	msgpack_object map = client_object_of_map(entries, 2);
	char *text = client_json_text(&map, CLIENT_JSON_PRETTY);

	(void)state;
	assert_non_null(text);
	assert_string_equal(text, "{\n  \"a\": [\n    0.5\n  ],\n  \"b\": []\n}");
	free(text);
}

/* ---- sending ---- */

static void integers_and_reals_are_sent_as_what_they_are(void **state)
{
	struct client_params params;
	struct client_error err;
	const char json[] = "{\"a\":5,\"b\":5.0,\"c\":-1}";

	(void)state;
	client_params_init(&params);
	assert_int_equal(client_json_params(&params, json, strlen(json), &err), 0);
	assert_int_equal(params.n, 3);
	assert_memory_equal(params.body.data,
			    "\xa1"
			    "a\x05\xa1"
			    "b\xcb\x40\x14\0\0\0\0\0\0\xa1"
			    "c\xff",
			    16);
	client_params_free(&params);
}

static void json_is_sent_unchanged(void **state)
{
	static const char json[] = "{\"a\":{\"b\":[1,0.1,null,true,false,\"\xc3\xb1\"],\"c\":{}},\"z\":\"x\\u0000y\"}";

	(void)state;
	assert_sent(json, json);
	assert_sent("{}", "{}");
}

static void params_that_are_no_object_are_refused(void **state)
{
	(void)state;
	assert_not_sent("[1]", "must be a JSON object");
	assert_not_sent("5", "must be a JSON object");
	assert_not_sent("{", "not JSON");
	assert_not_sent("", "not JSON");
	assert_not_sent("{} {}", "not JSON");
}

static void a_key_given_twice_is_refused(void **state)
{
	const char *words[] = { "a=1", "ab=1", "a=2" };

	(void)state;
	assert_not_sent("{\"a\":1,\"a\":2}", "duplicate");
	assert_words_not_sent(words, 3, "'a' is given twice");
}

static void an_integer_beyond_int64_is_refused_not_rounded(void **state)
{
	const char *words[] = { "a=9223372036854775808" };

	(void)state;
	assert_sent("{\"a\":9223372036854775807}", "{\"a\":9223372036854775807}");
	assert_not_sent("{\"a\":9223372036854775808}", "too big");
	assert_words_not_sent(words, 1, "too large");
}

static void words_are_values_or_else_text(void **state)
{
	const char *words[] = { "id=5",      "amount=0.1", "name=Ana L", "nick=\"5\"",
				"none=null", "list=[1]",   "empty=",     "eq=a=b" };

	(void)state;
	assert_words_sent(words, 8,
			  "{\"id\":5,\"amount\":0.1,\"name\":\"Ana L\",\"nick\":\"5\",\"none\":null,"
			  "\"list\":[1],\"empty\":\"\",\"eq\":\"a=b\"}");
}

static void a_word_without_a_key_is_refused(void **state)
{
	const char *without[] = { "id" }, *empty[] = { "=5" };

	(void)state;
	assert_words_not_sent(without, 1, "'id' is neither");
	assert_words_not_sent(empty, 1, "'=5' is neither");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_point_value_prints_without_binary_noise),
		cmocka_unit_test(every_thousandth_prints_with_at_most_three_decimals),
		cmocka_unit_test(any_real_reads_back_as_itself),
		cmocka_unit_test(a_whole_real_stays_a_real),
		cmocka_unit_test(what_is_no_number_in_json_is_null),
		cmocka_unit_test(integers_print_over_their_whole_range),
		cmocka_unit_test(bytes_print_as_base64),
		cmocka_unit_test(keys_that_are_no_text_become_text),
		cmocka_unit_test(text_that_is_not_utf8_still_makes_json),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(pretty_json_is_indented_by_two),
		cmocka_unit_test(integers_and_reals_are_sent_as_what_they_are),
		cmocka_unit_test(json_is_sent_unchanged),
		cmocka_unit_test(params_that_are_no_object_are_refused),
		cmocka_unit_test(a_key_given_twice_is_refused),
		cmocka_unit_test(an_integer_beyond_int64_is_refused_not_rounded),
		cmocka_unit_test(words_are_values_or_else_text),
		cmocka_unit_test(a_word_without_a_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

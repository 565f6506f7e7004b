#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"

#define DAY_MS INT64_C(86400000)

static void points_show_decimals_when_told(void **state)
{
	char text[CLIENT_FORMAT_MAX];

	(void)state;
	assert_string_equal(client_format_points(text, 12000, false), "12");
	assert_string_equal(client_format_points(text, 12500, true), "12.500");
	assert_string_equal(client_format_points(text, -1, true), "-0.001");
	assert_string_equal(client_format_points(text, INT64_MIN, true), "-9223372036854775.808");
}

static void points_from_the_wire_are_exact_thousandths(void **state)
{
	msgpack_object whole = { .type = MSGPACK_OBJECT_NEGATIVE_INTEGER, .via.i64 = -4 };
	msgpack_object part = { .type = MSGPACK_OBJECT_FLOAT64, .via.f64 = 3999999999999.999 };
	msgpack_object huge = { .type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = UINT64_MAX };
	int64_t milli;

	(void)state;
	assert_true(client_object_milli(&whole, &milli));
	assert_int_equal(milli, -4000);
	assert_true(client_object_milli(&part, &milli));
	assert_int_equal(milli, 3999999999999999);
	assert_false(client_object_milli(&huge, &milli));
	assert_false(client_object_milli(NULL, &milli));
}

static void sizes_and_durations_are_short(void **state)
{
	char text[CLIENT_FORMAT_MAX];

	(void)state;
	assert_string_equal(client_format_bytes(text, 1023), "1023 B");
	assert_string_equal(client_format_bytes(text, 1536), "1.5 KiB");
	assert_string_equal(client_format_bytes(text, UINT64_MAX), "16.0 EiB");
	assert_string_equal(client_format_duration(text, 59999), "00:00:59");
	assert_string_equal(client_format_duration(text, 90061000), "1d 01:01:01");
}

static void a_bar_is_full_only_when_all_is_done(void **state)
{
	char text[CLIENT_FORMAT_MAX];

	(void)state;
	assert_string_equal(client_format_bar(text, -1), "[--------------------]");
	assert_string_equal(client_format_bar(text, 0.05), "[#-------------------]");
	assert_string_equal(client_format_bar(text, 0.999), "[###################-]");
	assert_string_equal(client_format_bar(text, 1), "[####################]");
	assert_string_equal(client_format_bar(text, 7), "[####################]");
	assert_string_equal(client_format_bar(text, NAN), "[--------------------]");
}

static void assert_date(const char *text, bool end_of_day, int64_t expected)
{
	int64_t at = -1;

	assert_true(client_parse_date(text, true, end_of_day, &at));
	assert_int_equal(at, expected);
}

static void a_date_is_its_first_moment_or_that_of_the_next(void **state)
{
	(void)state;
	assert_date("1970-01-02", false, DAY_MS);
	assert_date("1970-01-02", true, 2 * DAY_MS);
	assert_date("1970-12-31", true, 365 * DAY_MS);
}

static void a_moment_is_itself(void **state)
{
	(void)state;
	assert_date("1970-01-02 01:02:03", true, DAY_MS + 3723000);
	assert_date("1970-01-02T01:02", false, DAY_MS + 3720000);
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "today", "2024-02-30", "2024-13-01", "2024-01-01x", "2024-01-01 25:00"
	};
	int64_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(client_parse_date(texts[i], true, false, &at));
}

/* On 31 March 2024 the clocks of Madrid went from 2 to 3: that day had 23 hours. */
static void a_local_day_is_as_long_as_it_was(void **state)
{
	int64_t first, next;

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	assert_true(client_parse_date("2024-03-31", false, false, &first));
	assert_true(client_parse_date("2024-03-31", false, true, &next));
	assert_int_equal(next - first, 23 * INT64_C(3600000));
}

static void a_moment_may_have_a_zone(void **state)
{
	static const struct {
		const char *text;
		int64_t at;
		bool day;
	} moments[] = {
		{ "1970-01-02", 2 * DAY_MS - 1, true }, /* its end */
		{ "1970-01-02 00:00", DAY_MS, false },
		{ "1970-01-02T00:00:00Z", DAY_MS, false },
		{ "1970-01-02t00:00:00.25z", DAY_MS + 250, false },
		{ "1970-01-02T00:00:00.0019999+00:00", DAY_MS + 1, false },
		{ "1970-01-02T01:30:00+01:30", DAY_MS, false },
		{ "1970-01-01T19:00:00-05:00", DAY_MS, false },
		{ "86400000", DAY_MS, false },
	};
	static const char *const wrong[] = {
		"",
		"soon",
		"-1",
		"1970-01-02T00:00:00+1",
		"1970-01-02T00:00:00.Z",
		"1970-01-02T00:00:00Zx",
		"2023-02-29T00:00:00Z",
		"1969-12-31T23:59:59Z",
		"9223372036854775807",
	};
	int64_t at;
	bool day;

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		assert_true(client_parse_moment(moments[i].text, true, &at, &day));
		assert_int_equal(at, moments[i].at);
		assert_int_equal(day, moments[i].day);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(client_parse_moment(wrong[i], true, &at, &day));
}

static void a_number_is_digits_only(void **state)
{
	uint64_t number;

	(void)state;
	assert_true(client_parse_uint("18446744073709551615", &number));
	assert_true(number == UINT64_MAX);
	assert_false(client_parse_uint("18446744073709551616", &number));
	assert_false(client_parse_uint("-1", &number));
	assert_false(client_parse_uint(" 1", &number));
	assert_false(client_parse_uint("1x", &number));
	assert_false(client_parse_uint("", &number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_show_decimals_when_told),
		cmocka_unit_test(points_from_the_wire_are_exact_thousandths),
		cmocka_unit_test(sizes_and_durations_are_short),
		cmocka_unit_test(a_bar_is_full_only_when_all_is_done),
		cmocka_unit_test(a_date_is_its_first_moment_or_that_of_the_next),
		cmocka_unit_test(a_moment_is_itself),
		cmocka_unit_test(what_is_no_date_is_refused),
		cmocka_unit_test(a_local_day_is_as_long_as_it_was),
		cmocka_unit_test(a_moment_may_have_a_zone),
		cmocka_unit_test(a_number_is_digits_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

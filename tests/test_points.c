/* Exact points: between int64 thousandths, the wire's numbers, and text. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/points.h"

static uint64_t seed = 7;

static int64_t random_amount(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int64_t)(seed % (2 * (uint64_t)POINTS_MAX + 1)) - POINTS_MAX;
}

static void assert_goes_there_and_back(int64_t t)
{
	double x = points_to_double(t);
	int64_t back;

	assert_true(points_from_double(x, &back));
	assert_true(back == t);
	/* the float64 beside it is no multiple of 0.001, or another one */
	if (points_from_double(nextafter(x, INFINITY), &back))
		assert_true(back > t);
	if (points_from_double(nextafter(x, -INFINITY), &back))
		assert_true(back < t);
}

static void every_thousandth_has_a_float_of_its_own(void **state)
{
	(void)state;
	for (int64_t t = -3000; t <= 3000; t++)
		assert_goes_there_and_back(t);
	for (int64_t t = 0; t < 3000; t++) {
		assert_goes_there_and_back(POINTS_MAX - t);
		assert_goes_there_and_back(t - POINTS_MAX);
	}
	for (int i = 0; i < 300000; i++)
		assert_goes_there_and_back(random_amount());
}

static void what_is_no_multiple_is_refused(void **state)
{
	static const double bad[] = { 0.0005, 0.0001, 1.0005, 0.1 + 0.2, 1e-300,   DBL_MIN, DBL_TRUE_MIN,
				      9.2e15, 1e30,   -1e30,  DBL_MAX,   -DBL_MAX, 1.0 / 3 };
	int64_t t = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(points_from_double(bad[i], &t));
	assert_false(points_from_double(NAN, &t));
	assert_false(points_from_double(-NAN, &t));
	assert_false(points_from_double(INFINITY, &t));
	assert_false(points_from_double(-INFINITY, &t));
	assert_int_equal(t, 42);
	assert_true(points_from_double(-0.0, &t));
	assert_int_equal(t, 0);
}

static void whole_points_that_do_not_fit_are_refused(void **state)
{
	int64_t t = 42;

	(void)state;
	assert_false(points_from_int(INT64_MAX, &t));
	assert_false(points_from_int(INT64_MIN, &t));
	assert_false(points_from_int(INT64_MAX / 1000 + 1, &t));
	assert_true(points_from_int(INT64_MAX / 1000, &t));
	assert_int_equal(t, INT64_MAX / 1000 * 1000);
	assert_true(points_from_int(-5, &t));
	assert_int_equal(t, -5000);
}

static void amounts_are_printed_without_final_zeros(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} cases[] = { { 0, "0" },
		      { 1, "0.001" },
		      { -1, "-0.001" },
		      { 10, "0.01" },
		      { 100, "0.1" },
		      { 1000, "1" },
		      { 12500, "12.5" },
		      { -12500, "-12.5" },
		      { 1230, "1.23" },
		      { 100000, "100" },
		      { POINTS_MAX, "4000000000000" },
		      { INT64_MAX, "9223372036854775.807" },
		      { INT64_MIN, "-9223372036854775.808" } };
	char text[24];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(points_print(cases[i].t, text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_thousandth_has_a_float_of_its_own),
		cmocka_unit_test(what_is_no_multiple_is_refused),
		cmocka_unit_test(whole_points_that_do_not_fit_are_refused),
		cmocka_unit_test(amounts_are_printed_without_final_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

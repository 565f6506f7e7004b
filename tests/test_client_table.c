#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/client_table.h"
#include "daemon/client_utf8.h"

static const struct client_column columns[] = { { "NAME", false }, { "N", true }, { "WHY", false } };

static void assert_printed(const struct client_table *table, bool colour, const char *expected)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_true(client_table_print(table, out, "", colour));
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void add_row(struct client_table *table, const char *name, int n, const char *why)
{
	client_table_string(table, name);
	client_table_format(table, "%d", n);
	client_table_string(table, why);
}

static void columns_are_as_wide_as_what_they_hold(void **state)
{
	struct client_table *table = client_table_new(columns, 3);

	(void)state;
	add_row(table, "ana", 5, "thanks");
	add_row(table, "bernardo", 1234, "");
	assert_printed(table, false,
		       "NAME         N  WHY\n"
		       "ana          5  thanks\n"
		       "bernardo  1234\n");
	client_table_free(table);
}

static void width_is_what_a_terminal_shows(void **state)
{
	struct client_table *table = client_table_new(columns, 3);

	(void)state;
	add_row(table,
		"N\xc3\xba\xc3\xb1"
		"ez",
		1, "x");
	add_row(table, "\xe6\x97\xa5\xe6\x9c\xac", 2, "x");
	add_row(table, "\xf0\x9f\x8e\x89!", 3, "x");
	add_row(table, "e\xcc\x81", 4, "x");
	assert_printed(table, false,
		       "NAME   N  WHY\n"
		       "N\xc3\xba\xc3\xb1"
		       "ez  1  x\n"
		       "\xe6\x97\xa5\xe6\x9c\xac   2  x\n"
		       "\xf0\x9f\x8e\x89!    3  x\n"
		       "e\xcc\x81      4  x\n");
	client_table_free(table);
}

static void text_from_elsewhere_cannot_steer_the_terminal(void **state)
{
	struct client_table *table = client_table_new(columns, 3);

	(void)state;
	add_row(table, "a\x1b[31m", 1, "two\nlines\xe2\x80\xae");
	assert_printed(table, false,
		       "NAME    N  WHY\n"
		       "a\xef\xbf\xbd[31m  1  two lines\xef\xbf\xbd\n");
	client_table_free(table);
}

static void colours_do_not_count_as_width(void **state)
{
	struct client_table *table = client_table_new(columns, 3);

	(void)state;
	client_table_string(table, "a");
	client_table_paint(table, CLIENT_COLOUR_RED);
	client_table_string(table, "1");
	client_table_string(table, "x");
	assert_printed(table, true,
		       "\033[1mNAME  N  WHY\033[0m\n"
		       "\033[31ma\033[0m     1  x\n");
	client_table_free(table);
}

static void what_is_absent_is_a_dash(void **state)
{
	struct client_table *table = client_table_new(columns, 3);

	(void)state;
	client_table_string(table, NULL);
	client_table_object(table, NULL);
	client_table_text(table, (struct client_text){ NULL, 0 });
	assert_printed(table, false,
		       "NAME  N  WHY\n"
		       "-     -  -\n");
	client_table_free(table);
}

static void an_unfinished_row_is_not_printed(void **state)
{
	struct client_table *table = client_table_new(columns, 3);

	(void)state;
	client_table_string(table, "half");
	assert_printed(table, false, "NAME  N  WHY\n");
	client_table_free(table);
}

static void assert_cleaned(const char *text, size_t columns_max, const char *expected)
{
	char *clean = client_utf8_clean(text, strlen(text), columns_max);

	assert_non_null(clean);
	assert_string_equal(clean, expected);
	free(clean);
}

static void a_long_text_is_cut_with_an_ellipsis(void **state)
{
	(void)state;
	assert_cleaned("abcdef", 6, "abcdef");
	assert_cleaned("abcdef", 5, "abcd\xe2\x80\xa6");
	assert_cleaned("\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe6\x97\xa5\xe2\x80\xa6");
	assert_cleaned("\xe6\x97\xa5\xe6\x9c\xac", 2, "\xe2\x80\xa6");
	assert_cleaned("ab", 1, "\xe2\x80\xa6");
	assert_cleaned("", 1, "");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	(void)state;
	assert_cleaned("\xc0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong */
	assert_cleaned("\xed\xa0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
	assert_cleaned("a\xe6\x97", 0, "a\xef\xbf\xbd\xef\xbf\xbd");               /* cut short */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_what_they_hold),
		cmocka_unit_test(width_is_what_a_terminal_shows),
		cmocka_unit_test(text_from_elsewhere_cannot_steer_the_terminal),
		cmocka_unit_test(colours_do_not_count_as_width),
		cmocka_unit_test(what_is_absent_is_a_dash),
		cmocka_unit_test(an_unfinished_row_is_not_printed),
		cmocka_unit_test(a_long_text_is_cut_with_an_ellipsis),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

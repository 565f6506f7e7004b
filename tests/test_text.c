/* Texts as people compare and search them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/text.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 24);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void assert_slice(struct slice have, const char *want)
{
	if (!slice_is(have, want))
		fail_msg("have \"%.*s\", want \"%s\"", SLICE_FMT(have), want);
}

static void white_space_around_is_removed(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "a", "a" },
		{ "  a b\t\n", "a b" },
		{ " \t\r\n\v\f ", "" },
		{ "\u00a0\u3000x\u2003\u2028\u2029", "x" }, /* no-break, ideographic, em, line, paragraph */
		{ "ñ ", "ñ" },
		{ "\u200bx", "\u200bx" }, /* zero width is no space */
		{ " 👍 ", "👍" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(text_trim(slice_str(cases[i][0])), cases[i][1]);
}

static void emojis_are_kept_without_their_presentation(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "👍", "👍" },
		{ "❤\ufe0f", "❤" },
		{ "\ufe0f\ufe0f", "" },
		{ "\ufe0fa\ufe0fb\ufe0e", "ab\ufe0e" },
		{ "🏳\ufe0f\u200d🌈", "🏳\u200d🌈" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(text_emoji(slice_str(cases[i][0]), &arena), cases[i][1]);
}

static void names_are_equal_whatever_their_case_and_form(void **state)
{
	static const char *const equal[][2] = {
		{ "Ana", "aNA" }, { "STRASSE", "Straße" },  { "Ångström", "A\u030angstro\u0308m" },
		{ "ﬁn", "FIN" },  { "Σίσυφος", "ΣΊΣΥΦΟΣ" }, { "ｆｕｌｌ", "full" },
		{ "①", "1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
		assert_true(slice_eq(text_fold_name(slice_str(equal[i][0]), &arena),
				     text_fold_name(slice_str(equal[i][1]), &arena)));
	assert_false(slice_eq(text_fold_name(SLICE_LIT("jose"), &arena), text_fold_name(SLICE_LIT("josé"), &arena)));
	assert_int_equal(text_fold_name(SLICE_LIT(""), &arena).len, 0);
	assert_int_equal(text_fold_name(SLICE_LIT("a\0b"), &arena).len, 3);
}

static void long_names_are_compared_by_their_digest(void **state)
{
	char a[256], b[256];

	(void)state;
	memset(a, 'x', sizeof(a));
	memset(b, 'X', sizeof(b));
	assert_int_equal(text_fold_name(slice_of(a, 200), &arena).len, 200);
	assert_int_equal(text_fold_name(slice_of(a, 201), &arena).len, 32);
	assert_true(slice_eq(text_fold_name(slice_of(a, 256), &arena), text_fold_name(slice_of(b, 256), &arena)));
	/* what cannot be a key either: zero bytes take two there */
	memset(a, 0, sizeof(a));
	assert_int_equal(text_fold_name(slice_of(a, 180), &arena).len, 180);
	assert_int_equal(text_fold_name(slice_of(a, 200), &arena).len, 32);
	memset(a, 'x', sizeof(a));
	b[255] = 'y';
	assert_false(slice_eq(text_fold_name(slice_of(a, 256), &arena), text_fold_name(slice_of(b, 256), &arena)));
}

static const char *words_of(const char *text, size_t max)
{
	static char joined[4096];
	struct slice s = slice_str(text);
	struct words w = text_words(&s, 1, max, &arena);
	size_t n = 0;

	joined[0] = '\0';
	for (size_t i = 0; i < w.n; i++)
		n += (size_t)snprintf(joined + n, sizeof(joined) - n, "%s%.*s", i ? "|" : "", SLICE_FMT(w.v[i]));
	return joined;
}

static void texts_fall_into_words(void **state)
{
	(void)state;
	assert_string_equal(words_of("", 10), "");
	assert_string_equal(words_of(" ,.-!", 10), "");
	assert_string_equal(words_of("Ana María", 10), "ana|maria");
	assert_string_equal(words_of("zeta alfa, ZETA; alfa!", 10), "alfa|zeta");
	assert_string_equal(words_of("l'été 2026/R2-D2", 10), "2026|d2|ete|l|r2");
	assert_string_equal(words_of("Ångström STRASSE ﬁn", 10), "angstrom|fin|strasse");
	assert_string_equal(words_of("日本語 テスト", 10), "テスト|日本語");
	assert_string_equal(words_of("👍ok👍", 10), "ok");
	assert_string_equal(words_of("a b c d", 2), "a|b"); /* the first ones */
}

static void several_texts_are_one_set_of_words(void **state)
{
	const struct slice texts[] = { SLICE_LIT("Ana"), SLICE_NULL, SLICE_LIT("ana luz"), SLICE_LIT("") };
	struct words w = text_words(texts, 4, 10, &arena);

	(void)state;
	assert_int_equal(w.n, 2);
	assert_slice(w.v[0], "ana");
	assert_slice(w.v[1], "luz");
}

static void a_word_keeps_its_first_32_bytes(void **state)
{
	(void)state;
	assert_string_equal(words_of("abcdefghijklmnopqrstuvwxyz0123456789 b", 10),
			    "abcdefghijklmnopqrstuvwxyz012345|b");
	assert_string_equal(words_of("abcdefghijklmnopqrstuvwxyz012345", 10), "abcdefghijklmnopqrstuvwxyz012345");
	/* whole characters: 31 bytes and a letter of two */
	assert_string_equal(words_of("abcdefghijklmnopqrstuvwxyz01234жж", 10), "abcdefghijklmnopqrstuvwxyz01234");
	/* the same beginning is the same word */
	assert_string_equal(words_of("abcdefghijklmnopqrstuvwxyz012345A abcdefghijklmnopqrstuvwxyz012345B", 10),
			    "abcdefghijklmnopqrstuvwxyz012345");
}

static void without_room_there_are_no_words(void **state)
{
	struct slice s = SLICE_LIT("some words");
	struct arena small;
	struct words w;

	(void)state;
	arena_init(&small, 100);
	w = text_words(&s, 1, 1000, &small);
	assert_int_equal(w.n, 0);
	assert_true(small.failed);
	arena_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(white_space_around_is_removed),
		cmocka_unit_test(emojis_are_kept_without_their_presentation),
		cmocka_unit_test(names_are_equal_whatever_their_case_and_form),
		cmocka_unit_test(long_names_are_compared_by_their_digest),
		cmocka_unit_test(texts_fall_into_words),
		cmocka_unit_test(several_texts_are_one_set_of_words),
		cmocka_unit_test(a_word_keeps_its_first_32_bytes),
		cmocka_unit_test(without_room_there_are_no_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

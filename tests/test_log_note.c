/* Keys, checkpoints and proofs as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/base64.h"
#include "log/note.h"

/* The secret is 32 times the byte 7. What follows from it was computed by python3-cryptography and hashlib. */
#define SECRET "PRIVATE+KEY+example.com/ledger+ec4d6e6d+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n"
#define PUBLIC "example.com/ledger+ec4d6e6d+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\n"

struct world {
	struct note_key key;
	uint8_t root[MERKLE_HASH];
	struct buf b;
	struct err err;
};

static int given_a_key(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (note_key_parse(slice_str(SECRET), &w->key, &w->err) != 0)
		fail_msg("%s", w->err.text);
	memset(w->root, 9, MERKLE_HASH);
	buf_init(&w->b, 1 << 20);
	*state = w;
	return 0;
}

static int clean_up(void **state)
{
	struct world *w = *state;

	buf_free(&w->b);
	free(w);
	return 0;
}

/* The note of a tree of size 1234, in w->b. */
static struct slice given_a_checkpoint(struct world *w)
{
	assert_int_equal(checkpoint_sign(1234, w->root, &w->key, &w->b, &w->err), 0);
	return buf_slice(&w->b);
}

/* ---- base64 ---- */

static void base64_reads_what_it_writes_and_nothing_else(void **state)
{
	uint8_t bytes[100], again[103];
	char text[140];

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(n * 31 + i * 7);
		base64_put(slice_of(bytes, n), text);
		assert_int_equal(strlen(text), base64_size(n));
		assert_true(base64_get(slice_str(text), again, n));
		assert_memory_equal(again, bytes, n);
		assert_false(base64_get(slice_str(text), again, n + 1));
	}
	assert_true(base64_get(SLICE_LIT("AA=="), again, 1));
	assert_false(base64_get(SLICE_LIT("AB=="), again, 1)); /* bits that do not count */
	assert_false(base64_get(SLICE_LIT("A==="), again, 0));
	assert_false(base64_get(SLICE_LIT("AA=A"), again, 1));
	assert_false(base64_get(SLICE_LIT("AAA"), again, 2));
	assert_false(base64_get(SLICE_LIT(" AAA"), again, 3));
	assert_false(base64_get(SLICE_LIT("AAA\n"), again, 2));
	assert_false(base64_get(SLICE_LIT("AA-_"), again, 3));
}

/* ---- keys ---- */

static void a_key_is_known_by_both_its_texts(void **state)
{
	struct world *w = *state;
	struct note_key pub;
	char text[NOTE_KEY_TEXT];

	note_key_put_secret(&w->key, text);
	assert_string_equal(text, SECRET);
	note_key_put(&w->key, text);
	assert_string_equal(text, PUBLIC);
	assert_int_equal(note_key_parse(slice_str(PUBLIC), &pub, &w->err), 0);
	assert_false(pub.has_secret);
	assert_string_equal(pub.name, "example.com/ledger");
	assert_memory_equal(pub.pub, w->key.pub, NOTE_PUBLIC);
	assert_memory_equal(pub.id, w->key.id, NOTE_ID);
}

static void keys_that_are_made_differ_and_can_be_kept(void **state)
{
	struct world *w = *state;
	struct note_key a, b, again;
	char text[NOTE_KEY_TEXT];

	assert_int_equal(note_key_make(&a, &w->err), 0);
	assert_int_equal(note_key_make(&b, &w->err), 0);
	assert_string_not_equal(a.name, b.name);
	assert_memory_not_equal(a.secret, b.secret, NOTE_SECRET);
	note_key_put_secret(&a, text);
	assert_int_equal(note_key_parse(slice_str(text), &again, &w->err), 0);
	assert_string_equal(again.name, a.name);
	assert_memory_equal(again.pub, a.pub, NOTE_PUBLIC);
}

static void what_is_not_a_key_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"PRIVATE+KEY+",
		"example.com/ledger",
		"+ec4d6e6d+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		"two words+ec4d6e6d+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		"example.com/ledger+ec4d6e6d+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==",
		"example.com/ledger+ec4d6e6c+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		"example.com/ledger+ec4d6e6d+BAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		"PRIVATE+KEY+example.com/other+ec4d6e6d+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
	};
	struct world *w = *state;
	struct note_key key;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(note_key_parse(slice_str(texts[i]), &key, &w->err), E_INVALID_ARGUMENT);
}

/* ---- checkpoints ---- */

static void a_checkpoint_is_the_signed_note_of_the_specification(void **state)
{
	struct world *w = *state;
	struct slice note = given_a_checkpoint(w);
	struct checkpoint c;

	assert_true(slice_is(
		note,
		"example.com/ledger\n"
		"1234\n"
		"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n"
		"\n"
		"\u2014 example.com/ledger "
		"7E1ubWabW31ObyngubEVYlYJw/4og3fRcovArCEPuDtVMohzotDZRh2Pn8czzFKb8AY+vfXepSgUfuy1MGcwv4HF0AM=\n"));
	assert_int_equal(checkpoint_open(note, &w->key, &c, &w->err), 0);
	assert_true(slice_is(c.origin, "example.com/ledger"));
	assert_int_equal(c.size, 1234);
	assert_memory_equal(c.root, w->root, MERKLE_HASH);
}

/* The example of c2sp.org/tlog-checkpoint, whose key is not known here. */
static void a_checkpoint_of_another_ledger_is_named_as_such(void **state)
{
	static const char note[] =
		"example.com/behind-the-sofa\n"
		"20852163\n"
		"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
		"\n"
		"\u2014 example.com/behind-the-sofa "
		"Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
	struct world *w = *state;
	struct checkpoint c;

	assert_int_equal(checkpoint_read(slice_str(note), &c, &w->err), 0);
	assert_int_equal(c.size, 20852163);
	assert_int_equal(checkpoint_open(slice_str(note), &w->key, &c, &w->err), E_FORBIDDEN);
	assert_string_equal(w->err.text,
			    "a checkpoint of another ledger: example.com/behind-the-sofa, not example.com/ledger");
}

static void any_byte_of_a_checkpoint_that_changes_is_noticed(void **state)
{
	struct world *w = *state;
	struct slice note = given_a_checkpoint(w);
	char *copy = malloc(note.len);
	struct checkpoint c;

	for (size_t i = 0; i < note.len; i++) {
		memcpy(copy, note.base, note.len);
		copy[i] ^= 1;
		assert_int_not_equal(checkpoint_open(slice_of(copy, note.len), &w->key, &c, &w->err), 0);
	}
	for (size_t n = 0; n < note.len; n++)
		assert_int_not_equal(checkpoint_open(slice_of(note.base, n), &w->key, &c, &w->err), 0);
	free(copy);
}

static void signatures_of_others_stand_beside(void **state)
{
	static const char witness[] = "\u2014 witness.example mJirIklj\n";
	struct world *w = *state;
	struct checkpoint c;
	struct note_key other;

	given_a_checkpoint(w);
	buf_append(&w->b, witness, strlen(witness));
	assert_int_equal(checkpoint_open(buf_slice(&w->b), &w->key, &c, &w->err), 0);

	/* the same name with another key is somebody else */
	assert_int_equal(note_key_make(&other, &w->err), 0);
	memcpy(other.name, w->key.name, sizeof(other.name));
	assert_int_equal(checkpoint_open(buf_slice(&w->b), &other, &c, &w->err), E_FORBIDDEN);
	assert_non_null(strstr(w->err.text, "not signed by the key"));
}

static void what_is_not_a_checkpoint_is_refused(void **state)
{
#define ROOT "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n"
	static const char *const texts[] = {
		"",
		"\n",
		"\n\n",
		"\n\n\n",
		"hello",
		"a\n1\n" ROOT,
		"a\n1\n" ROOT "\n",
		"\n1\n" ROOT "\n\u2014 a AAAA\n",
		"a\n01\n" ROOT "\n\u2014 a AAAA\n",
		"a\n-1\n" ROOT "\n\u2014 a AAAA\n",
		"a\n\n" ROOT "\n\u2014 a AAAA\n",
		"a\n99999999999999999999\n" ROOT "\n\u2014 a AAAA\n",
		"a\n1\nAAAA\n\n\u2014 a AAAA\n",
	};
#undef ROOT
	struct world *w = *state;
	struct checkpoint c;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(checkpoint_read(slice_str(texts[i]), &c, &w->err), E_INVALID_ARGUMENT);
}

/* ---- receipts and growth ---- */

static struct proof two_hashes(void)
{
	struct proof p = { .n = 2 };

	memset(p.hash[0], 1, MERKLE_HASH);
	memset(p.hash[1], 2, MERKLE_HASH);
	return p;
}

static void a_receipt_is_read_as_it_was_written(void **state)
{
	struct world *w = *state;
	struct slice note = given_a_checkpoint(w);
	struct proof p = two_hashes();
	struct statement st;
	struct buf b;

	buf_init(&b, 1 << 16);
	receipt_put(&b, 41, SLICE_LIT("event"), &p, note);
	assert_int_equal(statement_read(buf_slice(&b), &st, &w->err), 0);
	assert_int_equal(st.kind, STATEMENT_RECEIPT);
	assert_int_equal(st.index, 41);
	assert_true(slice_is(st.event, "ZXZlbnQ="));
	assert_int_equal(st.proof.n, 2);
	assert_memory_equal(st.proof.hash, p.hash, 2 * MERKLE_HASH);
	assert_true(slice_eq(st.note, note));
	assert_int_equal(st.head.size, 1234);
	for (size_t n = 0; n < b.len - note.len; n++)
		assert_int_not_equal(statement_read(slice_of(b.base, n), &st, &w->err), 0);
	buf_free(&b);
}

static void growth_is_read_as_it_was_written(void **state)
{
	struct world *w = *state;
	struct slice note = given_a_checkpoint(w);
	struct proof p = two_hashes();
	struct statement st;
	struct buf b;

	buf_init(&b, 1 << 16);
	growth_put(&b, 17, &p, note);
	assert_int_equal(statement_read(buf_slice(&b), &st, &w->err), 0);
	assert_int_equal(st.kind, STATEMENT_GROWTH);
	assert_int_equal(st.old_size, 17);
	assert_memory_equal(st.proof.hash, p.hash, 2 * MERKLE_HASH);
	assert_true(slice_eq(st.note, note));
	assert_int_equal(statement_read(note, &st, &w->err), 0);
	assert_int_equal(st.kind, STATEMENT_CHECKPOINT);
	buf_free(&b);
}

static void a_proof_of_too_many_hashes_is_refused(void **state)
{
	struct world *w = *state;
	static const char line[] = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n";
	struct statement st;

	buf_append(&w->b, "old 3\n", 6);
	for (int i = 0; i <= PROOF_MAX; i++)
		buf_append(&w->b, line, strlen(line));
	buf_byte(&w->b, '\n');
	given_a_checkpoint(w);
	assert_int_equal(statement_read(buf_slice(&w->b), &st, &w->err), E_INVALID_ARGUMENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, given_a_key, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(base64_reads_what_it_writes_and_nothing_else),
		TEST(a_key_is_known_by_both_its_texts),
		TEST(keys_that_are_made_differ_and_can_be_kept),
		TEST(what_is_not_a_key_is_refused),
		TEST(a_checkpoint_is_the_signed_note_of_the_specification),
		TEST(a_checkpoint_of_another_ledger_is_named_as_such),
		TEST(any_byte_of_a_checkpoint_that_changes_is_noticed),
		TEST(signatures_of_others_stand_beside),
		TEST(what_is_not_a_checkpoint_is_refused),
		TEST(a_receipt_is_read_as_it_was_written),
		TEST(growth_is_read_as_it_was_written),
		TEST(a_proof_of_too_many_hashes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

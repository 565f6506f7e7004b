#include <stdlib.h>

#include "log/note.h"

/* Keys, checkpoints and proofs from any text. What is understood has one form: written again it is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_key(struct slice text)
{
	char again[NOTE_KEY_TEXT];
	struct note_key key;
	struct err err;

	if (note_key_parse(text, &key, &err) != 0)
		return;
	if (key.has_secret)
		note_key_put_secret(&key, again);
	else
		note_key_put(&key, again);
	if (!slice_starts(slice_str(again), text))
		abort();
}

static void read_statement(struct slice text, const struct note_key *key)
{
	struct statement st;
	struct checkpoint c;
	struct err err;
	struct buf again;

	if (statement_read(text, &st, &err) != 0)
		return;
	checkpoint_open(st.note, key, &c, &err);
	if (st.kind != STATEMENT_GROWTH)
		return;
	buf_init(&again, 8 << 20);
	growth_put(&again, st.old_size, &st.proof, st.note);
	if (!slice_eq(buf_slice(&again), text))
		abort();
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* that of tests/test_log_note.c, so that signatures of the seeds are tested too */
	static const char known[] = "example.com/ledger+ec4d6e6d+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
	struct slice text = slice_of(data, size);
	struct note_key key;
	struct err err;

	if (note_key_parse(slice_str(known), &key, &err) != 0)
		abort();
	read_key(text);
	read_statement(text, &key);
	return 0;
}

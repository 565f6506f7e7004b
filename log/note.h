#ifndef LOG_NOTE_H
#define LOG_NOTE_H

#include "core/buf.h"
#include "core/err.h"
#include "log/proof.h"

/*
 * What an auditor keeps, as text, in forms that others verify too:
 *
 *   key          "name+id+base64", as golang.org/x/mod/sumdb/note writes it; the secret one begins "PRIVATE+KEY+"
 *   checkpoint   c2sp.org/tlog-checkpoint, a c2sp.org/signed-note: origin, tree size, root, signature
 *   receipt      c2sp.org/tlog-proof: an event, its inclusion proof, a checkpoint
 *   growth       the body of c2sp.org/tlog-witness: an old size, a consistency proof, a checkpoint
 *
 * Reading is safe on any bytes. What is read is not trusted before its checkpoint was opened with a key.
 */
enum { NOTE_NAME_MAX = 128, NOTE_ID = 4, NOTE_PUBLIC = 32, NOTE_SECRET = 32, NOTE_KEY_TEXT = 256 };

struct note_key {
	char name[NOTE_NAME_MAX + 1]; /* of the key, and origin of the checkpoints it signs */
	uint8_t id[NOTE_ID];
	uint8_t pub[NOTE_PUBLIC];
	bool has_secret;
	uint8_t secret[NOTE_SECRET];
};

/* A new key under a name that nobody else has. */
int note_key_make(struct note_key *ret, struct err *err);
/* Either form, with or without a newline. E_INVALID_ARGUMENT says what is wrong. */
int note_key_parse(struct slice text, struct note_key *ret, struct err *err);
/* With a newline. note_key_put_secret() needs has_secret. */
void note_key_put(const struct note_key *key, char ret[NOTE_KEY_TEXT]);
void note_key_put_secret(const struct note_key *key, char ret[NOTE_KEY_TEXT]);
/* id as eight hex digits. */
void note_key_put_id(const struct note_key *key, char ret[2 * NOTE_ID + 1]);

struct checkpoint {
	struct slice origin; /* lent from the text */
	uint64_t size;
	uint8_t root[MERKLE_HASH];
};

/* Appends the checkpoint that `key` signs; the origin is the key's name. key has a secret. */
int checkpoint_sign(uint64_t size, const uint8_t root[MERKLE_HASH], const struct note_key *key, struct buf *ret,
		    struct err *err);
/* Reads one without looking at its signatures. E_INVALID_ARGUMENT: it is not one. */
int checkpoint_read(struct slice text, struct checkpoint *ret, struct err *err);
/* Reads one and tests that `key` signed it. E_FORBIDDEN: of another ledger, or not what that ledger signed. */
int checkpoint_open(struct slice text, const struct note_key *key, struct checkpoint *ret, struct err *err);

enum statement_kind { STATEMENT_CHECKPOINT, STATEMENT_RECEIPT, STATEMENT_GROWTH };

/* Any of the three texts, taken apart. */
struct statement {
	enum statement_kind kind;
	uint64_t index;         /* receipt: of the event, from 0 */
	struct slice event;     /* receipt: its bytes as base64; absent: not told */
	uint64_t old_size;      /* growth */
	struct proof proof;     /* receipt, growth */
	struct slice note;      /* the checkpoint in it, or all of it */
	struct checkpoint head; /* that checkpoint, not tested */
};

void receipt_put(struct buf *b, uint64_t index, struct slice event, const struct proof *p, struct slice note);
void growth_put(struct buf *b, uint64_t old_size, const struct proof *p, struct slice note);
int statement_read(struct slice text, struct statement *ret, struct err *err);

#endif

#include "log/note.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "log/base64.h"

enum { ED25519 = 1, SIGNATURE = 64, SIGNED = NOTE_ID + SIGNATURE, SIGNATURES_MAX = 64, EXTRA_MAX = 24 << 20 };

#define SECRET_PREFIX "PRIVATE+KEY+"
#define DASH "\u2014 " /* begins a line of a signature */
#define RECEIPT_HEAD "c2sp.org/tlog-proof@v1"

/* ---- keys ---- */

static bool name_ok(struct slice name)
{
	const char *p = name.base;

	if (name.len == 0 || name.len > NOTE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (p[i] <= ' ' || p[i] > '~' || p[i] == '+') /* the names that we make are ASCII */
			return false;
	return true;
}

static int crypto_failed(struct err *err, const char *what)
{
	return err_set(err, E_INTERNAL, "libcrypto could not %s", what);
}

/* SHA-256(name, newline, kind of signature, public key), of which the first bytes. */
static int set_id(struct note_key *key, struct err *err)
{
	uint8_t in[NOTE_NAME_MAX + 2 + NOTE_PUBLIC], hash[EVP_MAX_MD_SIZE];
	size_t n = strlen(key->name);

	memcpy(in, key->name, n);
	in[n++] = '\n';
	in[n++] = ED25519;
	memcpy(in + n, key->pub, NOTE_PUBLIC);
	if (EVP_Digest(in, n + NOTE_PUBLIC, hash, NULL, EVP_sha256(), NULL) != 1)
		return crypto_failed(err, "hash");
	memcpy(key->id, hash, NOTE_ID);
	return 0;
}

/* From the secret to the public half. */
static int set_public(struct note_key *key, struct err *err)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->secret, NOTE_SECRET);
	size_t n = NOTE_PUBLIC;
	bool ok = k != NULL && EVP_PKEY_get_raw_public_key(k, key->pub, &n) == 1;

	EVP_PKEY_free(k);
	return ok ? 0 : crypto_failed(err, "use the key");
}

int note_key_make(struct note_key *ret, struct err *err)
{
	struct note_key key = { .has_secret = true };
	uint8_t chance[8];
	int rc;

	if (RAND_priv_bytes(key.secret, NOTE_SECRET) != 1 || RAND_bytes(chance, sizeof(chance)) != 1)
		return crypto_failed(err, "draw random bytes");
	snprintf(key.name, sizeof(key.name), "diana-ledger/%02x%02x%02x%02x%02x%02x%02x%02x", chance[0], chance[1],
		 chance[2], chance[3], chance[4], chance[5], chance[6], chance[7]);
	rc = set_public(&key, err);
	if (rc == 0)
		rc = set_id(&key, err);
	if (rc == 0)
		*ret = key;
	return rc;
}

/* Takes what stands before the next `end`, which is skipped. */
static bool take_until(struct slice *s, char end, struct slice *ret)
{
	const char *p = memchr(s->base, end, s->len);

	if (s->len == 0 || p == NULL)
		return false;
	*ret = slice_of(s->base, (size_t)(p - (const char *)s->base));
	*s = slice_of(p + 1, s->len - ret->len - 1);
	return true;
}

static bool take_prefix(struct slice *s, struct slice prefix)
{
	if (!slice_starts(*s, prefix))
		return false;
	*s = slice_of((const char *)s->base + prefix.len, s->len - prefix.len);
	return true;
}

int note_key_parse(struct slice text, struct note_key *ret, struct err *err)
{
	struct slice rest = text, name, id;
	struct note_key key = { .has_secret = take_prefix(&rest, SLICE_LIT(SECRET_PREFIX)) };
	uint8_t bytes[1 + NOTE_SECRET];
	char id_text[2 * NOTE_ID + 1];
	int rc = 0;

	if (rest.len > 0 && ((const char *)rest.base)[rest.len - 1] == '\n')
		rest.len--;
	if (!take_until(&rest, '+', &name) || !take_until(&rest, '+', &id) || !name_ok(name) ||
	    !base64_get(rest, bytes, sizeof(bytes)))
		return err_set(err, E_INVALID_ARGUMENT, "not a key: it would be name+id+base64");
	if (bytes[0] != ED25519)
		return err_set(err, E_INVALID_ARGUMENT, "a key of kind %d; only Ed25519 (1) is known", bytes[0]);
	memcpy(key.name, name.base, name.len);
	memcpy(key.has_secret ? key.secret : key.pub, bytes + 1, NOTE_PUBLIC);
	if (key.has_secret)
		rc = set_public(&key, err);
	if (rc == 0)
		rc = set_id(&key, err);
	if (rc != 0)
		return rc;
	note_key_put_id(&key, id_text);
	if (!slice_is(id, id_text))
		return err_set(err, E_INVALID_ARGUMENT, "not a key: its id would be %s", id_text);
	*ret = key;
	return 0;
}

void note_key_put_id(const struct note_key *key, char ret[2 * NOTE_ID + 1])
{
	snprintf(ret, 2 * NOTE_ID + 1, "%02x%02x%02x%02x", key->id[0], key->id[1], key->id[2], key->id[3]);
}

static void put_key(const char *prefix, const struct note_key *key, const uint8_t half[NOTE_PUBLIC],
		    char ret[NOTE_KEY_TEXT])
{
	uint8_t bytes[1 + NOTE_PUBLIC] = { ED25519 };
	char id[2 * NOTE_ID + 1], text[(1 + NOTE_PUBLIC + 2) / 3 * 4 + 1];

	memcpy(bytes + 1, half, NOTE_PUBLIC);
	base64_put(slice_of(bytes, sizeof(bytes)), text);
	note_key_put_id(key, id);
	snprintf(ret, NOTE_KEY_TEXT, "%s%s+%s+%s\n", prefix, key->name, id, text);
}

void note_key_put(const struct note_key *key, char ret[NOTE_KEY_TEXT])
{
	put_key("", key, key->pub, ret);
}

void note_key_put_secret(const struct note_key *key, char ret[NOTE_KEY_TEXT])
{
	assert(key->has_secret);
	put_key(SECRET_PREFIX, key, key->secret, ret);
}

/* ---- checkpoints ---- */

static int sign(const struct note_key *key, struct slice text, uint8_t ret[SIGNATURE], struct err *err)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->secret, NOTE_SECRET);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = SIGNATURE;
	bool ok = k != NULL && c != NULL && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 &&
		  EVP_DigestSign(c, ret, &n, text.base, text.len) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok ? 0 : crypto_failed(err, "sign");
}

static bool signed_by(const struct note_key *key, struct slice text, const uint8_t signature[SIGNATURE])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->pub, NOTE_PUBLIC);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = k != NULL && c != NULL && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1 &&
		  EVP_DigestVerify(c, signature, SIGNATURE, text.base, text.len) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok;
}

static void put_base64_line(struct buf *b, struct slice bytes)
{
	size_t n = base64_size(bytes.len);

	if (!buf_room(b, n + 2)) /* a terminator, which is overwritten, and the newline */
		return;
	base64_put(bytes, (char *)b->base + b->len);
	b->len += n;
	buf_byte(b, '\n');
}

int checkpoint_sign(uint64_t size, const uint8_t root[MERKLE_HASH], const struct note_key *key, struct buf *ret,
		    struct err *err)
{
	size_t from = ret->len;
	uint8_t bytes[SIGNED];
	char head[NOTE_NAME_MAX + 32];
	int n = snprintf(head, sizeof(head), "%s\n%" PRIu64 "\n", key->name, size), rc;

	assert(key->has_secret);
	buf_append(ret, head, (size_t)n);
	put_base64_line(ret, slice_of(root, MERKLE_HASH));
	if (ret->failed)
		return err_set(err, E_INTERNAL, "no memory");
	memcpy(bytes, key->id, NOTE_ID);
	rc = sign(key, slice_of(ret->base + from, ret->len - from), bytes + NOTE_ID, err);
	if (rc != 0)
		return rc;
	n = snprintf(head, sizeof(head), "\n" DASH "%s ", key->name);
	buf_append(ret, head, (size_t)n);
	put_base64_line(ret, slice_of(bytes, SIGNED));
	return ret->failed ? err_set(err, E_INTERNAL, "no memory") : 0;
}

static int not_a_checkpoint(struct err *err, const char *what)
{
	return err_set(err, E_INVALID_ARGUMENT, "not a signed checkpoint: %s", what);
}

static bool take_line(struct slice *s, struct slice *ret)
{
	return take_until(s, '\n', ret);
}

/* Without leading zeros. */
static bool number(struct slice s, uint64_t *ret)
{
	const char *p = s.base;
	uint64_t v = 0;

	if (s.len == 0 || s.len > 19 || (s.len > 1 && p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*ret = v;
	return true;
}

/* The last empty line parts the text, with its newline, from the signatures. */
static bool part(struct slice note, struct slice *ret_text, struct slice *ret_signatures)
{
	const char *p = note.base;

	if (note.len == 0 || p[note.len - 1] != '\n')
		return false;
	for (size_t i = note.len - 1; i > 0; i--) {
		if (p[i] != '\n' || p[i - 1] != '\n')
			continue;
		*ret_text = slice_of(p, i);
		*ret_signatures = slice_of(p + i + 1, note.len - i - 1);
		return ret_signatures->len > 0;
	}
	return false;
}

int checkpoint_read(struct slice text, struct checkpoint *ret, struct err *err)
{
	struct slice body, signatures, line;
	struct checkpoint c;

	if (!part(text, &body, &signatures))
		return not_a_checkpoint(err, "no signature behind an empty line");
	if (!take_line(&body, &c.origin) || c.origin.len == 0)
		return not_a_checkpoint(err, "no origin in its first line");
	if (!take_line(&body, &line) || !number(line, &c.size))
		return not_a_checkpoint(err, "no tree size in its second line");
	if (!take_line(&body, &line) || !base64_get(line, c.root, MERKLE_HASH))
		return not_a_checkpoint(err, "no root in its third line");
	*ret = c;
	return 0;
}

/* A line of a signature. False: malformed. *ret_ours: by this key, whose bytes are in ret. */
static bool read_signature(struct slice line, const struct note_key *key, bool *ret_ours, uint8_t ret[SIGNED])
{
	struct slice name;

	*ret_ours = false;
	if (!take_prefix(&line, SLICE_LIT(DASH)) || !take_until(&line, ' ', &name) || name.len == 0)
		return false;
	/* Others sign in other ways, at other lengths. */
	if (slice_is(name, key->name) && base64_get(line, ret, SIGNED))
		*ret_ours = memcmp(ret, key->id, NOTE_ID) == 0;
	return true;
}

int checkpoint_open(struct slice text, const struct note_key *key, struct checkpoint *ret, struct err *err)
{
	struct slice body, signatures, line;
	uint8_t bytes[SIGNED];
	struct checkpoint c = { 0 };
	char id[2 * NOTE_ID + 1];
	bool ours = false;
	int rc = checkpoint_read(text, &c, err);

	if (rc != 0)
		return rc;
	part(text, &body, &signatures);
	if (!slice_is(c.origin, key->name))
		return err_set(err, E_FORBIDDEN, "a checkpoint of another ledger: %.*s, not %s",
			       c.origin.len > 100 ? 100 : (int)c.origin.len, (const char *)c.origin.base, key->name);
	for (unsigned n = 0; !ours && n < SIGNATURES_MAX && take_line(&signatures, &line); n++)
		if (!read_signature(line, key, &ours, bytes))
			return not_a_checkpoint(err, "a line of a signature is malformed");
	note_key_put_id(key, id);
	if (!ours)
		return err_set(err, E_FORBIDDEN, "not signed by the key %s of %s", id, key->name);
	if (!signed_by(key, body, bytes + NOTE_ID))
		return err_set(err, E_FORBIDDEN, "the signature is not over this text: it was changed");
	*ret = c;
	return 0;
}

/* ---- receipts and growth ---- */

static void put_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

static void put_number(struct buf *b, const char *before, uint64_t v)
{
	char line[64];

	snprintf(line, sizeof(line), "%s%" PRIu64 "\n", before, v);
	put_text(b, line);
}

static void put_proof(struct buf *b, const struct proof *p, struct slice note)
{
	for (unsigned i = 0; i < p->n; i++)
		put_base64_line(b, slice_of(p->hash[i], MERKLE_HASH));
	put_text(b, "\n");
	buf_append(b, note.base, note.len);
}

void receipt_put(struct buf *b, uint64_t index, struct slice event, const struct proof *p, struct slice note)
{
	put_text(b, RECEIPT_HEAD "\nextra ");
	put_base64_line(b, event);
	put_number(b, "index ", index);
	put_proof(b, p, note);
}

void growth_put(struct buf *b, uint64_t old_size, const struct proof *p, struct slice note)
{
	put_number(b, "old ", old_size);
	put_proof(b, p, note);
}

static int not_a_proof(struct err *err, const char *what)
{
	return err_set(err, E_INVALID_ARGUMENT, "not a proof: %s", what);
}

static bool take_number_line(struct slice *s, struct slice prefix, uint64_t *ret)
{
	struct slice line;

	return take_line(s, &line) && take_prefix(&line, prefix) && number(line, ret);
}

/* Hashes up to an empty line, then the checkpoint. */
static int read_proof(struct slice rest, struct statement *st, struct err *err)
{
	struct slice line;

	for (;;) {
		if (!take_line(&rest, &line))
			return not_a_proof(err, "no empty line behind its hashes");
		if (line.len == 0)
			break;
		if (st->proof.n == PROOF_MAX || !base64_get(line, st->proof.hash[st->proof.n], MERKLE_HASH))
			return not_a_proof(err, "a line is not a hash, or there are too many");
		st->proof.n++;
	}
	st->note = rest;
	return checkpoint_read(rest, &st->head, err);
}

static int read_receipt(struct slice rest, struct statement *st, struct err *err)
{
	struct slice line, extra = SLICE_LIT("extra ");

	if (slice_starts(rest, extra)) {
		if (!take_line(&rest, &line) || line.len > EXTRA_MAX)
			return not_a_proof(err, "its event is cut, or too long");
		take_prefix(&line, extra);
		st->event = line;
	}
	if (!take_number_line(&rest, SLICE_LIT("index "), &st->index))
		return not_a_proof(err, "no index");
	return read_proof(rest, st, err);
}

int statement_read(struct slice text, struct statement *ret, struct err *err)
{
	struct statement st = { .note = text, .event = SLICE_NULL };
	struct slice rest = text;
	int rc;

	if (take_prefix(&rest, SLICE_LIT(RECEIPT_HEAD "\n"))) {
		st.kind = STATEMENT_RECEIPT;
		rc = read_receipt(rest, &st, err);
	} else if (slice_starts(rest, SLICE_LIT("old "))) {
		st.kind = STATEMENT_GROWTH;
		rc = take_number_line(&rest, SLICE_LIT("old "), &st.old_size) ? read_proof(rest, &st, err)
									      : not_a_proof(err, "no old size");
	} else {
		st.kind = STATEMENT_CHECKPOINT;
		rc = checkpoint_read(rest, &st.head, err);
	}
	if (rc == 0)
		*ret = st;
	return rc;
}

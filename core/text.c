#include "core/text.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <utf8proc.h>

/* Less than STATE_KEY_MAX by what ends a text in a key, and by an id. */
enum { KEY_BYTES = 380 };

static bool is_space(utf8proc_int32_t c)
{
	utf8proc_category_t cat = utf8proc_category(c);

	return (c >= 9 && c <= 13) || cat == UTF8PROC_CATEGORY_ZS || cat == UTF8PROC_CATEGORY_ZL ||
	       cat == UTF8PROC_CATEGORY_ZP;
}

struct slice text_trim(struct slice s)
{
	const uint8_t *p = s.base, *end = p + s.len;
	utf8proc_int32_t c;

	while (p < end) {
		utf8proc_ssize_t n = utf8proc_iterate(p, end - p, &c);

		if (n <= 0 || !is_space(c))
			break;
		p += n;
	}
	while (end > p) {
		const uint8_t *q = end - 1;

		while (q > p && (*q & 0xc0) == 0x80)
			q--;
		if (utf8proc_iterate(q, end - q, &c) <= 0 || !is_space(c))
			break;
		end = q;
	}
	return slice_of(p, (size_t)(end - p));
}

struct slice text_emoji(struct slice s, struct arena *arena)
{
	static const char selector[] = "\xef\xb8\x8f";
	const char *p = s.base, *end = p + s.len, *at;
	char *copy, *to;

	if (memmem(p, s.len, selector, 3) == NULL)
		return s;
	copy = to = arena_take(arena, s.len);
	if (copy == NULL)
		return SLICE_NULL;
	while ((at = memmem(p, (size_t)(end - p), selector, 3)) != NULL) {
		to = mempcpy(to, p, (size_t)(at - p));
		p = at + 3;
	}
	to = mempcpy(to, p, (size_t)(end - p));
	return slice_of(copy, (size_t)(to - copy));
}

/* utf8proc_map into the arena; absent when it cannot. */
static struct slice map_text(struct slice s, utf8proc_option_t options, struct arena *arena)
{
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t n = utf8proc_map(s.base, (utf8proc_ssize_t)s.len, &out, options);
	struct slice copy = n < 0 ? SLICE_NULL : arena_copy(arena, slice_of(out, (size_t)n));

	if (n < 0)
		arena->failed = true;
	free(out);
	return copy;
}

/* A zero byte takes two in a key. */
static bool fits_key(struct slice s)
{
	const char *p = s.base;
	size_t n = s.len;

	for (size_t i = 0; i < s.len; i++)
		n += p[i] == '\0';
	return n <= KEY_BYTES;
}

struct slice text_short(struct slice s, struct arena *arena)
{
	uint8_t digest[32];

	if (s.len <= TEXT_SHORT_MAX && fits_key(s))
		return s;
	EVP_Digest(s.base, s.len, digest, NULL, EVP_sha256(), NULL);
	return arena_copy(arena, slice_of(digest, sizeof(digest)));
}

struct slice text_fold_name(struct slice s, struct arena *arena)
{
	utf8proc_option_t fold = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD;

	return s.len == 0 ? SLICE_LIT("") : text_short(map_text(s, fold, arena), arena);
}

struct slice text_fold_search(struct slice s, struct arena *arena)
{
	return map_text(s,
			UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK,
			arena);
}

static bool is_word(utf8proc_int32_t c)
{
	utf8proc_category_t cat = utf8proc_category(c);

	return (cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO) ||
	       (cat >= UTF8PROC_CATEGORY_ND && cat <= UTF8PROC_CATEGORY_NO);
}

static int word_cmp(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Keeps what is new among v[0..n). */
static bool known_word(const struct words *w, struct slice word)
{
	for (size_t i = 0; i < w->n; i++)
		if (slice_eq(w->v[i], word))
			return true;
	return false;
}

static void split_words(struct slice folded, size_t max, struct words *w)
{
	const uint8_t *p = folded.base, *end = p + folded.len;

	while (p < end && w->n < max) {
		utf8proc_int32_t c;
		utf8proc_ssize_t n = utf8proc_iterate(p, end - p, &c);
		const uint8_t *start = p, *cut = NULL;

		if (n <= 0)
			return;
		if (!is_word(c)) {
			p += n;
			continue;
		}
		while (p < end && (n = utf8proc_iterate(p, end - p, &c)) > 0 && is_word(c)) {
			if (cut == NULL && p + n - start > TEXT_WORD_MAX)
				cut = p;
			p += n;
		}
		if (cut == NULL)
			cut = p;
		if (!known_word(w, slice_of(start, (size_t)(cut - start))))
			w->v[w->n++] = slice_of(start, (size_t)(cut - start));
	}
}

struct words text_words(const struct slice *texts, size_t n_texts, size_t max, struct arena *arena)
{
	struct words w = { arena_take(arena, max * sizeof(struct slice)), 0 };

	if (w.v == NULL)
		return w;
	for (size_t i = 0; i < n_texts; i++) {
		if (texts[i].len == 0)
			continue;
		split_words(text_fold_search(texts[i], arena), max, &w);
	}
	qsort(w.v, w.n, sizeof(w.v[0]), word_cmp);
	return w;
}

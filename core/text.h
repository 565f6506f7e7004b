#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include "core/arena.h"
#include "core/slice.h"

/* Texts as people compare and search them. All take valid UTF-8. */

/* Without white space (Unicode) around it. Lent from s. */
struct slice text_trim(struct slice s);

/* Without U+FE0F, which only says how an emoji is drawn. Lent from s when it has none, else in the arena. */
struct slice text_emoji(struct slice s, struct arena *arena);

/* Fit to be part of a key: s itself, or (longer than 200 bytes) its SHA-256, in the arena. */
enum { TEXT_SHORT_MAX = 200 };
struct slice text_short(struct slice s, struct arena *arena);

/* NFKC case folding, for unique names; made short. In the arena. */
struct slice text_fold_name(struct slice s, struct arena *arena);

/* As words are folded for search: NFKD, combining marks removed, case folded. In the arena. */
struct slice text_fold_search(struct slice s, struct arena *arena);

/*
 * Words for search: NFKD, combining marks removed, case folded, split at whatever is neither letter nor
 * digit; of each word the first 32 bytes (whole characters); at most `max` different ones. Sorted by bytes.
 * In the arena; n = 0 with words NULL when there is no room.
 */
enum { TEXT_WORD_MAX = 32, TEXT_WORDS_MAX = 1000 };
struct words {
	struct slice *v;
	size_t n;
};
struct words text_words(const struct slice *texts, size_t n_texts, size_t max, struct arena *arena);

#endif

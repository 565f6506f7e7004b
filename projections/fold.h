#ifndef PROJECTIONS_FOLD_H
#define PROJECTIONS_FOLD_H

#include "core/decide.h"

/*
 * Folding: events into rows. A fold is total (any event of the log can be applied), reads neither clock
 * nor configuration nor randomness, and touches the tables of its own projection only, so that a
 * projection can be rebuilt from seq 1 without the others, to the same bytes.
 *
 * Raise the version of a PROJECTION in its .def when its tables or folds change.
 */
struct fold {
	enum event_type type;
	void (*fn)(struct state *s, const struct event *ev);
};

struct fold_table {
	const struct fold *folds;
	size_t n;
	/* NULL, or for every event, whatever its type */
	void (*every)(struct state *s, const struct event *ev);
};

extern const struct fold_table user_folds, point_folds, achievement_folds, mission_folds, channel_folds,
	narrative_folds, auction_folds, game_folds, config_folds, log_folds;

/*
 * Moves an item of a word index, a table keyed by (word, id ...), from the words of its old texts to those of its new
 * ones; only what differs is touched. n 0: it was, or will be, none. id: the parts behind the word.
 */
void move_words(struct state *s, enum table_id table, const struct key *id, const struct slice *old, size_t n_old,
		const struct slice *new, size_t n_new);

/* Folds ev into the projections whose bits are set. */
void fold_event(struct state *s, const struct event *ev, unsigned projections);
/*
 * Starts fetching the rows that folding these events is going to touch, all at once. No effect but speed: a fold
 * of many events waits for memory more than for anything else.
 */
enum { FOLD_AHEAD = 16 };
void fold_ahead(struct state *s, const struct event *events, size_t n, unsigned projections);
enum { ALL_PROJECTIONS = (1u << N_PROJECTIONS) - 1 };

#endif

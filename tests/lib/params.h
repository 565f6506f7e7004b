#ifndef TESTS_LIB_PARAMS_H
#define TESTS_LIB_PARAMS_H

#include <jansson.h>

#include "core/decide.h"
#include "tests/lib/random.h"

/*
 * Random params of any method, by what the schema says of them: a method that is new is drawn by itself. Values come
 * from small ranges, so that things collide; ids are those of what is there, or lately was.
 */
enum { PEOPLE = 24, POOL_MAX = 12, POOL_ID_MAX = 104 };

/* Things of a kind that there are, latest last, and the latest that is no more. */
struct pool {
	char ids[POOL_MAX][POOL_ID_MAX];
	int n;
	char gone[POOL_ID_MAX];
};

enum pool_id {
	/* those that own a stream, by enum stream_id; behind them those that do not */
	POOL_bid = N_STREAMS,
	POOL_question,
	POOL_transaction,
	POOL_token_text,
	N_POOLS
};

struct params_source {
	struct random random;
	struct state *state; /* to see what a bid must be */
	int64_t now;
	uint64_t fresh; /* makes new keys */
	struct pool pools[N_POOLS];
	enum method_id method; /* drawn for */
};

void params_source_init(struct params_source *s, uint64_t seed);
/* Learns what there is from each event. */
void params_note(struct params_source *s, const struct event *ev);
/* Learns that something is not there. */
void params_gone(struct params_source *s, const char *kind, const char *id);
/* Mostly the same few, so that something happens to them. */
int64_t some_person(struct params_source *s);
/* Of a kind ("auction", "lore"); false: there is none, *ret is not touched. */
bool some_id(struct params_source *s, const char *kind, char ret[POOL_ID_MAX]);
/* How many of the kind there are, at most POOL_MAX. */
int pool_size(const struct params_source *s, const char *kind);
/* A map with `kind`, if the method has several. */
json_t *draw_params(struct params_source *s, enum method_id m);
/* Makes one of the params wrong, most of the time. */
void spoil_params(struct params_source *s, json_t *params);

#endif

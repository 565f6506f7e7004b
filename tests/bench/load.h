#ifndef DIANA_BENCH_LOAD_H
#define DIANA_BENCH_LOAD_H

#include <sys/types.h>

#include "hist.h"
#include "util.h"

/*
 * The load generator: one thread, epoll. In a closed loop each connection keeps `depth` requests in
 * flight; a reply frees a slot, which is used again at once. In an open loop requests are due at a
 * fixed rate, whatever the server does, and take the slots in turn; one that finds none free is sent
 * as soon as there is one, and its latency counts from when it was due. It shares the machine with the
 * server it measures, so it does as little as it can: requests are templates with patched fields, a
 * read lands in one shared buffer, a reply is only scanned for its end, its slot and an error, and the
 * clock is read once per wake-up.
 */

enum op {
	OP_LOAD,    /* create the users with their first amount; ends when all exist */
	OP_AWARD,   /* a random amount for a random user */
	OP_BALANCE, /* balance of a random user */
	OP_RANK,    /* rank of a random user */
	OP_PREPARE, /* create what the mix is about; ends when all exist. dianad only, like the mix */
	OP_MIX,     /* see mix.h */
	OP_HISTORY, /* the last hundred transactions of a regular; dianad only, like what follows */
	OP_TRAIL,   /* the last hundred events of a regular, from the log */
	OP_PROVE,   /* proof that one of the first `events` events is in the log */
};

/* What both servers are told about: the users and what they were given so far. */
struct workload {
	uint32_t users;
	uint32_t loaded; /* users that OP_LOAD has asked for */
	uint64_t random;
	uint64_t awards;   /* requested by OP_AWARD */
	uint64_t credited; /* points, by OP_LOAD and OP_AWARD together */
	uint32_t prepared; /* requests of OP_PREPARE so far */
	uint32_t bids;     /* of OP_MIX so far */
	/* Every so many awards one goes to the next of the first `regulars` users, so that each gets a history that is
	 * spread over the whole log. 0: there are none. */
	uint32_t regulars;
	uint32_t regular_every;
	uint32_t events; /* that OP_PROVE asks for */
};

/* Ten digits, as the ids of the real users have, all of one width on any wire. */
#define USER_BASE 1000000000u
uint32_t workload_first_amount(uint32_t index);
uint32_t workload_pick_user(struct workload *w);
uint32_t workload_pick_regular(struct workload *w);
/* Whom the next award is for. To be called before the amount is picked. */
uint32_t workload_pick_awarded(struct workload *w);
uint32_t workload_pick_amount(struct workload *w);

struct reply {
	uint32_t slot;        /* set by drivers whose replies come in any order */
	const uint8_t *error; /* NULL when the call went well; borrowed from the scanned bytes */
	size_t error_len;
};

/* One protocol. */
struct driver {
	const char *name;
	bool in_order; /* replies come in the order of the requests */
	/* Appends one request that will be answered with this slot. */
	void (*encode)(struct workload *w, enum op op, uint32_t slot, struct bytes *out);
	/* Length of the first whole reply, 0 if it is not whole yet, -1 if this is no reply. */
	ssize_t (*scan)(const uint8_t *base, size_t len, struct reply *ret_reply);
	void (*explain)(const struct reply *reply, char *text, size_t size);
};

struct load_spec {
	const struct driver *driver;
	const char *socket;
	struct workload *work;
	enum op op;
	uint32_t connections;
	uint32_t depth;
	double rate; /* requests a second, in an open loop; 0: a closed one */
	/* All but OP_LOAD: nothing counts before warmup_s; then it ends after this many replies or
	 * seconds, whichever comes first. Whatever is in flight then is awaited, not counted. */
	uint64_t count;
	double warmup_s;
	double seconds;
	/* Whether it ends now, beside count and seconds; asked at every turn of the loop. May be NULL. */
	bool (*over)(void *arg);
	void *over_arg;
	/* Whether an error is part of the work: then it is counted as a refusal. NULL: none is. */
	bool (*expects)(const struct reply *reply);
	/* Called about four times a second while it runs. May be NULL. */
	void (*tick)(void *arg);
	void *tick_arg;
};

/* Added to, so that rounds of one measurement sum up. */
struct load_result {
	uint64_t ops;
	double seconds;
	uint64_t all_ops;  /* with warm-up and what was in flight at the end */
	uint64_t refusals; /* errors that were expected */
	uint64_t errors;
	char first_error[256];
	struct hist latency;
};

/* -1: connection lost, protocol broken, stalled or interrupted; said on stderr. Replies that are
 * errors are counted, they do not end the run. */
int load_run(const struct load_spec *spec, struct load_result *result);

#endif

#ifndef TESTS_LIB_BOOKS_H
#define TESTS_LIB_BOOKS_H

#include <jansson.h>

#include "core/decide.h"
#include "tests/lib/params.h"

/*
 * A second set of books: a small model of all aggregates that is told each event and shares no code with folds and
 * decisions. It fails the test at the event that must not be (paid twice, held twice, a gap in a stream), and says
 * whether the tables agree with what it has been told.
 */
enum { BOOKS_GRANTS = 128, BOOKS_AUCTIONS = 1024 };

struct book_grant {
	uint64_t id;
	int64_t starts_at, ends_at; /* INT64_MAX: for good */
};

struct person {
	bool there, admin, has_gift, has_checkin;
	int64_t balance, held, level, gift_at, checkin_day;
	struct book_grant grants[BOOKS_GRANTS]; /* that nothing has closed, in order */
	int n_grants;
	json_t *once; /* what is given once, and is forgotten with the user */
};

/* One that is active. leader 0: none. */
struct book_auction {
	uint64_t id;
	uint64_t leader, hold; /* bid and its open hold */
	int64_t user_id, amount;
};

struct books {
	struct person people[PEOPLE + 1]; /* by id; 0 is nobody */
	int64_t credits, debits, held;
	struct book_auction auctions[BOOKS_AUCTIONS];
	int n_auctions;
	json_t *once;       /* what is given once, whatever becomes of the user */
	json_t *streams;    /* latest version of each */
	json_t *repeatable; /* missions */
	int64_t periods[2]; /* latest daily, weekly */
	bool period_known[2];
	uint64_t seq, commit;
	int64_t at;
	uint64_t seen[N_EVENTS]; /* how many of each */
};

void books_init(struct books *b);
void books_free(struct books *b);
/* The next event of the log. */
void books_event(struct books *b, const struct event *ev);
/* What must hold behind each commit. */
void books_commit(const struct books *b);
/* The tables hold what the books do: cheap ones, and all that takes a walk. */
void books_compare(const struct books *b, struct state *s, int64_t now);
void books_compare_all(const struct books *b, struct state *s, int64_t now);

#endif

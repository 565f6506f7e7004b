#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdint.h>

#include "core/slice.h"

/*
 * The closed set of errors (docs/errors.md). Every function that can fail returns 0 or one of these;
 * the wire knows them by their lower-case names. ERR(code, wire name, when).
 */
#define ERR_LIST(ERR)                                                                                                  \
	ERR(UNKNOWN_METHOD, "unknown_method", "no such method")                                                        \
	ERR(INVALID_ARGUMENT, "invalid_argument", "missing, unknown, mistyped, out-of-range or contradictory param")   \
	ERR(NOT_FOUND, "not_found", "addressed or referenced entity does not exist or is deleted")                     \
	ERR(ALREADY_EXISTS, "already_exists", "key taken, or the relation exists already")                             \
	ERR(VERSION_CONFLICT, "version_conflict", "expected_version or a guard param differs")                         \
	ERR(IDEMPOTENCY_CONFLICT, "idempotency_conflict", "key reused for something else")                             \
	ERR(INSUFFICIENT_POINTS, "insufficient_points", "available balance below the amount")                          \
	ERR(REQUIREMENTS_NOT_MET, "requirements_not_met", "conditions not satisfied")                                  \
	ERR(FORBIDDEN, "forbidden", "role of the peer, access gate, feature switched off")                             \
	ERR(NOT_ACTIVE, "not_active", "definition inactive, not yet started, ended or expired")                        \
	ERR(ALREADY_COMPLETED, "already_completed", "completed by the user before")                                    \
	ERR(ALREADY_PROCESSED, "already_processed", "request decided, attempt finished, token used or expired")        \
	ERR(AUCTION_NOT_ACTIVE, "auction_not_active", "the auction's status does not allow it")                        \
	ERR(AUCTION_NOT_PENDING, "auction_not_pending", "start on an auction that is not pending")                     \
	ERR(BID_TOO_LOW, "bid_too_low", "bid under the minimum")                                                       \
	ERR(ALREADY_HIGHEST_BIDDER, "already_highest_bidder", "bidder leads already")                                  \
	ERR(AUCTION_FULL, "auction_full", "participant limit reached")                                                 \
	ERR(COOLDOWN, "cooldown", "too early")                                                                         \
	ERR(RATE_LIMITED, "rate_limited", "more activity per minute than allowed")                                     \
	ERR(LIMIT_EXCEEDED, "limit_exceeded", "count, size, balance, commit or answer ceiling")                        \
	ERR(IN_USE, "in_use", "delete refused, or a rebuild is running")                                               \
	ERR(VERSION_UNSUPPORTED, "version_unsupported", "import or backup format unknown")                             \
	ERR(MAINTENANCE, "maintenance", "maintenance mode")                                                            \
	ERR(UNAVAILABLE, "unavailable", "starting, stopping, view rebuilding, or outcome unknown")                     \
	ERR(STORAGE_FULL, "storage_full", "log cannot grow")                                                           \
	ERR(INTERNAL, "internal", "defect; nothing was appended")

enum err_code {
	E_OK = 0,
#define ERR(code, wire, when) E_##code,
	ERR_LIST(ERR)
#undef ERR
		E_COUNT
};

/*
 * One failure, on its way up. Fixed size: reporting never allocates. Set only on failure.
 * text: one sentence for people. details: what the wire's `details` map holds, as packed msgpack
 * pairs (n_details of them); details that do not fit are left out.
 */
struct err {
	enum err_code code;
	char text[240];
	uint8_t details[400];
	uint16_t details_len;
	uint8_t n_details;
};

/* Sets code and text and forgets older details. Returns code. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* invalid_argument: details.field and details.reason; the text names both. */
int err_field(struct err *err, const char *field, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* not_found: details.kind and details.id. */
int err_missing(struct err *err, const char *kind, int64_t id);
int err_missing_text(struct err *err, const char *kind, struct slice id);
/* already_exists: details.kind and details.id. */
int err_exists(struct err *err, const char *kind, int64_t id);
int err_exists_text(struct err *err, const char *kind, struct slice id);
/* Any code, with one detail: in_use and forbidden have a `reason`, not_active and already_processed a `status`. */
int err_with(struct err *err, enum err_code code, const char *detail, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Puts "what: " before the text, for context on the way up. Returns err->code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Add to details. Points are int64 thousandths and become the wire's number. */
void err_detail_int(struct err *err, const char *key, int64_t v);
void err_detail_text(struct err *err, const char *key, struct slice v);
void err_detail_points(struct err *err, const char *key, int64_t thousandths);
/* Any packed msgpack value. */
void err_detail_raw(struct err *err, const char *key, struct slice packed);

const char *err_name(enum err_code code);
/* E_OK when there is no such name. */
enum err_code err_by_name(struct slice name);
const char *err_when(enum err_code code);

#endif

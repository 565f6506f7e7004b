#ifndef DAEMON_CLIENT_FORMAT_H
#define DAEMON_CLIENT_FORMAT_H

/* Numbers and times as people write them. Every function fills out and returns it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_FORMAT_MAX 64 /* room enough for anything printed here */

/* The fewest digits that read back as the same double; always with a point or an exponent, so that
 * it stays a real. number must be finite. */
char *client_format_real(char out[CLIENT_FORMAT_MAX], double number);

/* Thousandths as points: "12", or "12.500" when decimals is set. */
char *client_format_points(char out[CLIENT_FORMAT_MAX], int64_t milli, bool decimals);

/* Unix milliseconds as "YYYY-MM-DD HH:MM:SS", local or UTC. */
char *client_format_time(char out[CLIENT_FORMAT_MAX], int64_t unix_ms, bool utc);

/* "3d 04:05:06", or "04:05:06" below a day. */
char *client_format_duration(char out[CLIENT_FORMAT_MAX], uint64_t duration_ms);

/* "12.5 MiB". */
char *client_format_bytes(char out[CLIENT_FORMAT_MAX], uint64_t bytes);

/* "[#####---------------]": twenty signs for a share of 0 to 1; what lies outside is cut. */
char *client_format_bar(char out[CLIENT_FORMAT_MAX], double share);

/*
 * Reads "YYYY-MM-DD", optionally followed by " HH:MM" or " HH:MM:SS" (or T between them). A date alone
 * means its first moment, or with end_of_day the first moment of the day after. False: not such a date.
 */
bool client_parse_date(const char *text, bool utc, bool end_of_day, int64_t *ret_unix_ms);

/*
 * Reads a moment: Unix milliseconds; RFC 3339 ("2026-01-31T18:00:00.250Z", "...+01:00"); or a date as above, without a
 * zone, in which a day means its last millisecond (ret_day tells). False: none of these.
 */
bool client_parse_moment(const char *text, bool utc, int64_t *ret_unix_ms, bool *ret_day);

/* A whole decimal number and nothing else. */
bool client_parse_uint(const char *text, uint64_t *ret);

#endif

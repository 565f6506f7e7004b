#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strptime, timegm */
#endif

#include "daemon/client_format.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REAL_DIGITS_MAX 17 /* any double reads back from this many */

/* Plain notation between these exponents, since 4e+12 is no way to write an amount of points. */
#define PLAIN_EXPONENT_MIN (-5)
#define PLAIN_EXPONENT_MAX 15

#define BAR_SIGNS 20

static int real_shortest_digits(char out[CLIENT_FORMAT_MAX], double number)
{
	int digits = 1;

	for (; digits < REAL_DIGITS_MAX; digits++) {
		snprintf(out, CLIENT_FORMAT_MAX, "%.*e", digits - 1, number);
		if (strtod(out, NULL) == number)
			return digits;
	}
	snprintf(out, CLIENT_FORMAT_MAX, "%.*e", digits - 1, number);
	return digits;
}

char *client_format_real(char out[CLIENT_FORMAT_MAX], double number)
{
	int digits = real_shortest_digits(out, number);
	int exponent = atoi(strchr(out, 'e') + 1);
	int decimals = digits - 1 - exponent;

	if (exponent >= PLAIN_EXPONENT_MIN && exponent <= PLAIN_EXPONENT_MAX)
		snprintf(out, CLIENT_FORMAT_MAX, "%.*f", decimals < 1 ? 1 : decimals, number);
	return out;
}

char *client_format_points(char out[CLIENT_FORMAT_MAX], int64_t milli, bool decimals)
{
	uint64_t size = milli < 0 ? 0 - (uint64_t)milli : (uint64_t)milli;
	const char *sign = milli < 0 ? "-" : "";

	if (decimals)
		snprintf(out, CLIENT_FORMAT_MAX, "%s%" PRIu64 ".%03" PRIu64, sign, size / 1000, size % 1000);
	else
		snprintf(out, CLIENT_FORMAT_MAX, "%s%" PRIu64, sign, size / 1000);
	return out;
}

char *client_format_time(char out[CLIENT_FORMAT_MAX], int64_t unix_ms, bool utc)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	const struct tm *known = utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm);

	if (known == NULL || strftime(out, CLIENT_FORMAT_MAX, "%Y-%m-%d %H:%M:%S", known) == 0)
		snprintf(out, CLIENT_FORMAT_MAX, "%" PRId64 " ms", unix_ms);
	return out;
}

char *client_format_duration(char out[CLIENT_FORMAT_MAX], uint64_t duration_ms)
{
	uint64_t seconds = duration_ms / 1000;
	unsigned hour = (unsigned)(seconds / 3600 % 24);
	unsigned minute = (unsigned)(seconds / 60 % 60);
	unsigned second = (unsigned)(seconds % 60);

	if (seconds >= 86400)
		snprintf(out, CLIENT_FORMAT_MAX, "%" PRIu64 "d %02u:%02u:%02u", seconds / 86400, hour, minute, second);
	else
		snprintf(out, CLIENT_FORMAT_MAX, "%02u:%02u:%02u", hour, minute, second);
	return out;
}

char *client_format_bytes(char out[CLIENT_FORMAT_MAX], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double amount = (double)bytes / 1024.0;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, CLIENT_FORMAT_MAX, "%" PRIu64 " B", bytes);
		return out;
	}
	for (; amount >= 1023.95 && unit < 5; unit++)
		amount /= 1024.0;
	snprintf(out, CLIENT_FORMAT_MAX, "%.1f %s", amount, units[unit]);
	return out;
}

/* Full only when all is done: 0.99 leaves a dash. */
char *client_format_bar(char out[CLIENT_FORMAT_MAX], double share)
{
	int done = share > 0 ? (int)(share < 1 ? share * BAR_SIGNS : BAR_SIGNS) : 0;

	snprintf(out, CLIENT_FORMAT_MAX, "[%.*s%.*s]", done, "####################", BAR_SIGNS - done,
		 "--------------------");
	return out;
}

static const char *parse_clock(const char *text, struct tm *tm)
{
	const char *rest = strptime(text, "%H:%M:%S", tm);

	return rest != NULL ? rest : strptime(text, "%H:%M", tm);
}

/* mktime and timegm carry 31 February over into March; a person who typed it is to be told. */
static bool date_exists(const struct tm *asked, struct tm probe)
{
	return timegm(&probe) != (time_t)-1 && probe.tm_mday == asked->tm_mday && probe.tm_mon == asked->tm_mon;
}

bool client_parse_date(const char *text, bool utc, bool end_of_day, int64_t *ret_unix_ms)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	time_t seconds;

	if (rest == NULL || !date_exists(&tm, tm))
		return false;
	if (*rest == ' ' || *rest == 'T')
		rest = parse_clock(rest + 1, &tm);
	else if (end_of_day)
		tm.tm_mday++;
	if (rest == NULL || *rest != '\0')
		return false;
	tm.tm_isdst = -1;
	seconds = utc ? timegm(&tm) : mktime(&tm);
	if (seconds < 0)
		return false;
	*ret_unix_ms = (int64_t)seconds * 1000;
	return true;
}

/* ".250": at most three digits count. NULL: a point without digits. */
static const char *parse_fraction(const char *text, int64_t *ret_ms)
{
	int64_t unit = 100;

	*ret_ms = 0;
	if (*text != '.')
		return text;
	if (!isdigit((unsigned char)text[1]))
		return NULL;
	for (text++; isdigit((unsigned char)*text); text++, unit /= 10)
		*ret_ms += (*text - '0') * unit;
	return text;
}

/* "Z" or "+01:00", to the end of the text. */
static bool parse_zone(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *rest;

	*ret_ms = 0;
	if (strcasecmp(text, "Z") == 0)
		return true;
	if (*text != '+' && *text != '-')
		return false;
	rest = strptime(text + 1, "%H:%M", &tm);
	if (rest == NULL || *rest != '\0')
		return false;
	*ret_ms = (int64_t)(tm.tm_hour * 60 + tm.tm_min) * 60000 * (*text == '-' ? -1 : 1);
	return true;
}

static bool parse_rfc3339(const char *text, int64_t *ret_unix_ms)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	int64_t fraction, zone;

	if (rest == NULL || !date_exists(&tm, tm) || strchr("Tt ", *rest) == NULL || *rest == '\0')
		return false;
	rest = strptime(rest + 1, "%H:%M:%S", &tm);
	if (rest != NULL)
		rest = parse_fraction(rest, &fraction);
	if (rest == NULL || !parse_zone(rest, &zone))
		return false;
	*ret_unix_ms = (int64_t)timegm(&tm) * 1000 + fraction - zone;
	return *ret_unix_ms >= 0;
}

bool client_parse_moment(const char *text, bool utc, int64_t *ret_unix_ms, bool *ret_day)
{
	uint64_t number;

	*ret_day = false;
	if (client_parse_uint(text, &number)) {
		*ret_unix_ms = (int64_t)number;
		return number < INT64_MAX;
	}
	if (parse_rfc3339(text, ret_unix_ms))
		return true;
	if (!client_parse_date(text, utc, true, ret_unix_ms))
		return false;
	*ret_day = strpbrk(text, " T") == NULL;
	*ret_unix_ms -= *ret_day;
	return true;
}

bool client_parse_uint(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*ret = value;
	return true;
}

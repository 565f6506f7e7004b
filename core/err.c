#include "core/err.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/mp.h"

static const struct {
	const char *name;
	const char *when;
} codes[E_COUNT] = {
#define ERR(code, wire, w) [E_##code] = { wire, w },
	ERR_LIST(ERR)
#undef ERR
};

const char *err_name(enum err_code code)
{
	assert(code > E_OK && code < E_COUNT);
	return codes[code].name;
}

const char *err_when(enum err_code code)
{
	assert(code > E_OK && code < E_COUNT);
	return codes[code].when;
}

enum err_code err_by_name(struct slice name)
{
	for (int i = 1; i < E_COUNT; i++)
		if (slice_is(name, codes[i].name))
			return (enum err_code)i;
	return E_OK;
}

/* Texts go out as UTF-8: a character cut in two at the end goes; what never was UTF-8 (a path) is shown as ?. */
static void mend_text(char *text)
{
	size_t n = strlen(text);

	for (int cut = 0; cut < 4; cut++)
		if (utf8_valid(slice_of(text, n - (size_t)cut))) {
			text[n - (size_t)cut] = '\0';
			return;
		} else if (n == (size_t)cut) {
			break;
		}
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
}

static void set_text(struct err *err, enum err_code code, const char *fmt, va_list ap)
{
	err->code = code;
	err->details_len = 0;
	err->n_details = 0;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	mend_text(err->text);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	assert(code > E_OK && code < E_COUNT);
	va_start(ap, fmt);
	set_text(err, code, fmt, ap);
	va_end(ap);
	return (int)code;
}

int err_field(struct err *err, const char *field, const char *fmt, ...)
{
	char reason[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	mend_text(reason);
	err_set(err, E_INVALID_ARGUMENT, "%s: %s", field, reason);
	err_detail_text(err, "field", slice_str(field));
	err_detail_text(err, "reason", slice_str(reason));
	return E_INVALID_ARGUMENT;
}

int err_missing(struct err *err, const char *kind, int64_t id)
{
	err_set(err, E_NOT_FOUND, "no %s %" PRId64, kind, id);
	err_detail_text(err, "kind", slice_str(kind));
	err_detail_int(err, "id", id);
	return E_NOT_FOUND;
}

int err_missing_text(struct err *err, const char *kind, struct slice id)
{
	err_set(err, E_NOT_FOUND, "no %s \"%.*s\"", kind, SLICE_FMT(id));
	err_detail_text(err, "kind", slice_str(kind));
	err_detail_text(err, "id", id);
	return E_NOT_FOUND;
}

int err_exists(struct err *err, const char *kind, int64_t id)
{
	err_set(err, E_ALREADY_EXISTS, "%s %" PRId64 " exists", kind, id);
	err_detail_text(err, "kind", slice_str(kind));
	err_detail_int(err, "id", id);
	return E_ALREADY_EXISTS;
}

int err_exists_text(struct err *err, const char *kind, struct slice id)
{
	err_set(err, E_ALREADY_EXISTS, "%s \"%.*s\" exists", kind, SLICE_FMT(id));
	err_detail_text(err, "kind", slice_str(kind));
	err_detail_text(err, "id", id);
	return E_ALREADY_EXISTS;
}

int err_with(struct err *err, enum err_code code, const char *detail, const char *value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(err, code, fmt, ap);
	va_end(ap);
	err_detail_text(err, detail, slice_str(value));
	return (int)code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char what[sizeof(err->text)], inner[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	memcpy(inner, err->text, sizeof(inner));
	if ((size_t)snprintf(err->text, sizeof(err->text), "%s: %s", what, inner) >= sizeof(err->text))
		mend_text(err->text);
	return (int)err->code;
}

/* Appends one packed pair to the details if both fit. */
static void add_pair(struct err *err, const char *key, struct slice packed)
{
	uint8_t small[sizeof(err->details)];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_text(&b, slice_str(key));
	buf_append(&b, packed.base, packed.len);
	if (!b.failed && err->details_len + b.len <= sizeof(err->details)) {
		memcpy(err->details + err->details_len, b.base, b.len);
		err->details_len = (uint16_t)(err->details_len + b.len);
		err->n_details++;
	}
}

void err_detail_raw(struct err *err, const char *key, struct slice packed)
{
	add_pair(err, key, packed);
}

void err_detail_int(struct err *err, const char *key, int64_t v)
{
	uint8_t small[16];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_int64(&b, v);
	add_pair(err, key, buf_slice(&b));
}

void err_detail_text(struct err *err, const char *key, struct slice v)
{
	uint8_t small[sizeof(err->details)];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_text(&b, v);
	if (!b.failed)
		add_pair(err, key, buf_slice(&b));
}

void err_detail_points(struct err *err, const char *key, int64_t thousandths)
{
	uint8_t small[16];
	struct buf b = { .base = small, .cap = sizeof(small), .max = sizeof(small) };

	mp_put_points(&b, thousandths);
	add_pair(err, key, buf_slice(&b));
}

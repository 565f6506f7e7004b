#include "daemon/reference.h"

#include <inttypes.h>

#include "core/points.h"
#include "daemon/plans.h"

static const char *role_name(const struct method_def *def)
{
	if (def->flags & METHOD_ADMIN)
		return "admin";
	return def->class == METHOD_COMMAND ? "bot" : "auditor";
}

static bool is_required(const struct plan *p, unsigned i)
{
	const struct field *f = plan_field(p, i);

	if (plan_field_is_patch(p, i) || f->has != 0)
		return false;
	if (f->shape == SHAPE_LIST || f->shape == SHAPE_LIST_OF)
		return f->lo > 0;
	return f->need == NEED_REQUIRED;
}

static bool has_default(const struct plan *p, unsigned i)
{
	const struct field *f = plan_field(p, i);

	return !plan_field_is_patch(p, i) && f->shape == SHAPE_SCALAR && f->need == NEED_DEFAULT;
}

/* The range of a number or the length of a list as text; empty: none beyond the type's. */
static void range_text(const struct field *f, char *text, size_t size)
{
	char lo[24], hi[24];

	text[0] = '\0';
	if (f->shape == SHAPE_LIST || f->shape == SHAPE_LIST_OF) {
		snprintf(text, size, "%" PRId64 "..%" PRIu32 " items", f->lo, f->max);
		return;
	}
	if (f->shape != SHAPE_SCALAR || (f->flags & FIELD_RANGED) == 0)
		return;
	if (f->kind != KIND_PTS) {
		if (f->hi == INT64_MAX)
			snprintf(text, size, ">= %" PRId64, f->lo);
		else
			snprintf(text, size, "%" PRId64 "..%" PRId64, f->lo, f->hi);
		return;
	}
	if (f->lo == INT64_MIN) {
		snprintf(text, size, "signed");
		return;
	}
	points_print(f->lo, lo);
	points_print(f->hi, hi);
	snprintf(text, size, f->hi == INT64_MAX ? ">= %s" : "%s..%s", lo, hi);
}

/* ---- as a map ---- */

static void put_default(struct buf *b, const struct field *f)
{
	switch ((enum kind)f->kind) {
	case KIND_BOOL:
		mp_put_bool(b, f->dflt != 0);
		return;
	case KIND_PTS:
		mp_put_points(b, f->dflt);
		return;
	case KIND_TEXT:
	case KIND_KEY:
		mp_put_text(b, slice_str(f->dflt_text));
		return;
	case KIND_MAP:
		mp_put_map(b, 0); /* the only one that such a default is */
		return;
	default:
		mp_put_int64(b, f->dflt);
		return;
	}
}

static void show_param(const struct plan *p, unsigned i, struct buf *out)
{
	const struct field *f = plan_field(p, i);
	char type[48], range[80];
	struct map_writer w;

	field_type_name(f, type);
	range_text(f, range, sizeof(range));
	map_open(&w, out);
	map_str(&w, "name", f->name);
	map_str(&w, "type", type);
	map_bool(&w, "required", is_required(p, i));
	if (has_default(p, i))
		put_default(map_key(&w, "default"), f);
	else
		map_nil(&w, "default");
	map_str(&w, "range", range[0] ? range : NULL);
	map_str(&w, "choices", f->choices);
	map_str(&w, "doc", f->doc);
	map_close(&w);
}

/* "a|b" as an array of texts. */
static void put_names(struct buf *out, const char *names)
{
	size_t head = array_open(out);
	uint32_t n = 0;

	while (names != NULL && *names != '\0') {
		const char *bar = strchr(names, '|');
		size_t len = bar ? (size_t)(bar - names) : strlen(names);

		mp_put_text(out, slice_of(names, len));
		n++;
		names = bar ? bar + 1 : NULL;
	}
	array_close(out, head, n);
}

/* Such a command is decoded like all others, but has no version that could be expected. */
static bool on_several_streams(const struct method_def *def)
{
	return def->class == METHOD_COMMAND && def->address == ADDRESS_MANY;
}

static bool takes(const struct method_def *def, const struct field *f)
{
	return !on_several_streams(def) || strcmp(f->name, "expected_version") != 0;
}

void reference_show(enum method_id m, struct buf *out)
{
	const struct method_def *def = &method_defs[m];
	const struct plan *p = plans_of(m);
	uint32_t n_params = 0;
	struct map_writer w;
	size_t head;

	map_open(&w, out);
	map_str(&w, "method", def->name);
	map_str(&w, "kind", def->kind);
	map_str(&w, "doc", def->doc);
	map_str(&w, "role", role_name(def));
	map_bool(&w, "command", def->class == METHOD_COMMAND);
	map_key(&w, "params");
	head = array_open(out);
	for (unsigned i = 0; i < plan_n_fields(p); i++)
		if (takes(def, plan_field(p, i))) {
			show_param(p, i, out);
			n_params++;
		}
	array_close(out, head, n_params);
	put_names(map_key(&w, "errors"), def->errors);
	put_names(map_key(&w, "events"), def->events);
	map_close(&w);
}

/* ---- as Markdown ---- */

static void print_names(FILE *f, const char *label, const char *names)
{
	if (*names == '\0')
		return;
	fprintf(f, "%s: `", label);
	for (const char *p = names; *p != '\0'; p++)
		if (*p == '|')
			fputs("`, `", f);
		else
			fputc(*p, f);
	fputs("`\n\n", f);
}

static void print_default(FILE *f, const struct field *d)
{
	char text[24];

	switch ((enum kind)d->kind) {
	case KIND_BOOL:
		fprintf(f, " = %s", d->dflt ? "true" : "false");
		return;
	case KIND_PTS:
		points_print(d->dflt, text);
		fprintf(f, " = %s", text);
		return;
	case KIND_TEXT:
	case KIND_KEY:
		fprintf(f, " = \"%s\"", d->dflt_text);
		return;
	case KIND_MAP:
		fputs(" = {}", f);
		return;
	default:
		fprintf(f, " = %" PRId64, d->dflt);
		return;
	}
}

/* A cell of a table: bars would end it. */
static void print_cell(FILE *f, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '|')
			fputc('\\', f);
		fputc(*p, f);
	}
}

static void print_param(FILE *f, const struct plan *p, unsigned i)
{
	const struct field *d = plan_field(p, i);
	char type[48], range[80];

	field_type_name(d, type);
	range_text(d, range, sizeof(range));
	fprintf(f, "| `%s` | %s%s", d->name, type, is_required(p, i) ? ", required" : "");
	if (has_default(p, i))
		print_default(f, d);
	fputs(" | ", f);
	print_cell(f, range);
	if (d->choices != NULL)
		print_cell(f, d->choices);
	fputs(" | ", f);
	print_cell(f, d->doc);
	fputs(" |\n", f);
}

static void print_method(FILE *f, enum method_id m)
{
	const struct method_def *def = &method_defs[m];
	const struct plan *p = plan_new(def->params(), NULL);

	fprintf(f, "### %s%s%s\n\n%s %s, role %s and above.%s\n\n", def->name, def->kind ? ", kind " : "",
		def->kind ? def->kind : "", def->doc, def->class == METHOD_COMMAND ? "Command" : "Query",
		role_name(def), on_several_streams(def) ? " On several streams: no `expected_version`." : "");
	if (method_needs_kind(m))
		fputs("`kind` is required.\n\n", f);
	if (p != NULL && plan_n_fields(p) > 0) {
		fputs("| Param | Type | Range | Meaning |\n|---|---|---|---|\n", f);
		for (unsigned i = 0; i < plan_n_fields(p); i++)
			print_param(f, p, i);
		fputs("\n", f);
	}
	print_names(f, "Errors", def->errors);
	print_names(f, "Events", def->events);
	plan_free(p);
}

static void print_common(FILE *f, const char *title, const struct record *r)
{
	const struct plan *p = plan_new(r, NULL);

	fprintf(f, "%s\n\n| Param | Type | Range | Meaning |\n|---|---|---|---|\n", title);
	for (unsigned i = 0; p != NULL && i < plan_n_fields(p); i++)
		print_param(f, p, i);
	fputs("\n", f);
	plan_free(p);
}

static void print_errors(FILE *f)
{
	fputs("## Errors\n\nA closed set.\n\n| Code | When |\n|---|---|\n", f);
	for (int i = 1; i < E_COUNT; i++)
		fprintf(f, "| `%s` | %s |\n", err_name((enum err_code)i), err_when((enum err_code)i));
	fputs("\n", f);
}

static void print_event_fields(FILE *f, const struct record *r)
{
	for (unsigned i = 0; i < r->n_fields; i++) {
		const struct field *d = &r->fields[i];
		char type[48];

		if (d->flags & FIELD_DERIVED)
			continue;
		if (d->shape == SHAPE_FLAT) {
			fputs("[ ", f);
			print_event_fields(f, d->sub());
			fputs("]; ", f);
			continue;
		}
		field_type_name(d, type);
		fprintf(f, "`%s` %s%s; ", d->name, type, d->flags & FIELD_HIDDEN ? " (stored only)" : "");
	}
}

/* What the log of an older version holds. */
static void print_old_events(FILE *f)
{
	for (const struct event_old *old = event_olds; old->tag != 0; old++) {
		fprintf(f, "| %u | `%s`, written no more: %s | | ", old->tag, event_defs[old->type].name, old->doc);
		print_event_fields(f, old->record());
		fputs("|\n", f);
	}
}

static void print_events(FILE *f)
{
	fputs("## Events\n\nData in the order in which it is stored. Fields in brackets are an array of their own "
	      "there, and "
	      "stand in the same map on the wire.\n\n| Tag | Type | Stream | Data |\n|---|---|---|---|\n",
	      f);
	for (int i = 0; i < N_EVENTS; i++) {
		const struct event_def *def = &event_defs[i];
		const struct stream_def *s = &stream_defs[def->stream];

		fprintf(f, "| %u | `%s` | `%s%s%s` | ", def->tag, def->name, s->prefix,
			s->key == STREAM_KEY_NONE ? "" : ":<id>", s->key2 == STREAM_KEY_NONE ? "" : ":<id>");
		print_event_fields(f, def->record());
		fputs("|\n", f);
	}
	print_old_events(f);
	fputs("\n", f);
}

void reference_print(FILE *f)
{
	fputs("# Methods\n\n"
	      "Printed from the schema by `dianad --print-methods`; `make docs` writes it, CI compares it.\n\n"
	      "A call is MessagePack-RPC: request `[0, msgid, method, [params]]`, params one map; answer "
	      "`[1, msgid, error, result]`. Types: `uid` is a Telegram user id, `cid` a chat id, `pts` points with "
	      "three "
	      "decimals (int or float64), `ms` Unix milliseconds, `key` 1..100 of `A-Z a-z 0-9 _ - . :`; `?` marks "
	      "what "
	      "may be nil. A method of several kinds takes the param `kind`, by default the first unless it is "
	      "required.\n\n",
	      f);
	print_common(f, "Every command also takes", record_command_params());
	fputs("and answers with `seq`, `version`, `changed` besides what it names (`replayed: true` for a repeat of "
	      "its "
	      "idempotency key).\n\n",
	      f);
	print_common(f, "Every query also takes", record_query_params());
	for (unsigned m = 0; m < N_METHODS; m++) {
		const char *dot = strchr(method_defs[m].name, '.');
		size_t len = (size_t)(dot - method_defs[m].name) + 1;

		if (m == 0 || strncmp(method_defs[m].name, method_defs[m - 1].name, len) != 0)
			fprintf(f, "## %.*s\n\n", (int)len - 1, method_defs[m].name);
		print_method(f, (enum method_id)m);
	}
	print_errors(f);
	print_events(f);
}

#include "tests/lib/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/json.h"

const char *cursor(struct world *w)
{
	return json_string_value(json_object_get(w->result, "next"));
}

static int print_value(char *to, size_t size, const json_t *v)
{
	if (json_is_integer(v))
		return snprintf(to, size, "%lld", (long long)json_integer_value(v));
	if (json_is_real(v))
		return snprintf(to, size, "%g", json_real_value(v));
	return snprintf(to, size, "%s", json_is_string(v) ? json_string_value(v) : "null");
}

const char *fields(struct world *w, const char *field)
{
	static char text[65536];
	json_t *item;
	size_t i, n = 0;

	text[0] = '\0';
	json_array_foreach(json_object_get(w->result, "items"), i, item)
	{
		if (i > 0)
			text[n++] = ' ';
		n += (size_t)print_value(text + n, sizeof(text) - n - 1, json_object_get(item, field));
		assert_true(n < sizeof(text) - 1);
	}
	return text;
}

const char *listed(struct world *w, const char *method, const char *params, const char *field)
{
	if (ask(w, method, "%s", params) != 0)
		fail_msg("%s", w->err.text);
	assert_null(cursor(w));
	return fields(w, field);
}

/* Asks for the page behind `next` (NULL: the first). */
static void ask_page(struct world *w, const char *method, const char *params, int limit, const char *next)
{
	json_t *p = json_of("%s", params);
	char *text;

	json_object_set_new(p, "limit", json_integer(limit));
	if (next != NULL)
		json_object_set_new(p, "after", json_string(next));
	text = json_print(p);
	json_decref(p);
	if (ask(w, method, "%s", text) != 0)
		fail_msg("%s", w->err.text);
	free(text);
	assert_true(json_array_size(json_object_get(w->result, "items")) <= (size_t)limit);
}

const char *paged(struct world *w, const char *method, const char *params, const char *field, int limit)
{
	static char all[65536];
	char *next = NULL;
	size_t n = 0;
	int pages = 0;

	all[0] = '\0';
	do {
		const char *page;

		ask_page(w, method, params, limit, next);
		free(next);
		page = fields(w, field);
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n && *page ? " " : "", page);
		next = cursor(w) ? strdup(cursor(w)) : NULL;
		assert_true(++pages < 10000);
	} while (next != NULL);
	return all;
}

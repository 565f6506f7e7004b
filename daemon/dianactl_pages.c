#include "daemon/dianactl_pages.h"

#include <stdlib.h>

#include "daemon/client_object.h"
#include "daemon/dianactl_session.h"

#define PAGE_MAX 1000

static bool reserve(void **array, size_t used, size_t more, size_t *max, size_t size)
{
	size_t wanted = *max == 0 ? 16 : *max;
	void *grown;

	while (wanted < used + more)
		wanted *= 2;
	if (wanted == *max)
		return true;
	grown = realloc(*array, wanted * size);
	if (grown == NULL)
		return false;
	*array = grown;
	*max = wanted;
	return true;
}

/* Takes over answer. */
static int pages_add(struct dianactl_pages *pages, struct client_message *answer, const char *method)
{
	const msgpack_object *items = client_object_get(answer->result, "items");
	size_t n = client_object_length(items);

	if (items == NULL || items->type != MSGPACK_OBJECT_ARRAY) {
		client_message_clear(answer);
		return dianactl_session_odd(method);
	}
	if (!reserve((void **)&pages->answers, pages->n_answers, 1, &pages->max_answers, sizeof(*answer)) ||
	    !reserve((void **)&pages->items, pages->n_items, n, &pages->max_items, sizeof(*items))) {
		client_message_clear(answer);
		return dianactl_session_no_memory();
	}
	pages->answers[pages->n_answers++] = *answer;
	for (size_t i = 0; i < n; i++)
		pages->items[pages->n_items++] = *client_object_at(items, i);
	return DIANACTL_OK;
}

static const msgpack_object *pages_next(const struct dianactl_pages *pages)
{
	if (pages->n_answers == 0)
		return NULL;
	return client_object_get(pages->answers[pages->n_answers - 1].result, "next");
}

static int pages_ask(struct dianactl *ctl, const char *method, const struct client_params *base, uint64_t limit,
		     struct dianactl_pages *pages)
{
	const msgpack_object *next = pages_next(pages);
	struct client_message answer;
	struct client_params params;
	int rc;

	client_params_init(&params);
	params.n = base->n;
	params.failed = base->failed;
	if (base->n > 0)
		client_params_check(&params, msgpack_sbuffer_write(&params.body, base->body.data, base->body.size));
	client_params_uint(&params, "limit", limit);
	if (next != NULL)
		client_params_object(&params, "after", next);
	rc = dianactl_session_call(ctl, method, &params, &answer);
	client_params_free(&params);
	return rc != DIANACTL_OK ? rc : pages_add(pages, &answer, method);
}

int dianactl_pages_read(struct dianactl *ctl, const char *method, const struct client_params *params, uint64_t limit,
			struct dianactl_pages *pages)
{
	do {
		uint64_t left = limit == 0 ? PAGE_MAX : limit - pages->n_items;
		int rc = pages_ask(ctl, method, params, left < PAGE_MAX ? left : PAGE_MAX, pages);

		if (rc != DIANACTL_OK)
			return rc;
		pages->more = pages_next(pages) != NULL;
	} while (pages->more && (limit == 0 || pages->n_items < limit));
	return DIANACTL_OK;
}

void dianactl_pages_free(struct dianactl_pages *pages)
{
	for (size_t i = 0; i < pages->n_answers; i++)
		client_message_clear(&pages->answers[i]);
	free(pages->answers);
	free(pages->items);
}

msgpack_object dianactl_pages_items(const struct dianactl_pages *pages)
{
	return client_object_of_array(pages->items, (uint32_t)pages->n_items);
}

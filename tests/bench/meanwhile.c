#include "meanwhile.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "proto_diana.h"

#define AGAIN_WITHIN_NS (2 * (uint64_t)1000000000)
#define ARG_MAX 700

const struct meanwhile meanwhiles[] = {
	{ "rebuild", { "--socket", "{socket}", "projection", "rebuild", "--all" } },
	{ "backup", { "--socket", "{socket}", "call", "server.backup", "path={fresh}" } },
	{ "replay", { "replay", "--data", "{data}", "--cache", "{fresh}", "--to-seq", "{head}" } },
	{ "verify", { "--socket", "{socket}", "verify" } },
};
_Static_assert(COUNT(meanwhiles) == MEANWHILES, "as many as are reported");

const struct meanwhile *meanwhile_find(const char *name)
{
	for (size_t i = 0; i < COUNT(meanwhiles); i++)
		if (strcmp(meanwhiles[i].name, name) == 0)
			return &meanwhiles[i];
	complain("there is no work called %s", name);
	return NULL;
}

static bool fresh_exists(const struct meanwhile_run *r)
{
	struct stat st;

	return lstat(r->fresh, &st) == 0;
}

/* The value that stands for a name in braces; text holds it when it has to be made. */
static const char *value_of(const struct meanwhile_run *r, const char *name, char *text, size_t size)
{
	uint64_t head;

	if (strcmp(name, "{socket}") == 0)
		return r->stage->socket;
	if (strcmp(name, "{data}") == 0)
		return r->stage->data;
	if (strcmp(name, "{fresh}") == 0)
		return r->fresh;
	if (diana_head_seq(r->stage->socket, &head) != 0)
		return NULL;
	snprintf(text, size, "%" PRIu64, head);
	return text;
}

/* A name in braces is the end of its word. */
static int expand(const struct meanwhile_run *r, const char *word, char *text, size_t size)
{
	const char *brace = strchr(word, '{'), *value;
	char number[24];

	if (brace == NULL)
		return path_make(text, size, "%s", word);
	value = value_of(r, brace, number, sizeof(number));
	return value != NULL ? path_make(text, size, "%.*s%s", (int)(brace - word), word, value) : -1;
}

static int start_once(struct meanwhile_run *r)
{
	char words[COUNT(r->what->args)][ARG_MAX], log[600];
	const char *argv[COUNT(r->what->args) + 2] = { r->dianactl };

	for (size_t i = 0; i < COUNT(r->what->args) && r->what->args[i] != NULL; i++) {
		if (expand(r, r->what->args[i], words[i], sizeof(words[i])) != 0)
			return -1;
		argv[i + 1] = words[i];
	}
	if (path_make(log, sizeof(log), "%s/meanwhile.txt", r->stage->dir) != 0)
		return -1;
	return child_start(&r->child, r->what->name, log, argv);
}

int meanwhile_start(struct meanwhile_run *r)
{
	if (path_make(r->fresh, sizeof(r->fresh), "%s/meanwhile", r->stage->dir) != 0)
		return -1;
	r->began = now_ns();
	r->state = CHILD_RUNS;
	return start_once(r);
}

bool meanwhile_over(void *run)
{
	struct meanwhile_run *r = run;

	r->state = child_poll(&r->child);
	if (r->state != CHILD_DONE || now_ns() - r->began >= AGAIN_WITHIN_NS)
		return r->state != CHILD_RUNS;
	if (fresh_exists(r))
		remove_tree(r->fresh);
	r->state = start_once(r) == 0 ? CHILD_RUNS : CHILD_FAILED;
	return r->state == CHILD_FAILED;
}

int meanwhile_finish(struct meanwhile_run *r)
{
	while (r->state == CHILD_RUNS && !interrupted) {
		pause_ms(20);
		r->state = child_poll(&r->child);
	}
	r->took_s = (double)(now_ns() - r->began) / 1e9;
	child_stop(&r->child);
	if (fresh_exists(r))
		remove_tree(r->fresh);
	return r->state == CHILD_DONE ? 0 : -1;
}

#include "core/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void check_key(struct slice key)
{
	assert(key.base && key.len > 0 && key.len <= STATE_KEY_MAX);
	(void)key;
}

void state_begin(struct state *s, const struct state_ops *ops, const struct state_table *tables)
{
	s->ops = ops;
	s->tables = tables;
	s->few_changes = 1;
}

void state_end(struct state *s)
{
	free(s->levels);
	s->levels = NULL;
}

void state_changed(struct state *s)
{
	s->few_changes++;
}

static void note_write(struct state *s, unsigned table)
{
	if (!s->tables[table].few)
		return;
	s->few_staged = true;
	state_changed(s);
}

void state_fail(struct state *s, enum err_code code, const char *fmt, ...)
{
	char text[sizeof(s->err.text)];
	va_list ap;

	if (s->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->failed = true;
	err_set(&s->err, code, "%s", text);
}

bool state_get(struct state *s, unsigned table, struct slice key, struct slice *ret)
{
	check_key(key);
	s->lookups++;
	return !s->failed && s->ops->get(s, table, key, ret);
}

void state_put(struct state *s, unsigned table, struct slice key, struct slice value)
{
	check_key(key);
	if (s->failed)
		return;
	note_write(s, table);
	s->ops->put(s, table, key, value);
}

void state_del(struct state *s, unsigned table, struct slice key)
{
	check_key(key);
	if (s->failed)
		return;
	note_write(s, table);
	s->ops->del(s, table, key);
}

void state_prefetch(struct state *s, const struct state_key *keys, size_t n)
{
	if (s->ops->prefetch && !s->failed)
		s->ops->prefetch(s, keys, n);
}

void state_cursor_open(struct state_cursor *c, struct state *s, unsigned table)
{
	*c = (struct state_cursor){ .state = s, .table = table };
	if (!s->failed)
		s->ops->cursor_open(c);
}

void state_cursor_close(struct state_cursor *c)
{
	if (c->impl)
		c->state->ops->cursor_close(c);
	c->impl = NULL;
}

/* A cursor that found no memory at its opening has no impl, and its state has failed. */
static bool can_move(const struct state_cursor *c)
{
	return c->impl && !c->state->failed;
}

bool state_cursor_seek(struct state_cursor *c, struct slice key)
{
	c->state->lookups++;
	return can_move(c) && c->state->ops->seek(c, key, false);
}

bool state_cursor_seek_before(struct state_cursor *c, struct slice key)
{
	c->state->lookups++;
	return can_move(c) && c->state->ops->seek(c, key, true);
}

bool state_cursor_next(struct state_cursor *c)
{
	c->state->walked++;
	return can_move(c) && c->state->ops->step(c, false);
}

bool state_cursor_prev(struct state_cursor *c)
{
	c->state->walked++;
	return can_move(c) && c->state->ops->step(c, true);
}

uint64_t state_count_below(struct state *s, unsigned table, uint64_t score)
{
	s->lookups++;
	return s->failed ? 0 : s->ops->count_below(s, table, score);
}

bool state_nth(struct state *s, unsigned table, uint64_t n, uint64_t *ret_score)
{
	s->lookups++;
	return !s->failed && s->ops->nth(s, table, n, ret_score);
}

uint64_t state_count(struct state *s, unsigned table)
{
	return s->failed ? 0 : s->ops->count(s, table);
}

void state_commit(struct state *s)
{
	assert(!s->failed);
	s->ops->commit(s);
	s->few_staged = false;
}

void state_rollback(struct state *s)
{
	s->ops->rollback(s);
	s->failed = false;
	if (s->few_staged)
		state_changed(s);
	s->few_staged = false;
}

#include <inttypes.h>

#include "core/rules.h"
#include "core/text.h"

/* The n-th transaction of this command (from 0) as results show it. */
static void result_transaction(struct decision *d, size_t n, struct transaction *ret)
{
	for (size_t i = d->command_first; i < d->n_events; i++)
		if (transaction_of(&d->events[i], ret) && n-- == 0)
			return;
}

/* ---- the ledger ---- */

/* Credits by hand that no multiplier touches, whatever was asked. */
static bool never_multiplied(struct slice source)
{
	return slice_is(source, "transfer_in") || slice_is(source, "refund") || slice_is(source, "migration");
}

static int award(struct decision *d, const struct point_award_item *p)
{
	ensure_user(d, p->user_id);
	return credit(d, &(struct credit){ .user_id = p->user_id,
					   .base = p->amount,
					   .source = p->source,
					   .description = p->description,
					   .multiplied = p->multiply && !never_multiplied(p->source),
					   .ref = p->ref });
}

int decide_point_award(struct decision *d, const struct point_award *p, struct point_award_result *r)
{
	struct point_award_item item = { p->user_id, p->amount, p->source, p->description, p->multiply, p->ref };
	struct balance b = { 0 };
	struct gains g;
	int rc = award(d, &item);

	if (rc == 0)
		rc = settle(d);
	if (rc != 0)
		return rc;
	find_balance(d->state, p->user_id, &b);
	result_transaction(d, 0, &r->transaction);
	r->balance = b.balance;
	r->available = b.balance - b.held;
	r->level = b.level;
	g = gains_of(d, p->user_id);
	r->unlocked.v = g.unlocked.v;
	r->unlocked.n = g.unlocked.n;
	for (size_t i = d->command_first; i < d->n_events; i++)
		r->level_up |= d->events[i].type == EV_user_level_changed;
	return 0;
}

int decide_point_award_many(struct decision *d, const struct point_award_many *p, struct point_award_many_result *r)
{
	struct transaction *all = arena_zero(d->arena, p->items.n * sizeof(*all));
	size_t n = 0;
	int rc = 0;

	if (all == NULL)
		return err_set(d->err, E_LIMIT_EXCEEDED, "the commit is too large");
	for (size_t i = 0; i < p->items.n && rc == 0; i++) {
		rc = award(d, &p->items.v[i]);
		if (rc != 0)
			return err_wrap(d->err, "items[%zu]", i);
	}
	rc = settle(d);
	/* rules add no credits of their own to an award, so the credits are the items, in order */
	for (size_t i = d->command_first; i < d->n_events && n < p->items.n; i++)
		if (d->events[i].cause == 0)
			n += transaction_of(&d->events[i], &all[n]);
	r->transactions.v = all;
	r->transactions.n = n;
	return rc;
}

int decide_point_deduct(struct decision *d, const struct point_deduct *p, struct point_deduct_result *r)
{
	struct balance b;
	int rc;

	if (!find_balance(d->state, p->user_id, &b))
		return err_missing(d->err, "user", p->user_id);
	rc = debit(d, &b, p->amount, p->source, p->description, 0, p->ref);
	if (rc != 0)
		return rc;
	result_transaction(d, 0, &r->transaction);
	r->balance = b.balance - p->amount;
	r->available = r->balance - b.held;
	return 0;
}

int decide_point_transfer(struct decision *d, const struct point_transfer *p, struct point_transfer_result *r)
{
	struct balance from;
	int rc;

	if (p->from_user_id == p->to_user_id)
		return err_field(d->err, "to_user_id", "must differ from from_user_id");
	if (!find_balance(d->state, p->from_user_id, &from))
		return err_missing(d->err, "user", p->from_user_id);
	ensure_user(d, p->to_user_id);
	rc = debit(d, &from, p->amount, SLICE_LIT("transfer_out"), p->description, p->to_user_id, SLICE_NULL);
	if (rc == 0)
		rc = credit(d, &(struct credit){ .user_id = p->to_user_id,
						 .base = p->amount,
						 .source = SLICE_LIT("transfer_in"),
						 .description = p->description,
						 .counterparty_id = p->from_user_id });
	if (rc == 0)
		rc = settle(d);
	if (rc != 0)
		return rc;
	result_transaction(d, 0, &r->out);
	result_transaction(d, 1, &r->in);
	r->from_balance = r->out.balance_after;
	r->to_balance = r->in.balance_after;
	return 0;
}

/* ---- levels ---- */

/* min_points must lie strictly between those of the levels next in number. */
static int between_neighbours(struct decision *d, int64_t id, int64_t min_points)
{
	struct state_cursor c;
	struct level l;
	struct key k;
	bool more;
	int rc = 0;

	key_level(&k, (uint64_t)id);
	state_cursor_open(&c, d->state, T_level);
	for (more = state_cursor_seek_before(&c, key_slice(&k)); more; more = state_cursor_prev(&c)) {
		struct mp m = mp_of(c.value);

		if (!record_get(&m, record_level(), &l, d->arena) || l.deleted)
			continue;
		if (l.min_points >= min_points)
			rc = err_field(d->err, "min_points", "must be more than that of level %" PRId64, l.id);
		break;
	}
	key_level(&k, (uint64_t)id + 1);
	for (more = state_cursor_seek(&c, key_slice(&k)); more && rc == 0; more = state_cursor_next(&c)) {
		struct mp m = mp_of(c.value);

		if (!record_get(&m, record_level(), &l, d->arena) || l.deleted)
			continue;
		if (l.min_points <= min_points)
			rc = err_field(d->err, "min_points", "must be less than that of level %" PRId64, l.id);
		break;
	}
	state_cursor_close(&c);
	return rc;
}

int decide_level_create(struct decision *d, const struct level_create *p, struct level_item_result *r)
{
	struct level old, new = p->level;
	int rc;

	if (find_level(d->state, p->level.id, &old))
		return err_exists(d->err, "level", p->level.id);
	rc = between_neighbours(d, p->level.id, p->level.min_points);
	if (rc == 0)
		rc = need_lore(d, p->level.unlocks_lore_id);
	if (rc != 0)
		return rc;
	new.version = next_version(d, STREAM_level, &new.id, NULL);
	EMIT(d, point_level_created, .level = new);
	find_level(d->state, p->level.id, &r->item);
	return 0;
}

int decide_level_update(struct decision *d, const struct level_update *p, struct level_item_result *r)
{
	struct slice changes, before;
	struct level old, new;
	int rc;

	if (!find_level(d->state, p->id, &old))
		return err_missing(d->err, "level", p->id);
	new = old;
	record_merge(record_level(), &new, &p->level, p->given_level);
	rc = between_neighbours(d, p->id, new.min_points);
	if (rc == 0 && GIVEN(p->given_level, level, unlocks_lore_id))
		rc = need_lore(d, new.unlocks_lore_id);
	if (rc != 0)
		return rc;
	if (record_diff(record_level(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, point_level_updated, .id = p->id, .changes = changes, .before = before);
	find_level(d->state, p->id, &r->item);
	return 0;
}

/* Whether `id` has the lowest number of several levels. */
static bool lowest_of_several(struct decision *d, int64_t id)
{
	struct state_cursor c;
	struct level l;
	bool lower = false, other = false, more;

	state_cursor_open(&c, d->state, T_level);
	for (more = state_cursor_seek(&c, SLICE_LIT("")); more; more = state_cursor_next(&c)) {
		struct mp m = mp_of(c.value);

		if (!record_get(&m, record_level(), &l, d->arena) || l.deleted || l.id == id)
			continue;
		other = true;
		lower |= l.id < id;
	}
	state_cursor_close(&c);
	return other && !lower;
}

int decide_level_delete(struct decision *d, const struct level_delete *p, struct nothing *r)
{
	struct level old;

	(void)r;
	if (!find_level(d->state, p->id, &old))
		return err_missing(d->err, "level", p->id);
	if (lowest_of_several(d, p->id))
		return err_with(d->err, E_IN_USE, "reason", "lowest_level",
				"level %" PRId64 " is the lowest of several", p->id);
	EMIT(d, point_level_deleted, .id = p->id);
	return 0;
}

/* ---- rewards ---- */

static bool find_reward(struct state *s, uint64_t id, struct reward *ret)
{
	return get_reward(s, id, ret) && !ret->deleted;
}

/* Titles are unique, case-insensitively. */
static int title_free(struct decision *d, struct slice title, uint64_t id)
{
	struct id_ref taken;

	if (get_reward_by_title(d->state, text_fold_name(title, d->arena), &taken) && taken.id != id)
		return err_exists(d->err, "reward", (int64_t)taken.id);
	return 0;
}

int decide_reward_create(struct decision *d, const struct reward_create *p, struct reward_item_result *r)
{
	struct point_totals totals = { 0 };
	struct reward new = p->reward;
	int rc = title_free(d, new.title, 0);

	if (rc != 0)
		return rc;
	get_point_totals(d->state, 0, &totals);
	new.id = totals.last_reward_id + 1;
	new.version = 1;
	new.created_at = new.updated_at = d->now;
	decision_address(d, STREAM_reward, &new.id, NULL);
	EMIT(d, point_reward_created, .reward = new);
	find_reward(d->state, new.id, &r->item);
	return 0;
}

int decide_reward_update(struct decision *d, const struct reward_update *p, struct reward_item_result *r)
{
	struct slice changes, before;
	struct reward old, new;
	int rc;

	if (!find_reward(d->state, p->id, &old))
		return err_missing(d->err, "reward", (int64_t)p->id);
	new = old;
	record_merge(record_reward(), &new, &p->reward, p->given_reward);
	rc = title_free(d, new.title, p->id);
	if (rc != 0)
		return rc;
	if (record_diff(record_reward(), &old, &new, 0, d->arena, &changes, &before) > 0)
		EMIT(d, point_reward_updated, .id = p->id, .changes = changes, .before = before);
	find_reward(d->state, p->id, &r->item);
	return 0;
}

int decide_reward_delete(struct decision *d, const struct reward_delete *p, struct nothing *r)
{
	struct reward old;

	(void)r;
	if (!find_reward(d->state, p->id, &old))
		return err_missing(d->err, "reward", (int64_t)p->id);
	EMIT(d, point_reward_deleted, .id = p->id);
	return 0;
}

int decide_point_claim_reward(struct decision *d, const struct point_claim_reward *p, struct nothing *r)
{
	struct reward reward;
	struct balance b = { 0 };
	struct claim claimed;
	struct user u;
	int rc = need_user(d, p->user_id, &u);

	(void)r;
	if (rc == 0)
		rc = access_gate(d, SETTING_access_reward, &u);
	if (rc != 0)
		return rc;
	if (!find_reward(d->state, p->reward_id, &reward))
		return err_missing(d->err, "reward", (int64_t)p->reward_id);
	if (!reward.is_active)
		return err_with(d->err, E_NOT_ACTIVE, "status", "inactive", "reward %" PRIu64 " is inactive",
				p->reward_id);
	find_balance(d->state, p->user_id, &b);
	if (b.balance < reward.required_points) {
		err_set(d->err, E_REQUIREMENTS_NOT_MET, "the balance is too low for reward %" PRIu64, p->reward_id);
		err_detail_points(d->err, "missing", reward.required_points - b.balance);
		return E_REQUIREMENTS_NOT_MET;
	}
	if (get_claim(d->state, (uint64_t)p->user_id, p->reward_id, &claimed))
		return err_exists(d->err, "claim", (int64_t)p->reward_id);
	EMIT(d, point_reward_claimed, .user_id = p->user_id, .reward_id = p->reward_id, .balance = b.balance);
	return 0;
}

#include "core/rules.h"

/* The level table a new ledger starts with. */
static const struct {
	const char *name;
	int64_t points;
	const char *reward;
} default_levels[] = {
	{ "Novato", 0, NULL },
	{ "Aprendiz", 500, NULL },
	{ "Aventurero", 1000, NULL },
	{ "Explorador", 1500, NULL },
	{ "Héroe", 2000, "Un pequeño obsequio" },
	{ "Guerrero", 2500, "Acceso a contenido exclusivo" },
	{ "Veterano", 3000, NULL },
	{ "Maestro", 3500, NULL },
	{ "Leyenda", 4000, NULL },
	{ "Campeón", 4500, "Gran reconocimiento" },
	{ "Mítico", 5500, NULL },
	{ "Épico", 6500, NULL },
	{ "Supremo", 7500, NULL },
	{ "Legendario", 8500, NULL },
	{ "Divino", 9500, "Recompensa especial" },
	{ "Inmortal", 10500, NULL },
	{ "Titán", 11500, NULL },
	{ "Olimpo", 12500, NULL },
	{ "Estelar", 13500, NULL },
	{ "Cosmos", 14500, "Recompensa épica" },
};

/* Creates the levels that are missing and fit between their neighbours. Returns how many. */
static int64_t install_levels(struct decision *d)
{
	int64_t created = 0;

	for (size_t i = 0; i < sizeof(default_levels) / sizeof(default_levels[0]); i++) {
		struct level_create p = { .level = { .id = (int64_t)i + 1,
						     .name = slice_str(default_levels[i].name),
						     .min_points = default_levels[i].points * POINTS_SCALE,
						     .reward = slice_str(default_levels[i].reward) } };
		struct level_item_result r;

		created += decide_level_create(d, &p, &r) == 0;
	}
	return created;
}

static int64_t install_achievements(struct decision *d)
{
	static const struct {
		const char *id;
		const char *name;
		const char *type;
		int64_t value;
		const char *text;
	} all[] = {
		{ "first_message", "Primer Mensaje", "messages", 1, "Logro: Primer Mensaje" },
		{ "conversador", "Conversador", "messages", 100, "Logro: Conversador" },
		{ "invitador", "Invitador", "invites", 5, "Logro: Invitador" },
		{ "checkin_7dias", "Check-in 7 días", "checkins", 7, "Logro: Check-in 7 días" },
		{ "vip_supporter", "VIP Supporter", "vip", 1, "Logro: VIP Supporter" },
	};
	int64_t created = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct achievement_create p = { .achievement = { .id = slice_str(all[i].id),
								 .name = slice_str(all[i].name),
								 .condition_type = slice_str(all[i].type),
								 .condition_value = all[i].value,
								 .reward_text = slice_str(all[i].text),
								 .is_active = true } };
		struct achievement_item_result r;

		created += decide_achievement_create(d, &p, &r) == 0;
	}
	return created;
}

static int64_t install_badges(struct decision *d)
{
	static const struct {
		const char *name;
		const char *type;
		int64_t value;
	} all[] = {
		{ "getting_started", "points", 100 },    { "dedicated_player", "points", 500 },
		{ "high_achiever", "points", 1000 },     { "regular_user", "checkins", 3 },
		{ "consistent_visitor", "checkins", 7 }, { "loyal_user", "checkins", 30 },
		{ "content_creator", NULL, 0 },          { "community_member", NULL, 0 },
		{ "story_explorer", NULL, 0 },           { "narrative_master", NULL, 0 },
	};
	int64_t created = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct badge_create p = { .badge = { .name = slice_str(all[i].name),
						     .condition_type = slice_str(all[i].type),
						     .has_condition_value = all[i].type != NULL,
						     .condition_value = all[i].value,
						     .is_active = true,
						     .revocable = true } };
		struct badge_item_result r;

		created += decide_badge_create(d, &p, &r) == 0;
	}
	d->addressed = false; /* the command has no stream of its own */
	return created;
}

static const struct {
	const char *id, *name, *type, *action;
	int64_t target_value, points;
} default_missions[] = {
	{ "messages_primer_mensaje", "Primer Mensaje", "one_time", "message", 1, 10 },
	{ "daily_check-in_diario", "Check-in Diario", "daily", "checkin", 1, 5 },
	{ "messages_conversador_activo", "Conversador Activo", "one_time", "message", 10, 25 },
};

/* Creates the missions whose ids were never used. Returns how many. */
static int64_t install_missions(struct decision *d)
{
	int64_t created = 0;

	for (size_t i = 0; i < sizeof(default_missions) / sizeof(default_missions[0]); i++) {
		struct mission_create p;
		struct slice id;

		record_defaults(record_mission_create(), &p);
		p.mission.id = slice_str(default_missions[i].id);
		p.mission.name = slice_str(default_missions[i].name);
		p.mission.type = slice_str(default_missions[i].type);
		p.mission.action = slice_str(default_missions[i].action);
		p.mission.target_value = default_missions[i].target_value;
		p.mission.reward_points = default_missions[i].points * POINTS_SCALE;
		created += create_mission(d, &p.mission, &id) == 0;
	}
	return created;
}

static bool wanted(const struct server_install_defaults *p, const char *part)
{
	bool any = p->parts.n == 0;

	for (size_t i = 0; i < p->parts.n; i++)
		any |= slice_is(p->parts.v[i], part);
	return any;
}

int decide_server_install_defaults(struct decision *d, const struct server_install_defaults *p,
				   struct server_install_defaults_result *r)
{
	const struct {
		const char *name;
		int64_t (*install)(struct decision *);
		int64_t *ret_created;
	} all[] = {
		{ "levels", install_levels, &r->created.levels },
		{ "achievements", install_achievements, &r->created.achievements },
		{ "badges", install_badges, &r->created.badges },
		{ "missions", install_missions, &r->created.missions },
	};
	enum { N_PARTS = sizeof(all) / sizeof(all[0]) };
	struct slice *parts = arena_take(d->arena, N_PARTS * sizeof(*parts));
	size_t n = 0;

	for (size_t i = 0; i < N_PARTS && parts != NULL; i++) {
		if (wanted(p, all[i].name))
			*all[i].ret_created = all[i].install(d);
		if (*all[i].ret_created > 0)
			parts[n++] = slice_str(all[i].name);
	}
	if (n > 0)
		EMIT(d, server_defaults_installed, .parts = { parts, n }, .levels = r->created.levels,
		     .achievements = r->created.achievements, .badges = r->created.badges,
		     .missions = r->created.missions);
	return settle(d);
}

/* ---- retention ---- */

static void archive_requests(struct decision *d, int64_t before_at, int64_t count)
{
	EMIT(d, channel_requests_archived, .before_at = before_at, .count = count);
}

static void archive_tokens(struct decision *d, int64_t before_at, int64_t count)
{
	EMIT(d, config_tokens_archived, .before_at = before_at, .count = count);
}

static void archive_auctions(struct decision *d, int64_t before_at, int64_t count)
{
	EMIT(d, auction_auctions_archived, .before_at = before_at, .count = count);
}

static const struct target {
	const char *name;
	const struct closed *closed;
	enum setting days; /* 0: they stay for good */
	size_t most;       /* of one event */
	void (*archive)(struct decision *d, int64_t before_at, int64_t count);
} targets[] = {
	{ "requests", &requests_closed, SETTING_retention_request_days, 1000, archive_requests },
	/* each with its bids and participants, however many */
	{ "auctions", &auctions_closed, SETTING_retention_auction_days, 10, archive_auctions },
	{ "tokens", &tokens_closed, SETTING_retention_token_days, 1000, archive_tokens },
};
enum { N_TARGETS = sizeof(targets) / sizeof(targets[0]) };

/* Archives run at 03:00 UTC. The last time at or before this one. */
static int64_t last_run(int64_t at)
{
	const int64_t offset = 3 * DAY_MS / 24;

	return (at - offset) / DAY_MS * DAY_MS + offset;
}

/*
 * Due is the first run that finds something old enough, so nothing has to be noted of runs that find nothing. What a
 * daemon that was down missed is overdue when it starts. What is left of a run that found more than one commit may
 * take, is due at once; its id differs, since the oldest has gone.
 */
bool due_retention(struct state *s, int64_t now, struct due *ret)
{
	bool any = false;

	(void)now;
	for (int i = 0; i < N_TARGETS; i++) {
		int64_t days = setting_int(s, targets[i].days), at;
		uint64_t id;

		if (days == 0 || !closed_first(s, targets[i].closed, &at, &id))
			continue;
		at = last_run(at + days * DAY_MS) + DAY_MS;
		if (any && at >= ret->at)
			continue;
		ret->at = at;
		ret->id = (int64_t)id * N_TARGETS + i;
		any = true;
	}
	return any;
}

void fire_retention(struct decision *d, const struct due *due)
{
	int64_t run = last_run(d->now);

	(void)due;
	for (int i = 0; i < N_TARGETS; i++) {
		const struct target *t = &targets[i];
		int64_t days = setting_int(d->state, t->days), before_at = run - days * DAY_MS;
		size_t n = days > 0 ? closed_before(d->state, t->closed, before_at, t->most, NULL) : 0;

		if (n > 0)
			t->archive(d, before_at, (int64_t)n);
	}
}

int decide_server_cleanup(struct decision *d, const struct server_cleanup *p, struct server_cleanup_result *r)
{
	int64_t before_at = d->now + 1 - p->days * DAY_MS;
	const struct target *t = targets;
	size_t n;

	while (!slice_is(p->target, t->name))
		t++;
	n = closed_before(d->state, t->closed, before_at, t->most + 1, NULL);
	r->more = n > t->most;
	r->count = (int64_t)(r->more ? t->most : n);
	if (r->count > 0 && !p->dry_run)
		t->archive(d, before_at, r->count);
	return 0;
}

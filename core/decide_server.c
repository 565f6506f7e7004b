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
	static const struct slice parts[] = { { "levels", 6 } };

	if (wanted(p, "levels"))
		r->created.levels = install_levels(d);
	if (r->created.levels > 0)
		EMIT(d, server_defaults_installed, .parts = { parts, 1 }, .levels = r->created.levels);
	return 0;
}

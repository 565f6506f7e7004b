#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include "core/points.h"
#include "core/records.h"

/*
 * Settings: the known keys of the configuration, typed. A value is what is stored in the view of the
 * `config` aggregate, else the default. Read anew each time: a change counts from the next command.
 */
#define SETTING(name, key, KIND, dflt, lo, hi, doc) SETTING_##name,
#define SETTING_TEXTS(name, key, dflt, lo, hi, doc) SETTING_##name,
enum setting {
#include "core/schema/all.def"
	N_SETTINGS
};

enum setting_kind {
	SETTING_BOOL,
	SETTING_INT,
	SETTING_PTS,
	SETTING_TEXT, /* or nil, the default */
	SETTING_ROLE, /* free, the default, vip, admin */
	SETTING_ID,   /* int or nil, the default */
	SETTING_LIST, /* of different emojis */
};
enum { SETTING_TEXT_MAX = 65536, SETTING_ELEMENT_MAX = 1024, SETTING_TEXTS_MAX = 16 };
struct setting_def {
	const char *key;
	enum setting_kind kind;
	int64_t dflt;           /* of bool, int and points */
	int64_t lo, hi;         /* of a text: bytes at most; of a list: elements */
	const char *dflt_texts; /* of a list: "a|b" */
	const char *doc;
};
extern const struct setting_def setting_defs[N_SETTINGS];
/* N_SETTINGS: not a known key. */
enum setting setting_by_key(struct slice key);

/* Bool, int and points (thousandths). */
int64_t setting_int(struct state *s, enum setting id);
/* Absent: nil. Lent like any row. */
struct slice setting_text(struct state *s, enum setting id);

/* Elements of a list, lent likewise. Returns how many. */
size_t setting_texts(struct state *s, enum setting id, struct slice ret[SETTING_TEXTS_MAX]);

/* "bool", "int", "pts", "str", "list": the type as the reference names it. */
const char *setting_type(enum setting id);
/* Packs the default / checks a packed value: normalised into *ret in the arena, or E_INVALID_ARGUMENT
 * (field = key). */
struct slice setting_default(enum setting id, struct arena *arena);
int setting_check(enum setting id, struct slice packed, struct arena *arena, struct slice *ret, struct err *err);

#endif

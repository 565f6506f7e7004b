#include "daemon/options.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/diag.h"

#ifndef DIANA_VERSION
#define DIANA_VERSION "0.1.0"
#endif

enum option_kind { OPTION_TEXT, OPTION_NUMBER, OPTION_OCTAL, OPTION_BOOL, OPTION_UIDS, OPTION_LEVEL };

struct option_def {
	const char *name; /* in the file, and as --name with dashes */
	enum option_kind kind;
	size_t offset;
	const char *dflt; /* NULL: see doc */
	long lo, hi;
	const char *doc;
};

#define OPTION(n, kind, dflt, lo, hi, doc)                                                                             \
	{                                                                                                              \
#n, kind, offsetof(struct options, n), dflt, lo, hi, doc                                               \
	}
static const struct option_def defs[] = {
	OPTION(data, OPTION_TEXT, NULL, 0, 0,
	       "directory of log and views (root: /var/lib/diana, else $XDG_STATE_HOME/diana)"),
	OPTION(socket, OPTION_TEXT, NULL, 0, 0,
	       "Unix socket (root: /run/diana/diana.sock, else $XDG_RUNTIME_DIR/diana.sock)"),
	OPTION(socket_group, OPTION_TEXT, NULL, 0, 0, "group that owns the socket; its members have role bot"),
	OPTION(socket_mode, OPTION_OCTAL, "0660", 0, 0777, "mode of the socket"),
	OPTION(admins, OPTION_UIDS, "", 0, 0, "uids with role admin, beside root and the daemon's own"),
	OPTION(bots, OPTION_UIDS, "", 0, 0, "uids with role bot, beside members of the socket's group"),
	OPTION(auditors, OPTION_UIDS, "", 0, 0, "uids with role auditor"),
	OPTION(max_connections, OPTION_NUMBER, "1024", 1, 65536, "connections at a time"),
	OPTION(max_subscriptions, OPTION_NUMBER, "64", 1, 65536, "subscriptions of one connection"),
	OPTION(frame_max, OPTION_NUMBER, "1048576", 4096, 67108864, "bytes of one request"),
	OPTION(slow_client_ms, OPTION_NUMBER, "30000", 100, 3600000,
	       "a subscriber that takes nothing for so long is closed"),
	OPTION(log_reserve_mb, OPTION_NUMBER, "64", 1, 1048576,
	       "megabytes of disk that stay free: below, commands answer storage_full"),
	OPTION(seal, OPTION_BOOL, "yes", 0, 1, "pack old blocks of the log, in the background"),
	OPTION(seal_behind, OPTION_NUMBER, "65536", 0, 1000000000,
	       "events at the end of the log that stay as they were written"),
	OPTION(defaults, OPTION_BOOL, "yes", 0, 1, "install the default content on an empty log"),
	OPTION(log_level, OPTION_LEVEL, "info", 0, 0, "error, warn, info or debug"),
};
enum { N_DEFS = sizeof(defs) / sizeof(defs[0]) };

static const struct option_def *find_def(const char *name)
{
	for (size_t i = 0; i < N_DEFS; i++) {
		const char *a = defs[i].name, *b = name;

		/* in flags - and _ are the same */
		while (*a != '\0' && (*a == *b || (*a == '_' && *b == '-')))
			a++, b++;
		if (*a == '\0' && *b == '\0')
			return &defs[i];
	}
	return NULL;
}

static bool set_number(long *to, const char *text, int base, long lo, long hi)
{
	char *end;

	errno = 0;
	*to = strtol(text, &end, base);
	return *text != '\0' && *end == '\0' && errno == 0 && *to >= lo && *to <= hi;
}

static bool set_uids(struct uid_list *l, const char *text)
{
	char copy[512], *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	l->n = 0;
	for (char *p = strtok_r(copy, ", ", &save); p != NULL; p = strtok_r(NULL, ", ", &save))
		if (l->n == UIDS_MAX || !set_number(&l->v[l->n++], p, 10, 0, 4294967294L))
			return false;
	return true;
}

static bool set_bool(long *to, const char *text)
{
	*to = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
	return *to != 0 || strcmp(text, "no") == 0 || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool set_text(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to != NULL;
}

static bool set_option(struct options *o, const struct option_def *d, const char *text)
{
	void *to = (char *)o + d->offset;

	switch (d->kind) {
	case OPTION_TEXT:
		return set_text(to, text);
	case OPTION_NUMBER:
		return set_number(to, text, 10, d->lo, d->hi);
	case OPTION_OCTAL:
		return set_number(to, text, 8, d->lo, d->hi);
	case OPTION_BOOL:
		return set_bool(to, text);
	case OPTION_UIDS:
		return set_uids(to, text);
	case OPTION_LEVEL:
		*(int *)to = diag_level_by_name(text);
		return *(int *)to >= 0;
	}
	return false;
}

static void print_help(void)
{
	printf("dianad - the Diana Ledger daemon: points, missions and auctions of a bot, event-sourced\n"
	       "\n"
	       "usage: dianad [--data DIR] [--socket PATH] [--config FILE] [--OPTION VALUE ...]\n"
	       "       dianad --print-methods   print the method reference (docs/methods.md)\n"
	       "       dianad --version | --help\n"
	       "\n"
	       "Options, also as NAME = VALUE in the configuration file; flags win:\n");
	for (size_t i = 0; i < N_DEFS; i++)
		printf("  --%-18s %s%s%s%s\n", defs[i].name, defs[i].doc, defs[i].dflt && *defs[i].dflt ? " [" : "",
		       defs[i].dflt ? defs[i].dflt : "", defs[i].dflt && *defs[i].dflt ? "]" : "");
	printf("\nSIGTERM and SIGINT stop it: what was taken is made durable and answered, the views are saved.\n");
}

static int from_file(void *user, const char *section, const char *name, const char *value)
{
	struct options *o = user;
	const struct option_def *d = find_def(name);

	if (section[0] != '\0' && strcmp(section, "dianad") != 0)
		return 1;
	if (d == NULL) {
		fprintf(stderr, "dianad: %s: no option named %s; see dianad --help\n", o->config, name);
		return 0;
	}
	if (!set_option(o, d, value)) {
		fprintf(stderr, "dianad: %s: %s = %s does not fit: %s\n", o->config, name, value, d->doc);
		return 0;
	}
	return 1;
}

static bool read_file(struct options *o)
{
	int rc = ini_parse(o->config, from_file, o);

	if (rc == -1)
		fprintf(stderr, "dianad: cannot read %s: %s\n", o->config, strerror(errno));
	else if (rc != 0)
		fprintf(stderr, "dianad: %s: line %d is wrong\n", o->config, rc);
	return rc == 0;
}

/* The value of --name VALUE or --name=VALUE at argv[*i]; NULL: missing. */
static const char *flag_value(int argc, char **argv, int *i, char *name, size_t size)
{
	const char *eq = strchr(argv[*i], '=');

	snprintf(name, size, "%s", argv[*i] + 2);
	if (eq != NULL) {
		name[eq - argv[*i] - 2] = '\0';
		return eq + 1;
	}
	return *i + 1 < argc ? argv[++*i] : NULL;
}

/* One pass over the flags: for --config alone, or for all others. */
static bool read_flags(struct options *o, int argc, char **argv, bool config_only)
{
	for (int i = 1; i < argc; i++) {
		const struct option_def *d;
		const char *value;
		char name[64];

		if (strncmp(argv[i], "--", 2) != 0 || strlen(argv[i]) >= sizeof(name) + 4096) {
			fprintf(stderr, "dianad: what is \"%s\"? See dianad --help\n", argv[i]);
			return false;
		}
		value = flag_value(argc, argv, &i, name, sizeof(name));
		if (value == NULL) {
			fprintf(stderr, "dianad: --%s needs a value\n", name);
			return false;
		}
		if (strcmp(name, "config") == 0) {
			if (config_only && !set_text(&o->config, value))
				return false;
			continue;
		}
		d = find_def(name);
		if (d == NULL) {
			fprintf(stderr, "dianad: no option --%s; see dianad --help\n", name);
			return false;
		}
		if (!config_only && !set_option(o, d, value)) {
			fprintf(stderr, "dianad: --%s %s does not fit: %s\n", name, value, d->doc);
			return false;
		}
	}
	return true;
}

void options_default_data(char *ret, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(ret, size, "/var/lib/diana");
	else if (state != NULL)
		snprintf(ret, size, "%s/diana", state);
	else
		snprintf(ret, size, "%s/.local/state/diana", home ? home : ".");
}

static bool set_paths(struct options *o)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[4096];

	if (o->data == NULL) {
		options_default_data(path, sizeof(path));
		if (!set_text(&o->data, path))
			return false;
	}
	if (o->socket != NULL)
		return true;
	if (geteuid() == 0) {
		snprintf(path, sizeof(path), "/run/diana/diana.sock");
	} else if (runtime != NULL) {
		snprintf(path, sizeof(path), "%s/diana.sock", runtime);
	} else {
		fprintf(stderr, "dianad: XDG_RUNTIME_DIR is not set: say where with --socket PATH\n");
		return false;
	}
	return set_text(&o->socket, path);
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){ 0 };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return OPTIONS_DONE;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("dianad %s\n", DIANA_VERSION);
			return OPTIONS_DONE;
		}
		if (strcmp(argv[i], "--print-methods") == 0)
			return OPTIONS_METHODS;
	}
	for (size_t i = 0; i < N_DEFS; i++)
		if (defs[i].dflt != NULL && !set_option(o, &defs[i], defs[i].dflt))
			return OPTIONS_BAD;
	if (!read_flags(o, argc, argv, true) || (o->config != NULL && !read_file(o)) ||
	    !read_flags(o, argc, argv, false) || !set_paths(o))
		return OPTIONS_BAD;
	return OPTIONS_RUN;
}

void options_free(struct options *o)
{
	free(o->data);
	free(o->socket);
	free(o->config);
	free(o->socket_group);
}

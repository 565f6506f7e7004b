#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/dianactl_background.h"
#include "daemon/dianactl_backup_bar.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_session.h"

/* Of one run. The call has a connection to itself; how far it is, is asked on another one. */
struct backing_up {
	struct dianactl call, look;
	struct client_params params;
	struct client_message answer;
	struct dianactl_backup_bar bar;
};

static int call(void *arg)
{
	struct backing_up *b = arg;

	return dianactl_session_call(&b->call, "server.backup", &b->params, &b->answer);
}

static enum log_backup_phase phase_of(const msgpack_object *backup)
{
	struct client_text phase = client_object_text(backup, "phase");

	if (client_text_is(phase, "copying"))
		return LOG_BACKUP_COPIES;
	return client_text_is(phase, "verifying") ? LOG_BACKUP_VERIFIES : LOG_BACKUP_BEGINS;
}

/* A look that fails shows nothing; what is wrong the call itself will tell. */
static void watch(void *arg)
{
	struct backing_up *b = arg;
	struct client_message answer;
	struct client_params params;
	struct client_error err;
	const msgpack_object *backup;
	int rc;

	client_params_init(&params);
	client_params_text(&params, "section", "backup");
	rc = dianactl_session_retry(&b->look, "server.stats", &params, &answer, &err);
	client_params_free(&params);
	if (rc != 0)
		return;
	backup = answer.error == NULL ? client_object_get(answer.result, "backup") : NULL;
	if (backup != NULL)
		dianactl_backup_bar_show(&b->bar, phase_of(backup), client_object_uint(backup, "done", 0),
					 client_object_uint(backup, "of", 0));
	client_message_clear(&answer);
}

static int report(struct dianactl *ctl, const msgpack_object *result, const char *path)
{
	char size[CLIENT_FORMAT_MAX], took[CLIENT_FORMAT_MAX];

	if (ctl->json)
		return dianactl_session_print_json(result);
	printf("%" PRIu64 " events, %s, are in %s; copied and verified in %s\n", client_object_uint(result, "seq", 0),
	       client_format_bytes(size, client_object_uint(result, "bytes", 0)), path,
	       client_format_duration(took, client_object_uint(result, "time_ms", 0)));
	return DIANACTL_OK;
}

/* The daemon has a working directory of its own. */
static int name_path(const struct dianactl *ctl, char ret[PATH_MAX])
{
	const char *given = ctl->words[0];
	char here[PATH_MAX] = "";
	int n;

	if (given[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return dianactl_session_usage(ctl, "the working directory has no name: give an absolute path");
	n = snprintf(ret, PATH_MAX, "%s%s%s", here, given[0] != '/' ? "/" : "", given);
	return n > 0 && n < PATH_MAX ? DIANACTL_OK : dianactl_session_usage(ctl, "the path is too long");
}

static int backup_run(struct dianactl *ctl, const void *values)
{
	struct backing_up b = { .call = *ctl, .look = *ctl };
	char path[PATH_MAX];
	int rc = name_path(ctl, path);

	(void)values;
	if (rc != DIANACTL_OK)
		return rc;
	b.look.timeout_s = 1;
	client_params_init(&b.params);
	client_params_text(&b.params, "path", path);
	rc = isatty(STDERR_FILENO) ? dianactl_background(call, watch, &b) : call(&b);
	dianactl_backup_bar_end(&b.bar);
	client_params_free(&b.params);
	if (rc == DIANACTL_OK) {
		rc = report(ctl, b.answer.result, path);
		client_message_clear(&b.answer);
	}
	dianactl_session_close(&b.call);
	dianactl_session_close(&b.look);
	return rc;
}

const struct dianactl_command dianactl_backup_command = {
	.name = "backup",
	.words = "PATH",
	.help = "Copy the log to a new directory, and verify the copy",
	.more = "The daemon copies while commands go on, to a directory that is not there yet and that its user\n"
		"can make. What comes out is a data directory without log.key: dianactl restore puts it in place.",
	.min_words = 1,
	.max_words = 1,
	.run = backup_run,
};

#include <inttypes.h>
#include <stdio.h>

#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_session.h"

struct verify_values {
	uint64_t from, to;
};

static const struct dianactl_option verify_options[] = {
	{ "from", 0, DIANACTL_NUMBER, offsetof(struct verify_values, from), "SEQ",
	  "first event to examine (default 1)" },
	{ "to", 0, DIANACTL_NUMBER, offsetof(struct verify_values, to), "SEQ",
	  "last event to examine (default: the head)" },
};

static void print_outcome(const msgpack_object *result, bool ok)
{
	struct client_text reason = client_object_text(result, "reason");
	const msgpack_object *first_bad = client_object_get(result, "first_bad_seq");

	printf("%" PRIu64 " events checked: %s\n", client_object_uint(result, "checked", 0), ok ? "ok" : "NOT OK");
	if (first_bad != NULL)
		printf("first bad seq: %" PRIu64 "\n", client_object_uint(result, "first_bad_seq", 0));
	if (reason.base == NULL)
		return;
	fputs("reason: ", stdout);
	dianactl_cells_print(stdout, reason);
	putchar('\n');
}

static int verify_run(struct dianactl *ctl, const void *values)
{
	const struct verify_values *v = values;
	struct client_params params;
	struct client_message answer;
	bool ok;
	int rc;

	client_params_init(&params);
	if (v->from != 0)
		client_params_uint(&params, "from_seq", v->from);
	if (v->to != 0)
		client_params_uint(&params, "to_seq", v->to);
	rc = dianactl_session_call(ctl, "log.verify", &params, &answer);
	client_params_free(&params);
	if (rc != DIANACTL_OK)
		return rc;
	ok = client_object_bool(answer.result, "ok", false);
	if (ctl->json)
		dianactl_session_print_json(answer.result);
	else
		print_outcome(answer.result, ok);
	client_message_clear(&answer);
	return ok ? DIANACTL_OK : DIANACTL_REFUSED;
}

const struct dianactl_command dianactl_verify_command = {
	.name = "verify",
	.words = "",
	.help = "Check the log: checksums, order, commits, stream versions",
	.more = "Reads the whole log unless told otherwise, which may take minutes. Exit code 1 if\n"
		"anything is wrong with it.",
	.options = verify_options,
	.n_options = DIANACTL_COUNT(verify_options),
	.values_size = sizeof(struct verify_values),
	.run = verify_run,
};

#include "daemon/dianactl_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client_json.h"
#include "daemon/dianactl_command.h"
#include "daemon/dianactl_session.h"

#define STDIN_MAX (16u << 20)

struct call_values {
	bool compact;
};

static const struct dianactl_option call_options[] = {
	{ "compact", 'c', DIANACTL_FLAG, offsetof(struct call_values, compact), NULL, "the result on one line" },
};

/* All of stdin as owned text. NULL: err. */
static char *read_stdin(size_t *ret_len, struct client_error *err)
{
	char *text = malloc(STDIN_MAX + 1);

	if (text == NULL) {
		client_error_note(err, CLIENT_NOMEM, "out of memory");
		return NULL;
	}
	*ret_len = fread(text, 1, STDIN_MAX + 1, stdin);
	if (!ferror(stdin) && *ret_len <= STDIN_MAX)
		return text;
	if (ferror(stdin))
		client_error_note(err, CLIENT_BAD_INPUT, "cannot read stdin: %s", strerror(errno));
	else
		client_error_note(err, CLIENT_BAD_INPUT, "stdin holds more than 16 MiB");
	free(text);
	return NULL;
}

static int params_from_stdin(struct client_params *params, struct client_error *err)
{
	size_t len;
	char *text = read_stdin(&len, err);
	int rc;

	if (text == NULL)
		return (int)err->code;
	rc = client_json_params(params, text, len, err);
	free(text);
	return rc;
}

static bool looks_like_json(const char *word)
{
	word += strspn(word, " \t\r\n");
	return *word == '{' || *word == '[' || *word == '\0';
}

int dianactl_call_params(const char *const *words, size_t n, struct client_params *params, struct client_error *err)
{
	if (n == 0)
		return 0;
	if (n == 1 && strcmp(words[0], "-") == 0)
		return params_from_stdin(params, err);
	if (n == 1 && looks_like_json(words[0]))
		return client_json_params(params, words[0], strlen(words[0]), err);
	return client_json_words(params, words, n, err);
}

static int call_method(struct dianactl *ctl, const struct client_params *params, bool compact)
{
	struct client_message answer;
	int rc = dianactl_session_call(ctl, ctl->words[0], params, &answer);

	if (rc != DIANACTL_OK)
		return rc;
	client_json_print(stdout, answer.result, compact ? CLIENT_JSON_COMPACT : CLIENT_JSON_PRETTY);
	putc('\n', stdout);
	client_message_clear(&answer);
	return DIANACTL_OK;
}

static int call_run(struct dianactl *ctl, const void *values)
{
	const struct call_values *v = values;
	struct client_params params;
	struct client_error err;
	int rc;

	client_params_init(&params);
	if (dianactl_call_params(ctl->words + 1, ctl->n_words - 1, &params, &err) != 0)
		rc = dianactl_session_failed(&err);
	else
		rc = call_method(ctl, &params, v->compact);
	client_params_free(&params);
	return rc;
}

const struct dianactl_command dianactl_call_command = {
	.name = "call",
	.words = "METHOD [JSON | - | KEY=VALUE...]",
	.help = "Call a method and print its result as JSON",
	.more = "Params are one JSON object, or - to read it from stdin, or words KEY=VALUE: a VALUE that\n"
		"is JSON is taken as such, any other as text. Text that looks like JSON is quoted twice:\n"
		"  dianactl call point.award user_id=5 amount=10 description=thanks\n"
		"  dianactl call user.get username='\"123\"'\n"
		"An error goes to stderr as 'code: message', with a line of details if there are any.",
	.options = call_options,
	.n_options = DIANACTL_COUNT(call_options),
	.values_size = sizeof(struct call_values),
	.min_words = 1,
	.max_words = SIZE_MAX,
	.run = call_run,
};

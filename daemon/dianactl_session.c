#include "daemon/dianactl_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/client_format.h"
#include "daemon/client_json.h"
#include "daemon/client_object.h"
#include "daemon/client_utf8.h"

int dianactl_session_connect(struct dianactl *ctl, struct client_error *err)
{
	struct client_rpc_options options = {
		.path = ctl->socket_path,
		.timeout_ms = (int)ctl->timeout_s * 1000,
		.stop_fd = ctl->stop_fd,
	};

	return ctl->rpc != NULL ? 0 : client_rpc_open(&options, &ctl->rpc, err);
}

int dianactl_session_open(struct dianactl *ctl)
{
	struct client_error err;

	return dianactl_session_connect(ctl, &err) == 0 ? DIANACTL_OK : dianactl_session_failed(&err);
}

void dianactl_session_close(struct dianactl *ctl)
{
	client_rpc_close(ctl->rpc);
	ctl->rpc = NULL;
}

/* A lost connection in place of an answer has a cause the operator can look for. */
static int session_failed_call(const char *method, struct client_error *err)
{
	const char *advice = "";

	if (err->code == CLIENT_LOST)
		advice = ". It may be stopping, or not allow this account: look at its log";
	else if (err->code == CLIENT_TIMEOUT)
		advice = ". Wait longer with --timeout, or look at the daemon's log";
	dianactl_session_warn("%s: %s%s", method, err->text, advice);
	return DIANACTL_NO_ANSWER;
}

int dianactl_session_try(struct dianactl *ctl, const char *method, const struct client_params *params,
			 struct client_message *ret_answer)
{
	struct client_error err;
	int rc = dianactl_session_open(ctl);

	if (rc != DIANACTL_OK)
		return rc;
	if (client_rpc_call(ctl->rpc, method, params, ret_answer, &err) != 0)
		return session_failed_call(method, &err);
	return DIANACTL_OK;
}

int dianactl_session_retry(struct dianactl *ctl, const char *method, const struct client_params *params,
			   struct client_message *ret_answer, struct client_error *err)
{
	int rc = dianactl_session_connect(ctl, err);

	if (rc == 0)
		rc = client_rpc_call(ctl->rpc, method, params, ret_answer, err);
	if (rc != 0)
		dianactl_session_close(ctl);
	return rc;
}

int dianactl_session_call(struct dianactl *ctl, const char *method, const struct client_params *params,
			  struct client_message *ret_answer)
{
	int rc = dianactl_session_try(ctl, method, params, ret_answer);

	if (rc == DIANACTL_OK && ret_answer->error != NULL) {
		rc = dianactl_session_refused(ret_answer->error);
		client_message_clear(ret_answer);
	}
	return rc;
}

msgpack_object dianactl_session_result(const struct client_message *answer)
{
	return client_object_or_nil(answer->error == NULL ? answer->result : NULL);
}

static void print_clean(FILE *out, struct client_text text)
{
	char *clean = text.base != NULL ? client_utf8_clean(text.base, text.len, 0) : NULL;

	fputs(clean != NULL ? clean : "?", out);
	free(clean);
}

static bool has_details(const msgpack_object *details)
{
	return details != NULL && !(details->type == MSGPACK_OBJECT_MAP && details->via.map.size == 0);
}

int dianactl_session_refused(const msgpack_object *error)
{
	const msgpack_object *details = client_object_get(error, "details");

	if (error->type == MSGPACK_OBJECT_MAP) {
		print_clean(stderr, client_object_text(error, "code"));
		fputs(": ", stderr);
		print_clean(stderr, client_object_text(error, "message"));
	} else {
		fputs("error: ", stderr);
		client_json_print(stderr, error, CLIENT_JSON_COMPACT);
	}
	putc('\n', stderr);
	if (has_details(details)) {
		client_json_print(stderr, details, CLIENT_JSON_COMPACT);
		putc('\n', stderr);
	}
	return DIANACTL_REFUSED;
}

bool dianactl_session_error_is(const msgpack_object *error, const char *code)
{
	return client_text_is(client_object_text(error, "code"), code);
}

static void warn_va(const char *format, va_list args)
{
	fflush(stdout);
	fputs("dianactl: ", stderr);
	vfprintf(stderr, format, args);
	putc('\n', stderr);
}

void dianactl_session_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	warn_va(format, args);
	va_end(args);
}

int dianactl_session_usage(const struct dianactl *ctl, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	warn_va(format, args);
	va_end(args);
	if (ctl->command != NULL)
		fprintf(stderr, "Try 'dianactl %s --help'.\n", ctl->command->name);
	else
		fputs("Try 'dianactl --help'.\n", stderr);
	return DIANACTL_USAGE;
}

int dianactl_session_date(const struct dianactl *ctl, const char *date, bool end_of_day, int64_t *ret_unix_ms)
{
	if (date == NULL || client_parse_date(date, ctl->utc, end_of_day, ret_unix_ms))
		return DIANACTL_OK;
	return dianactl_session_usage(ctl, "'%s' is no date; write YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'", date);
}

int dianactl_session_no_moment(const struct dianactl *ctl, const char *text)
{
	return dianactl_session_usage(ctl,
				      "'%s' is no time; write YYYY-MM-DD, 'YYYY-MM-DD HH:MM:SS', RFC 3339 or Unix "
				      "milliseconds",
				      text);
}

int dianactl_session_failed(const struct client_error *err)
{
	dianactl_session_warn("%s", err->text);
	return err->code == CLIENT_BAD_INPUT ? DIANACTL_USAGE : DIANACTL_NO_ANSWER;
}

int dianactl_session_odd(const char *method)
{
	dianactl_session_warn("%s: the answer is not what this dianactl understands; "
			      "is the daemon of the same version?",
			      method);
	return DIANACTL_NO_ANSWER;
}

int dianactl_session_no_memory(void)
{
	dianactl_session_warn("out of memory");
	return DIANACTL_NO_ANSWER;
}

int dianactl_session_err(const struct err *err)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", err_name(err->code), err->text);
	return DIANACTL_REFUSED;
}

int dianactl_session_print_json(const msgpack_object *object)
{
	client_json_print(stdout, object, CLIENT_JSON_PRETTY);
	putc('\n', stdout);
	return DIANACTL_OK;
}

int dianactl_session_print_packed(const struct buf *packed)
{
	msgpack_unpacked value;
	int rc;

	msgpack_unpacked_init(&value);
	if (!packed->failed &&
	    msgpack_unpack_next(&value, (const char *)packed->base, packed->len, NULL) == MSGPACK_UNPACK_SUCCESS)
		rc = dianactl_session_print_json(&value.data);
	else
		rc = dianactl_session_no_memory();
	msgpack_unpacked_destroy(&value);
	return rc;
}

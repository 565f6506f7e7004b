#include "daemon/dianactl_account.h"

#include <inttypes.h>

#include "daemon/client_object.h"
#include "daemon/client_params.h"
#include "daemon/dianactl_people.h"
#include "daemon/dianactl_session.h"

static int ask_user(struct dianactl *ctl, const char *word, struct dianactl_account *a)
{
	struct client_params params;
	int64_t id = 0;
	bool by_id;
	int rc;

	client_params_init(&params);
	by_id = dianactl_people_params(&params, word, &id);
	rc = dianactl_session_try(ctl, "user.get", &params, &a->user);
	client_params_free(&params);
	if (rc != DIANACTL_OK)
		return rc;
	if (a->user.error != NULL && !(by_id && dianactl_session_error_is(a->user.error, "not_found")))
		return dianactl_session_refused(a->user.error);
	a->user_id = client_object_int(a->user.result, "id", id);
	return a->user_id > 0 ? DIANACTL_OK : dianactl_session_odd("user.get");
}

static int ask_balance(struct dianactl *ctl, struct dianactl_account *a)
{
	struct client_params params;
	int rc;

	client_params_init(&params);
	client_params_int(&params, "id", a->user_id);
	rc = dianactl_session_try(ctl, "point.get", &params, &a->balance);
	client_params_free(&params);
	if (rc == DIANACTL_OK && a->balance.error != NULL && !dianactl_session_error_is(a->balance.error, "not_found"))
		return dianactl_session_refused(a->balance.error);
	return rc;
}

int dianactl_account_ask(struct dianactl *ctl, const char *word, struct dianactl_account *ret)
{
	int rc = ask_user(ctl, word, ret);

	return rc == DIANACTL_OK ? ask_balance(ctl, ret) : rc;
}

void dianactl_account_clear(struct dianactl_account *account)
{
	client_message_clear(&account->user);
	client_message_clear(&account->balance);
}

void dianactl_account_print(FILE *out, const struct dianactl_account *account)
{
	fprintf(out, "%" PRId64, account->user_id);
	if (account->user.error != NULL)
		fputs(" (deleted)", out);
	else
		dianactl_people_print(out, account->user.result);
}

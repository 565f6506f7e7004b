#include "daemon/dianactl_people.h"

#include "daemon/client_format.h"
#include "daemon/client_object.h"
#include "daemon/dianactl_cells.h"
#include "daemon/dianactl_command.h"

bool dianactl_people_params(struct client_params *params, const char *word, int64_t *ret_id)
{
	uint64_t id;

	if (!client_parse_uint(word, &id) || id > INT64_MAX) {
		client_params_text(params, "username", word[0] == '@' ? word + 1 : word);
		return false;
	}
	client_params_uint(params, "id", id);
	*ret_id = (int64_t)id;
	return true;
}

void dianactl_people_print(FILE *out, const msgpack_object *user)
{
	static const char *const keys[] = { "first_name", "last_name" };
	struct client_text username = client_object_text(user, "username");

	for (size_t i = 0; i < DIANACTL_COUNT(keys); i++) {
		struct client_text part = client_object_text(user, keys[i]);

		if (part.base == NULL)
			continue;
		putc(' ', out);
		dianactl_cells_print(out, part);
	}
	if (username.base == NULL)
		return;
	fputs(" @", out);
	dianactl_cells_print(out, username);
}

#include "daemon/dianactl_options.h"

#include <string.h>

#include "daemon/client_format.h"

#define PROBLEM_MAX 256
#define HELP_COLUMN 26

static const struct dianactl_option *find_option(const struct dianactl_option_set *set, const char *name, size_t len)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strlen(set->options[i].name) == len && memcmp(set->options[i].name, name, len) == 0)
			return &set->options[i];
	}
	return NULL;
}

static const struct dianactl_option *find_letter(const struct dianactl_option_set *set, char letter)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->options[i].letter == letter)
			return &set->options[i];
	}
	return NULL;
}

static bool add_text(struct dianactl_texts *texts, const char *text)
{
	if (texts->n == DIANACTL_TEXTS_MAX)
		return false;
	texts->items[texts->n++] = text;
	return true;
}

/* False: text is no value for this option. */
static bool store_value(const struct dianactl_option *option, void *values, const char *text)
{
	char *place = (char *)values + option->offset;
	uint64_t number;

	switch (option->type) {
	case DIANACTL_FLAG:
		*(bool *)place = true;
		return true;
	case DIANACTL_TEXT:
		*(const char **)place = text;
		return true;
	case DIANACTL_TEXTS:
		return add_text((struct dianactl_texts *)place, text);
	case DIANACTL_LEVEL:
		if (text == NULL) {
			*(uint64_t *)place = DIANACTL_LEVEL_ANY;
			return true;
		}
		/* fall through */
	case DIANACTL_NUMBER:
		if (!client_parse_uint(text, &number) || number == 0 || number > INT64_MAX)
			return false;
		*(uint64_t *)place = number;
		return true;
	}
	return false;
}

static bool is_option(const char *text)
{
	return text[0] == '-' && text[1] != '\0';
}

static const struct dianactl_option *match_option(const struct dianactl_option_set *sets, size_t n_sets,
						  const char *text, size_t name_len, void **ret_values)
{
	const struct dianactl_option *option = NULL;

	for (size_t i = 0; i < n_sets && option == NULL; i++) {
		if (text[1] == '-')
			option = find_option(&sets[i], text + 2, name_len - 2);
		else if (name_len == 2)
			option = find_letter(&sets[i], text[1]);
		*ret_values = sets[i].values;
	}
	return option;
}

/* argv[at] begins with a dash. False: ret_problem. */
static bool take_option(struct dianactl_arguments *arguments, const struct dianactl_option_set *sets, size_t n_sets,
			char ret_problem[PROBLEM_MAX])
{
	const char *text = arguments->argv[arguments->at++];
	const char *equals = text[1] == '-' ? strchr(text, '=') : NULL;
	int name_len = (int)(equals != NULL ? (size_t)(equals - text) : strlen(text));
	const char *value = equals != NULL ? equals + 1 : NULL;
	const struct dianactl_option *option;
	void *values = NULL;

	option = match_option(sets, n_sets, text, (size_t)name_len, &values);
	if (option == NULL) {
		snprintf(ret_problem, PROBLEM_MAX, "unknown option %.*s", name_len, text);
		return false;
	}
	if (option->type == DIANACTL_FLAG && value != NULL) {
		snprintf(ret_problem, PROBLEM_MAX, "option --%s takes no value", option->name);
		return false;
	}
	if (option->type != DIANACTL_FLAG && option->type != DIANACTL_LEVEL && value == NULL) {
		if (arguments->at == arguments->argc) {
			snprintf(ret_problem, PROBLEM_MAX, "option --%s needs a value (%s)", option->name,
				 option->value);
			return false;
		}
		value = arguments->argv[arguments->at++];
	}
	if (!store_value(option, values, value)) {
		snprintf(ret_problem, PROBLEM_MAX, "option --%s: '%s' is not a valid %s", option->name, value,
			 option->value);
		return false;
	}
	return true;
}

enum dianactl_argument dianactl_options_next(struct dianactl_arguments *arguments,
					     const struct dianactl_option_set *sets, size_t n_sets, char **ret_word,
					     char ret_problem[PROBLEM_MAX])
{
	while (arguments->at < arguments->argc) {
		char *text = arguments->argv[arguments->at];

		if (!arguments->options_ended && strcmp(text, "--") == 0) {
			arguments->options_ended = true;
			arguments->at++;
		} else if (!arguments->options_ended && is_option(text)) {
			if (!take_option(arguments, sets, n_sets, ret_problem))
				return DIANACTL_ARGUMENT_BAD;
		} else {
			arguments->at++;
			*ret_word = text;
			return DIANACTL_ARGUMENT_WORD;
		}
	}
	return DIANACTL_ARGUMENT_END;
}

void dianactl_options_describe(FILE *out, const struct dianactl_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[PROBLEM_MAX];
		const struct dianactl_option *option = &options[i];

		if (option->type == DIANACTL_LEVEL)
			snprintf(left, sizeof(left), "--%s[=%s]", option->name, option->value);
		else
			snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value != NULL ? " " : "",
				 option->value != NULL ? option->value : "");
		if (option->letter != 0)
			fprintf(out, "  -%c, ", option->letter);
		else
			fputs("      ", out);
		fprintf(out, "%-*s%s\n", HELP_COLUMN, left, option->help);
	}
}

#include <stdio.h>

#include "daemon/diag.h"
#include "daemon/options.h"
#include "daemon/reference.h"
#include "daemon/server.h"

static int run(const struct options *o)
{
	struct server *srv;
	struct err err;
	int rc;

	diag_set_level((enum diag_level)o->log_level);
	rc = server_open(o, &srv, &err);
	if (rc != 0) {
		diag_error("%s", err.text);
		return 1;
	}
	rc = server_run(srv, &err);
	if (rc != 0)
		diag_error("%s", err.text);
	server_close(srv);
	diag_info("stopped");
	return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = 0;

	switch (options_parse(&o, argc, argv)) {
	case OPTIONS_RUN:
		status = run(&o);
		break;
	case OPTIONS_METHODS:
		reference_print(stdout);
		break;
	case OPTIONS_DONE:
		break;
	case OPTIONS_BAD:
		status = 2;
		break;
	}
	options_free(&o);
	return status;
}

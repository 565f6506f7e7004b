#include "audit.h"

#include "request.h"

void audit_encode(struct workload *w, enum op op, uint32_t slot, struct bytes *out)
{
	switch (op) {
	case OP_HISTORY:
		request_begin(out, slot, "point.list", 3);
		request_pair(out, "kind", "transaction");
		request_number(out, "user_id", workload_pick_regular(w));
		request_number(out, "limit", AUDIT_HISTORY);
		break;
	case OP_TRAIL:
		request_begin(out, slot, "log.read", 3);
		request_pair(out, "order", "desc");
		request_number(out, "user_id", workload_pick_regular(w));
		request_number(out, "limit", AUDIT_HISTORY);
		break;
	default:
		request_begin(out, slot, "log.prove", 1);
		request_number(out, "seq", 1 + random_below(&w->random, w->events));
		break;
	}
}

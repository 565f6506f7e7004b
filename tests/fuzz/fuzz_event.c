#include <stdlib.h>

#include "core/map_writer.h"
#include "daemon/event_log.h"

/* A stored event from any bytes: decoding, showing, and the users in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t users[EVENT_USERS_MAX];
	struct arena arena;
	struct envelope env;
	struct event ev;
	struct err err;
	struct buf out;

	arena_init(&arena, 8 << 20);
	buf_init(&out, 8 << 20);
	if (event_from_stored(slice_of(data, size), &arena, &ev, &env))
		event_users(ev.type, ev.data, users, EVENT_USERS_MAX);
	if (event_show(&out, slice_of(data, size), true, &arena, &err) == 0) {
		struct mp m = mp_of(buf_slice(&out));

		/* what is shown is well formed, whatever was stored */
		if (!out.failed && (!mp_skip(&m, MP_SCAN_DEPTH) || m.p != m.end))
			abort();
	}
	buf_free(&out);
	arena_free(&arena);
	return 0;
}

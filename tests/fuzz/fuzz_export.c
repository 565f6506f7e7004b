/* Exports from any bytes, as a file and as one line. What is understood is an event, and is told and understood again
 * as the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/export.h"
#include "daemon/export_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_line(struct export_event *x, struct slice text)
{
	struct slice stored;
	struct buf packed;
	struct err err;
	const char *why;

	buf_init(&packed, 1 << 20);
	if (export_json_get(text, &packed, &why) && !packed.failed)
		(void)export_event_get(x, buf_slice(&packed), &stored, &err);
	buf_free(&packed);
}

static void tell_again(struct export_event *x, struct slice stored)
{
	struct buf line, packed;
	struct slice again;
	struct err err;
	const char *why;

	buf_init(&line, 8 << 20);
	buf_init(&packed, 8 << 20);
	if (export_event_put(x, stored, false, &line, &err) == 0 &&
	    (!export_json_get(buf_slice(&line), &packed, &why) ||
	     export_event_get(x, buf_slice(&packed), &again, &err) != 0 || !slice_eq(again, stored)))
		abort();
	buf_free(&line);
	buf_free(&packed);
}

static void read_file(struct export_event *x, const char *path)
{
	struct export_reader *r;
	struct export_entry e;
	struct err err;

	if (export_reader_open(path, -1, NULL, 0, &r, &err) != 0)
		return;
	while (export_reader_next(r, &e, &err) == 0)
		tell_again(x, e.bytes);
	export_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("export", MFD_CLOEXEC);
	struct export_event x;
	char path[40];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	export_event_init(&x);
	read_line(&x, slice_of(data, size));
	read_file(&x, path);
	export_event_free(&x);
	close(fd);
	return 0;
}

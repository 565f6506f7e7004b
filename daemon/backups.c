#include "daemon/backups.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/map_writer.h"
#include "daemon/clock.h"

enum { PATH_SIZE = 4096 };

struct backups {
	pthread_mutex_t lock;
	bool running;
	char path[PATH_SIZE], dir[PATH_SIZE];
	int64_t began_ms;
	struct log_backup_progress progress;
};

struct backups *backups_new(void)
{
	struct backups *b = calloc(1, sizeof(*b));

	if (b != NULL)
		pthread_mutex_init(&b->lock, NULL);
	return b;
}

void backups_free(struct backups *b)
{
	if (b == NULL)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct log_backup_progress *backups_begin(struct backups *b, const char *path, const char *dir)
{
	pthread_mutex_lock(&b->lock);
	snprintf(b->path, sizeof(b->path), "%s", path);
	snprintf(b->dir, sizeof(b->dir), "%s", dir);
	b->began_ms = monotonic_ms();
	b->progress = (struct log_backup_progress){ .phase = LOG_BACKUP_BEGINS };
	b->running = true;
	pthread_mutex_unlock(&b->lock);
	return &b->progress;
}

void backups_end(struct backups *b)
{
	pthread_mutex_lock(&b->lock);
	b->running = false;
	pthread_mutex_unlock(&b->lock);
}

static void show_running(const struct backups *b, struct buf *out)
{
	static const char *const phases[] = {
		[LOG_BACKUP_BEGINS] = "beginning",
		[LOG_BACKUP_COPIES] = "copying",
		[LOG_BACKUP_VERIFIES] = "verifying",
	};
	enum log_backup_phase phase;
	struct map_writer w;
	uint64_t done, of;

	log_backup_look(&b->progress, b->dir, &phase, &done, &of);
	map_open(&w, out);
	map_str(&w, "path", b->path);
	map_str(&w, "phase", phases[phase]);
	map_uint(&w, "done", done);
	map_uint(&w, "of", of);
	map_int(&w, "time_ms", monotonic_ms() - b->began_ms);
	map_close(&w);
}

void backups_show(struct backups *b, struct buf *out)
{
	pthread_mutex_lock(&b->lock);
	if (b->running)
		show_running(b, out);
	else
		mp_put_nil(out);
	pthread_mutex_unlock(&b->lock);
}

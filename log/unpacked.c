#include "log/unpacked.h"

#include <stdlib.h>

struct slot {
	uint64_t used; /* when it was last asked for; 0: it holds nothing */
	struct block_group group;
};

struct unpacked {
	uint64_t now; /* counts what was asked for */
	struct packer packer;
	struct slot slots[UNPACKED_GROUPS];
};

struct unpacked *unpacked_new(void)
{
	return calloc(1, sizeof(struct unpacked));
}

void unpacked_free(struct unpacked *u)
{
	if (u == NULL)
		return;
	for (int i = 0; i < UNPACKED_GROUPS; i++)
		block_group_free(&u->slots[i].group);
	packer_free(&u->packer);
	free(u);
}

/* The slot that holds the group, or else the one that was not used for longest. */
static struct slot *find_slot(struct unpacked *u, uint64_t first, uint32_t n)
{
	struct slot *oldest = &u->slots[0];

	for (struct slot *s = u->slots; s < u->slots + UNPACKED_GROUPS; s++) {
		if (s->used != 0 && s->group.first == first && s->group.n == n)
			return s;
		if (s->used < oldest->used)
			oldest = s;
	}
	oldest->used = 0;
	return oldest;
}

static void drop_large(struct unpacked *u)
{
	for (struct slot *s = u->slots; s < u->slots + UNPACKED_GROUPS; s++) {
		if (s->group.unpacked.cap <= UNPACKED_KEEP)
			continue;
		block_group_free(&s->group);
		s->used = 0;
	}
}

int unpacked_get(struct unpacked *u, const struct block_view *b, uint32_t n, const struct block_group **ret,
		 struct err *err)
{
	struct slot *s;
	uint64_t first;
	uint32_t count;

	block_group_at(b, n, &first, &count);
	s = find_slot(u, first, count);
	if (s->used == 0) {
		int rc;

		drop_large(u);
		rc = block_group_load(b, n, &u->packer, &s->group, err);
		if (rc != 0)
			return rc;
	}
	s->used = ++u->now;
	*ret = &s->group;
	return 0;
}

#include "hist.h"

#define SUB ((uint64_t)1 << HIST_SUB_BITS)

/* Values below 2*SUB have a bucket each; above, the top HIST_SUB_BITS+1 bits choose it. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 2 * SUB)
		return (unsigned)ns;
	shift = 63 - (unsigned)__builtin_clzll(ns) - HIST_SUB_BITS;
	return (unsigned)(shift * SUB + (ns >> shift));
}

static uint64_t middle_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2 * SUB)
		return bucket;
	shift = (unsigned)(bucket / SUB) - 1;
	return ((SUB + bucket % SUB) << shift) + (((uint64_t)1 << shift) >> 1);
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->bucket[bucket_of(ns)]++;
	h->total++;
}

uint64_t hist_quantile(const struct hist *h, double part)
{
	uint64_t seen = 0, wanted = (uint64_t)((double)h->total * part);

	if (h->total == 0)
		return 0;
	if (wanted >= h->total)
		wanted = h->total - 1;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > wanted)
			return middle_of(i);
	}
	return 0;
}

#ifndef DIANA_BENCH_MIX_H
#define DIANA_BENCH_MIX_H

#include "load.h"

/*
 * The mixed workload, of dianad alone: 60 % activity, 20 % queries, 10 % bids, 10 % missions and story, of random
 * users. Bids race each other, so some are refused; mix_expects() tells such a refusal from a failure.
 */

/* Requests that create the auctions, the mission and the fragments which the mix is about. */
enum { MIX_AUCTIONS = 4096, MIX_PREPARATIONS = MIX_AUCTIONS + 3 };
void mix_prepare_encode(struct workload *w, uint32_t slot, struct bytes *out);
void mix_encode(struct workload *w, uint32_t slot, struct bytes *out);
bool mix_expects(const struct reply *reply);

#endif

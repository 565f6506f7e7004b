#ifndef CORE_POINTS_H
#define CORE_POINTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Points are exact: int64 thousandths everywhere inside. The ceiling of any single amount and of a
 * balance is 4 000 000 000 000 points, below 2^42, so that every thousandth has a float64 of its
 * own and the wire's floats can be told apart exactly.
 */
#define POINTS_SCALE INT64_C(1000)
#define POINTS_MAX (INT64_C(4000000000000) * POINTS_SCALE)

/* The thousandths of which x is the nearest float64. False: NaN, infinite, not a multiple of 0.001. */
bool points_from_double(double x, int64_t *ret);
/* Whole points to thousandths; false when they do not fit an int64. */
bool points_from_int(int64_t whole, int64_t *ret);
/* The float64 nearest to the amount. */
double points_to_double(int64_t thousandths);
static inline bool points_whole(int64_t thousandths)
{
	return thousandths % POINTS_SCALE == 0;
}
/* "-12.5" and the like, at most 24 bytes with the final zero. Returns the length. */
int points_print(int64_t thousandths, char text[24]);

#endif

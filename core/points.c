#include "core/points.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

bool points_from_double(double x, int64_t *ret)
{
	double t;

	if (!(fabs(x) < 9.2e15))
		return false;
	t = round(x * 1000.0);
	if (fabs(t) >= 9.2e18 || t / 1000.0 != x)
		return false;
	*ret = (int64_t)t;
	return true;
}

bool points_from_int(int64_t whole, int64_t *ret)
{
	return !__builtin_mul_overflow(whole, POINTS_SCALE, ret);
}

double points_to_double(int64_t thousandths)
{
	return (double)thousandths / 1000.0;
}

int points_print(int64_t thousandths, char text[24])
{
	uint64_t u = thousandths < 0 ? -(uint64_t)thousandths : (uint64_t)thousandths;
	unsigned frac = (unsigned)(u % 1000);
	int n = snprintf(text, 24, "%s%" PRIu64, thousandths < 0 ? "-" : "", u / 1000);

	if (frac != 0) {
		n += snprintf(text + n, 24 - (size_t)n, ".%03u", frac);
		while (text[n - 1] == '0')
			text[--n] = '\0';
	}
	return n;
}

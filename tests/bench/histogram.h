/* histogram - how often which value came, in memory that does not grow.
 *
 * Up to 64 each value has a counter of its own; from there on every power of two is cut into 32, so
 * that a value is known to 3 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_CUTS = 32, HISTOGRAM_SLOTS = 60 * HISTOGRAM_CUTS };

struct histogram {
    uint64_t count[HISTOGRAM_SLOTS];
    uint64_t total;
    int64_t max;
};

/* A negative value counts as 0. */
void histogram_add(struct histogram *h, int64_t value);

/* The value that a share (0 to 1) of all does not exceed; 0 if there is none. */
int64_t histogram_quantile(const struct histogram *h, double share);

#endif

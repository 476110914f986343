#include "histogram.h"

/* Up to 63 the value itself; then its six leading bits choose, of which five vary. */
static int slot_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_CUTS)
        return (int)value;
    int shift = 64 - 6 - __builtin_clzll(value);
    return shift * HISTOGRAM_CUTS + (int)(value >> shift);
}

/* The largest value of a slot. */
static int64_t slot_top(int slot)
{
    if (slot < 2 * HISTOGRAM_CUTS)
        return slot;
    int shift = slot / HISTOGRAM_CUTS - 1;
    int64_t leading = slot - shift * HISTOGRAM_CUTS;
    return ((leading + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, int64_t value)
{
    if (value < 0)
        value = 0;
    h->count[slot_of((uint64_t)value)]++;
    h->total++;
    if (value > h->max)
        h->max = value;
}

int64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)((double)h->total * share), seen = 0;

    for (int slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += h->count[slot];
        if (seen > 0 && seen >= wanted)
            return slot_top(slot) < h->max ? slot_top(slot) : h->max;
    }
    return 0;
}

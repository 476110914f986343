#include "stream/delays.h"

const int64_t delay_bounds_ms[DELAY_BOUNDS] = {5,    10,   25,   50,    100,   250,  500,
                                               1000, 2500, 5000, 10000, 30000, 60000};

void delays_add(struct delays *d, int64_t timestamp_ms)
{
    struct delay_batch *batch = &d->batches[d->next];
    struct delay_run *last = batch->n > 0 ? &batch->runs[batch->n - 1] : NULL;

    if (timestamp_ms < 0)
        return;
    if (last != NULL && (last->timestamp_ms == timestamp_ms || batch->n == DELAY_RUNS)) {
        last->records++;
        if (timestamp_ms < last->timestamp_ms)
            last->timestamp_ms = timestamp_ms;
        return;
    }
    batch->runs[batch->n++] = (struct delay_run){timestamp_ms, 1};
}

void delays_begin(struct delays *d, bool any_stream)
{
    if (any_stream)
        d->next = !d->next;
    d->batches[d->next].n = 0;
}

static void delays_count(struct delay_counts *counts, const struct delay_run *run, int64_t wall_ms)
{
    int64_t age = wall_ms - run->timestamp_ms;
    int i = 0;

    if (age < 0)
        age = 0;
    if (age > DELAY_MAX_MS)
        age = DELAY_MAX_MS;
    while (i < DELAY_BOUNDS && age > delay_bounds_ms[i])
        i++;
    counts->at[i] += run->records;
    counts->sum_ms += (uint64_t)age * run->records;
}

void delays_end(struct delays *d, int64_t wall_ms)
{
    struct delay_batch *batch = &d->batches[!d->next];

    for (size_t i = 0; i < batch->n; i++)
        delays_count(&d->counts, &batch->runs[i], wall_ms);
    batch->n = 0;
}

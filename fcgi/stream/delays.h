/* delays - how long records take from Kafka to the streams: from a record's timestamp to the end of
 * the round that gave it to all streams that keep up.  Numbers only: no clock.
 *
 * Counted per record and round, not per stream.  Streams that are behind are in no round, and have
 * no part in it. */
#ifndef SKF_STREAM_DELAYS_H
#define SKF_STREAM_DELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DELAY_BOUNDS = 13,
    DELAY_RUNS = 256, /* of one round; the last of them takes in what comes beyond */
    DELAY_MAX_MS = 3600 * 1000,
};

/* In milliseconds, ascending. */
extern const int64_t delay_bounds_ms[DELAY_BOUNDS];

/* A histogram: at [i] those of at most delay_bounds_ms[i], and more than the bound before it; the
 * last has those beyond all bounds. */
struct delay_counts {
    uint64_t at[DELAY_BOUNDS + 1];
    uint64_t sum_ms;
};

/* Records one after the other that have one timestamp. */
struct delay_run {
    int64_t timestamp_ms;
    uint64_t records;
};

struct delay_batch {
    struct delay_run runs[DELAY_RUNS];
    size_t n;
};

/* `{0}` has counted nothing. */
struct delays {
    struct delay_batch batches[2]; /* of the next round, and of the one under way */
    bool next;                     /* which is the next round's */
    struct delay_counts counts;
};

/* A live record has come, for the next round; -1: it has no timestamp, and is not counted. */
void delays_add(struct delays *d, int64_t timestamp_ms);

/* A round begins with all that have come; if it has no stream, they are given to nobody, and are
 * not counted. */
void delays_begin(struct delays *d, bool any_stream);

/* It is over: its records were written by that time of the wall clock.  One whose timestamp lies
 * ahead took no time; one of more than DELAY_MAX_MS took that long, for a producer may set any
 * timestamp, and the sum is to stay of use. */
void delays_end(struct delays *d, int64_t wall_ms);

#endif

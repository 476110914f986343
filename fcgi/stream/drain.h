/* drain - ends all streams before the process does, spread over a while, so that their clients do
 * not all come back in one second. */
#ifndef SKF_STREAM_DRAIN_H
#define SKF_STREAM_DRAIN_H

#include "base/loop.h"

struct drain;
struct fanouts;

struct drain_config {
    int64_t drain_ms; /* over which the ends are spread; 0: all at once */
    int64_t retry_ms; /* what each client is told to wait before it comes back, times 0.5 to 1.5 */
    void (*done)(void *arg); /* there are no streams any more; from the loop */
    void *arg;
};

/* Begins at once.  The fan-outs are borrowed, none of
 * them is NULL.  No streams may be opened from now on. */
struct drain *drain_new(struct loop *loop, const struct fanouts *fanouts,
                        const struct drain_config *config);
void drain_free(struct drain *d);

#endif

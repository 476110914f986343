/* tick - the consumer's look at how all fares, once a second: how long was it since the last one,
 * and did we run at all meanwhile?  A process that is stopped, or gets no time of its machine,
 * hears from nobody, and must not blame others for it.  Pure. */
#ifndef SKF_KAFKA_TICK_H
#define SKF_KAFKA_TICK_H

#include <stdbool.h>
#include <stdint.h>

enum { TICK_MS = 1000 };

struct tick {
    int64_t now_ms; /* of the last look */
    /* The time between the last two looks: what counts of it, and what does not. */
    int64_t ran_ms, lost_ms;
};

static inline struct tick tick_new(int64_t now_ms)
{
    return (struct tick){.now_ms = now_ms};
}
/* Another look. */
void tick_look(struct tick *t, int64_t now_ms);
/* Since the last look we did not run: the next one is late by more than a second. */
bool tick_was_stopped(const struct tick *t, int64_t now_ms);

#endif

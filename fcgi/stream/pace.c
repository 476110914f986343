#include "stream/pace.h"

enum {
    STREAM_US = 30, /* of a flush, for each stream: half of what one lighttpd can pass on */
    INTERVAL_MAX_MS = 100,
    INTERVALS_SAVED = 3, /* that were not used, to be used at once */
};

int64_t pace_wait_ms(const struct pace *p, int64_t now_ms)
{
    if (p->waiting == 0)
        return -1;
    return pace_is_much(p) || p->due_ms <= now_ms ? 0 : p->due_ms - now_ms;
}

void pace_begin(struct pace *p, size_t streams, int64_t now_ms)
{
    int64_t interval = p->interval_ms, saved = 0;

    if (interval < 0) {
        interval = (int64_t)streams * STREAM_US / 1000;
        if (interval > INTERVAL_MAX_MS)
            interval = INTERVAL_MAX_MS;
        saved = INTERVALS_SAVED * interval;
    }
    if (p->due_ms > now_ms) /* so much had come that it went early */
        p->due_ms = now_ms;
    if (p->due_ms < now_ms - saved)
        p->due_ms = now_ms - saved;
    p->due_ms += interval;
    p->flushing = p->waiting;
    p->waiting = 0;
}

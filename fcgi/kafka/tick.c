#include "kafka/tick.h"

bool tick_was_stopped(const struct tick *t, int64_t now_ms)
{
    return now_ms - t->now_ms > 2 * TICK_MS;
}

void tick_look(struct tick *t, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - t->now_ms;

    t->ran_ms = tick_was_stopped(t, now_ms) ? TICK_MS : elapsed_ms;
    t->lost_ms = elapsed_ms - t->ran_ms;
    t->now_ms = now_ms;
}

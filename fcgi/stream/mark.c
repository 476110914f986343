#include "stream/mark.h"

enum { LEADERLESS_MS = 10000 };

void mark_set(struct mark *mark, const struct consumer *consumer, int32_t n, int64_t now_ms)
{
    if (mark->end.n != n)
        progress_resize(&mark->end, n);
    for (int32_t i = 0; i < n; i++)
        mark->end.next[i] = consumer_end(consumer, i);
    mark->at_ms = now_ms;
    mark->set = true;
}

bool mark_reached(const struct mark *mark, const struct consumer *consumer, int64_t now_ms)
{
    bool patient = now_ms - mark->at_ms < LEADERLESS_MS;

    for (int32_t i = 0; i < mark->end.n; i++) {
        bool awaited = patient || consumer_has_leader(consumer, i);
        if (awaited && !consumer_passed(consumer, i, mark->end.next[i]))
            return false;
    }
    return true;
}

void mark_fini(struct mark *mark)
{
    progress_fini(&mark->end);
    *mark = (struct mark){0};
}

#include "stream/mark.h"

void mark_set(struct mark *mark, struct consumer *consumer, int32_t n)
{
    if (mark->end.n != n)
        progress_resize(&mark->end, n);
    for (int32_t i = 0; i < n; i++)
        mark->end.next[i] = consumer_end(consumer, i);
    mark->ticket = UINT64_MAX;
    mark->set = true;
    /* Leaders can say better what is to come: the end may be of a transaction that is open. */
    if (!mark_reached(mark, consumer))
        mark->ticket = consumer_ask(consumer);
}

bool mark_reached(struct mark *mark, const struct consumer *consumer)
{
    for (int32_t i = 0; i < mark->end.n; i++) {
        int64_t *end = &mark->end.next[i];
        if (consumer_given_up(consumer, i))
            continue;
        if (*end < 0)
            *end = consumer_end(consumer, i);
        if (*end < 0 || !consumer_passed(consumer, i, *end, mark->ticket))
            return false;
    }
    return true;
}

void mark_fini(struct mark *mark)
{
    progress_fini(&mark->end);
    *mark = (struct mark){0};
}

#include "stream/order.h"

#include <stdlib.h>

#include "base/mem.h"
#include "stream/streams.h"

enum { ORDER_MS = 1000 };

struct placed {
    uint32_t connection, at;
    struct stream *stream;
};

/* Those of a connection stay in their order. */
static int compare(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->connection != y->connection)
        return x->connection < y->connection ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static void order_sort(struct stream_list *list, size_t n)
{
    struct placed *placed = mem_zero(n * sizeof *placed);
    struct stream *s;
    uint32_t at = 0;

    TAILQ_FOREACH(s, list, link)
    {
        placed[at] = (struct placed){s->connection, at, s};
        at++;
    }
    qsort(placed, n, sizeof *placed, compare);
    TAILQ_INIT(list);
    for (size_t i = 0; i < n; i++)
        TAILQ_INSERT_TAIL(list, placed[i].stream, link);
    free(placed);
}

void order_ready(struct streams *all, int64_t now_ms)
{
    if (!all->mixed || now_ms - all->ordered_at_ms < ORDER_MS)
        return;
    all->mixed = false;
    all->ordered_at_ms = now_ms;
    if (all->count[STREAM_READY] > 1)
        order_sort(&all->in[STREAM_READY], all->count[STREAM_READY]);
}

#include "topic/losses.h"

#include <stdlib.h>

#include "base/mem.h"
#include "topic/progress.h"

void losses_fini(struct losses *l)
{
    free(l->of);
    *l = (struct losses){0};
}

void losses_reset(struct losses *l, uint64_t number)
{
    free(l->of);
    *l = (struct losses){.changes = l->changes + 1, .forgotten = number};
}

void losses_set_partitions(struct losses *l, int32_t n)
{
    l->of = mem_resize_array(l->of, (size_t)n, sizeof *l->of);
    for (; l->n < n; l->n++)
        l->of[l->n] = (struct loss){.horizon = OFFSET_BEGINNING, .lost = OFFSET_BEGINNING};
}

static void losses_raise(struct losses *l, int64_t *mark, int64_t offset)
{
    if (offset > *mark) {
        *mark = offset;
        l->changes++;
    }
}

void losses_hide_deletes(struct losses *l, int32_t partition, int64_t offset)
{
    losses_raise(l, &l->of[partition].horizon, offset);
}

void losses_lose(struct losses *l, int32_t partition, int64_t offset)
{
    losses_raise(l, &l->of[partition].lost, offset);
}

void losses_forget(struct losses *l, uint64_t number)
{
    if (number > l->forgotten) {
        l->forgotten = number;
        l->changes++;
    }
}

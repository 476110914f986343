#include "stream/due.h"

#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_SIZE = 64 };

void due_fini(struct due *d)
{
    free(d->ring);
}

static struct due_want *due_at(const struct due *d, uint32_t place)
{
    return &d->ring[place & (d->size - 1)];
}

static void due_grow(struct due *d)
{
    const struct due old = *d;

    d->size = old.size ? old.size * 2 : FIRST_SIZE;
    d->ring = mem_alloc(d->size * sizeof *d->ring);
    for (uint32_t i = old.begin; i != old.end; i++)
        *due_at(d, i) = *due_at(&old, i);
    free(old.ring);
}

void due_add(struct due *d, struct want *want, struct item first)
{
    if (d->end - d->begin == d->size)
        due_grow(d);
    want->due = d->end++;
    *due_at(d, want->due) = (struct due_want){want, first};
}

struct due_want *due_find(const struct due *d, const struct want *want)
{
    if (want->due - d->begin >= d->end - d->begin)
        return NULL;
    struct due_want *due = due_at(d, want->due);

    return due->want == want ? due : NULL;
}

struct due_want *due_first(struct due *d, uint32_t until)
{
    while ((int32_t)(until - d->begin) > 0 && d->begin != d->end) {
        struct due_want *due = due_at(d, d->begin);
        if (due->want != NULL)
            return due;
        d->begin++;
    }
    return NULL;
}

void due_drop_first(struct due *d)
{
    d->begin++;
}

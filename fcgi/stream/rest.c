#include "stream/rest.h"

#include <assert.h>

#include "stream/backlog_inside.h"

enum { SHARED_MIN = 4096 }; /* bytes: fewer are not worth the look */

void rest_copy(struct rest *rest, struct slice bytes)
{
    if (bytes.n == 0)
        return;
    assert(rest->block == NULL);
    *rest = (struct rest){block_new(), 0, (uint32_t)bytes.n};
    buf_add_slice(&rest->block->bytes, bytes);
}

/* Whoever is further in the same event lacks less of it, up to the same end. */
static bool ends_with(const struct block *block, struct slice bytes)
{
    const struct buf *all = &block->bytes;

    return all->n >= bytes.n && memcmp(all->p + all->n - bytes.n, bytes.p, bytes.n) == 0;
}

void shared_fini(struct shared *shared)
{
    if (shared->block != NULL)
        shared->block->shared = NULL;
    shared->block = NULL;
}

void rest_share(struct rest *rest, struct slice bytes, struct shared *last)
{
    if (last->block != NULL && bytes.n >= SHARED_MIN && ends_with(last->block, bytes)) {
        assert(rest->block == NULL);
        size_t end = last->block->bytes.n;
        *rest = (struct rest){last->block, (uint32_t)(end - bytes.n), (uint32_t)end};
        rest->block->refs++;
        return;
    }
    rest_copy(rest, bytes);
    if (bytes.n < SHARED_MIN)
        return;
    shared_fini(last);
    last->block = rest->block;
    last->block->shared = last;
}

struct slice rest_slice(const struct rest *rest)
{
    return rest->block ? slice_of(rest->block->bytes.p + rest->at, rest->end - rest->at)
                       : slice_of(NULL, 0);
}

void rest_advance(struct rest *rest, size_t n)
{
    assert(n <= rest->end - rest->at);
    rest->at += (uint32_t)n;
    if (rest->at == rest->end)
        rest_fini(rest);
}

void rest_fini(struct rest *rest)
{
    if (rest->block != NULL)
        block_unref(rest->block);
    *rest = (struct rest){0};
}

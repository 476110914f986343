#include "stream/chunk.h"

#include <stdlib.h>

#include "base/mem.h"

enum { CHUNK_KEPT = 1 << 20 }; /* what a larger event took is given back */

void chunk_clear(struct chunk *chunk)
{
    chunk->bytes.n = 0;
    chunk->n = 0;
    chunk->gaps = 0;
    chunk->events = 0;
    chunk->whole = false;
}

void chunk_give_back(struct chunk *chunk)
{
    if (chunk->bytes.cap > CHUNK_KEPT)
        buf_fini(&chunk->bytes);
}

void chunk_fini(struct chunk *chunk)
{
    buf_fini(&chunk->bytes);
    progress_fini(&chunk->start);
    progress_fini(&chunk->shown);
    free(chunk->marks);
    keyed_fini(&chunk->keyed);
    shared_fini(&chunk->shared);
}

void chunk_add_mark(struct chunk *chunk, uint64_t pos, int32_t partition, int64_t next)
{
    if (chunk->n == chunk->cap) {
        chunk->cap = chunk->cap ? chunk->cap * 2 : 256;
        chunk->marks = mem_resize_array(chunk->marks, chunk->cap, sizeof *chunk->marks);
    }
    chunk->marks[chunk->n++] =
        (struct chunk_mark){chunk->bytes.n, pos, next, partition, chunk->events};
}

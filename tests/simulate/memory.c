#include "memory.h"

#include <malloc.h>

#include "cluster.h"
#include "keys.h"
#include "port.h"
#include "sockets.h"
#include "subscription.h"
#include "unwrap.h"
#include "world.h"

enum {
    MEGABYTE = 1024 * 1024,
    HELD_MAX = 32 * MEGABYTE, /* besides the caches: backlogs, streams, what is under way */
    STREAM_MAX = 128 * 1024,  /* the rest of an event that it has begun, or of a block */
    /* In quiet times only events that there were are worth memory. */
    QUIET_MAX = 2 * MEGABYTE,
    QUIET_STREAM_MAX = 4096,
    BACKLOG_MAX = 8 * MEGABYTE,
    TOKEN_MAX = 480, /* of one that was verified, and is remembered for a while after its end */
    TOKENS_MAX = 16384,
};

static size_t began;

/* Nothing under the sanitizers. */
static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

void memory_begin(void)
{
    began = heap_bytes();
}

/* The caches, which have a limit of their own, and what is the simulation's. */
static size_t other_bytes(const struct pool *pool)
{
    size_t sum = began + port_heap_bytes() + sockets_heap_bytes();

    if (pool->shared != NULL)
        sum += subscription_heap_bytes(pool->shared);

    for (unsigned i = 0; i < RESPONDERS_MAX; i++)
        if (pool->responders[i] != NULL)
            sum += responder_cache_bytes(pool->responders[i]);
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->clients[i] != NULL)
            sum += client_heap_bytes(pool->clients[i]);
    return sum;
}

static void check(const struct pool *pool, size_t most)
{
    size_t now = heap_bytes(), other = other_bytes(pool);

    if (now > other + most)
        world_breach("memory", "the responders hold %zu KB besides their caches, %zu at most",
                     (now - other) / 1024, most / 1024);
}

void memory_check(const struct pool *pool)
{
    check(pool, HELD_MAX + pool->n * (size_t)STREAM_MAX);
}

void memory_check_quiet(const struct pool *pool)
{
    size_t backlog = 2 * cluster_event_bytes();

    if (backlog > BACKLOG_MAX)
        backlog = BACKLOG_MAX;
    backlog *= FORMS;
    size_t tokens = keys_signed() < TOKENS_MAX ? keys_signed() : TOKENS_MAX;
    size_t each = backlog + tokens * TOKEN_MAX; /* responder */
    check(pool, QUIET_MAX + pool->n * (size_t)QUIET_STREAM_MAX + pool->story->responders * each);
}

#include "steps.h"

#include "world.h"

static int32_t partition_of(uint32_t n)
{
    return (int32_t)(n % (uint32_t)cluster_topic()->n);
}

/* Mostly short; some are larger than a slow client's socket takes. */
static int32_t size_of(uint32_t n)
{
    int32_t size = (int32_t)(n % 60);

    if (n % 16 == 15)
        size += 2000;
    if (n % 256 == 255)
        size += 40000;
    return size;
}

/* -- records -- */

static void produce(struct pool *pool, const struct step *s)
{
    int32_t p = partition_of(s->a);
    int key = (int)(s->b % KEYS);

    (void)pool;
    int64_t o = cluster_produce(p, key, size_of(s->c), world_wall_ms());
    world_tell("key %d of partition %d is set, at %lld, %d bytes", key, (int)p, (long long)o,
               (int)size_of(s->c));
}

static void delete (struct pool *pool, const struct step *s)
{
    int32_t p = partition_of(s->a);
    int key = (int)(s->b % KEYS);

    (void)pool;
    int64_t o = cluster_produce(p, key, NO_VALUE, world_wall_ms());
    world_tell("key %d of partition %d is deleted, at %lld", key, (int)p, (long long)o);
}

static void burst(struct pool *pool, const struct step *s)
{
    int32_t p = partition_of(s->a);
    uint32_t n = 2 + s->c % 100, keys = 1 + s->b % KEYS;

    (void)pool;
    for (uint32_t i = 0; i < n; i++)
        cluster_produce(p, (int)(i % keys), i % 7 == 6 ? NO_VALUE : size_of(s->c + i * i),
                        world_wall_ms());
    world_tell("%u records of %u keys of partition %d, up to %lld", n, keys, (int)p,
               (long long)cluster_topic()->partitions[p].end);
}

/* More than the backlog holds. */
static void flood(struct pool *pool, const struct step *s)
{
    int32_t p = partition_of(s->a);
    uint32_t n = 100 + s->c % 100;

    (void)pool;
    for (uint32_t i = 0; i < n; i++)
        cluster_produce(p, (int)(i % KEYS), 30000, world_wall_ms());
    world_tell("%u large records of partition %d, up to %lld", n, (int)p,
               (long long)cluster_topic()->partitions[p].end);
}

/* -- clients -- */

static void come(struct pool *pool, const struct step *s)
{
    unsigned n = s->a % CLIENTS_MAX;

    if (pool->clients[n] == NULL)
        pool->clients[n] = client_new(n, s->b % client_kinds(), pool);
}

static struct client *some_client(struct pool *pool, uint32_t n)
{
    return pool->clients[n % CLIENTS_MAX];
}

static void break_line(struct pool *pool, const struct step *s)
{
    struct client *c = some_client(pool, s->a);

    if (c == NULL)
        return;
    world_tell("client %u's connection breaks", s->a % CLIENTS_MAX);
    client_break(c);
}

static void slow_down(struct pool *pool, const struct step *s)
{
    static const uint32_t paces[] = {0, 0, 100, 1000, 10000, UINT32_MAX};
    struct client *c = some_client(pool, s->a);
    uint32_t pace = paces[s->b % 6];

    if (c == NULL)
        return;
    if (pace == UINT32_MAX)
        world_tell("client %u reads all", s->a % CLIENTS_MAX);
    else
        world_tell("client %u reads %u bytes a second", s->a % CLIENTS_MAX, pace);
    client_set_pace(c, pace);
}

/* -- all of them -- */

/* clang-format off */
const struct step_kind step_kinds[] = {
    {"produce",    100, 40, produce},
    {"come",       100, 10, come},
    {"delete",      70, 10, delete},
    {"burst",       50,  4, burst},
    {"flood",       10,  1, flood},
    {"break line",  50,  5, break_line},
    {"slow down",   50,  3, slow_down},
};
/* clang-format on */

unsigned step_kinds_count(void)
{
    return sizeof step_kinds / sizeof step_kinds[0];
}

void steps_heal(struct pool *pool)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (pool->clients[i] != NULL)
            client_set_pace(pool->clients[i], UINT32_MAX);
}

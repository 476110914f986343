#include "steps.h"

#include "keys.h"
#include "port.h"
#include "world.h"

enum { CLEANER_MS = 15000 }; /* log.cleaner.backoff.ms: it comes by no more often */

/* The topic's, if there is one. */
static bool pick_partition(uint32_t n, int32_t *partition)
{
    const struct topic *t = cluster_topic();

    if (t != NULL)
        *partition = (int32_t)(n % (uint32_t)t->n);
    return t != NULL;
}

/* One that has a leader to write to. */
static bool pick_led_partition(uint32_t n, int32_t *partition)
{
    return pick_partition(n, partition) && cluster_topic()->partitions[*partition].leader >= 0;
}

/* Producers and brokers have another clock than the responders' host. */
static int64_t timestamp(void)
{
    return world_wall_ms() - world_wall_step_ms();
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
    int key = (int)(s->b % KEYS);
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p))
        return;
    int64_t o = cluster_produce(p, key, size_of(s->c), timestamp());
    world_tell("key %d of partition %d is set, at %lld, %d bytes", key, (int)p, (long long)o,
               (int)size_of(s->c));
}

static void delete_key(struct pool *pool, const struct step *s)
{
    int key = (int)(s->b % KEYS);
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p))
        return;
    int64_t o = cluster_produce(p, key, NO_VALUE, timestamp());
    world_tell("key %d of partition %d is deleted, at %lld", key, (int)p, (long long)o);
}

static void burst(struct pool *pool, const struct step *s)
{
    uint32_t n = 2 + s->c % 100, keys = 1 + s->b % KEYS;
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p))
        return;
    for (uint32_t i = 0; i < n; i++)
        cluster_produce(p, (int)(i % keys), i % 7 == 6 ? NO_VALUE : size_of(s->c + i * i),
                        timestamp());
    world_tell("%u records of %u keys of partition %d, up to %lld", n, keys, (int)p,
               (long long)cluster_topic()->partitions[p].end);
}

/* More than the backlog holds. */
static void flood(struct pool *pool, const struct step *s)
{
    uint32_t n = 100 + s->c % 100;
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p))
        return;
    for (uint32_t i = 0; i < n; i++)
        cluster_produce(p, (int)(i % KEYS), 30000, timestamp());
    world_tell("%u large records of partition %d, up to %lld", n, (int)p,
               (long long)cluster_topic()->partitions[p].end);
}

/* Without key and value: no event.  A compacted topic refuses records without a key. */
static void heartbeats(struct pool *pool, const struct step *s)
{
    uint32_t n = s->b % 16 == 15 ? 200000 : 1 + s->c % 50;
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p) || cluster_topic()->compacted)
        return;
    for (uint32_t i = 0; i < n; i++)
        cluster_produce(p, NO_KEY, i % 10 == 9 && n < 100 ? 20 : NO_VALUE, timestamp());
    world_tell("%u records without key, most without value, of partition %d, up to %lld", n, (int)p,
               (long long)cluster_topic()->partitions[p].end);
}

static void transaction(struct pool *pool, const struct step *s)
{
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p))
        return;
    if (!cluster_topic()->partitions[p].in_transaction) {
        cluster_begin_transaction(p);
        world_tell("a transaction begins in partition %d", (int)p);
        return;
    }
    bool commits = s->b % 3 > 0;
    cluster_end_transaction(p, commits);
    world_tell("the transaction in partition %d is %s, up to %lld", (int)p,
               commits ? "committed" : "aborted", (long long)cluster_topic()->partitions[p].end);
}

static void compact(struct pool *pool, const struct step *s)
{
    int32_t p;

    if (!pick_led_partition(s->a, &p) || !cluster_topic()->compacted)
        return;
    /* A responder can hear of another time only within a minute: until all have, deletes stay. */
    int64_t least_ms = CLEANER_MS;
    for (unsigned i = 0; i < pool->story->responders; i++)
        if (pool->responders[i] != NULL && port_retention_ms(i) > least_ms)
            least_ms = port_retention_ms(i);
    cluster_compact(p, s->b % 4, least_ms);
    world_tell("partition %d is compacted, but for the last %u", (int)p, s->b % 4);
}

static void age(struct pool *pool, const struct step *s)
{
    int32_t p;

    (void)pool;
    if (!pick_led_partition(s->a, &p) || (cluster_topic()->compacted && !cluster_topic()->ages))
        return;
    cluster_age(p, s->b % 10);
    world_tell("partition %d begins at %lld from now on", (int)p,
               (long long)cluster_topic()->partitions[p].start);
}

/* -- the topic -- */

static void grow(struct pool *pool, const struct step *s)
{
    (void)pool, (void)s;
    if (cluster_topic() == NULL)
        return;
    cluster_add_partitions(1);
    world_tell("the topic has %d partitions now", (int)cluster_topic()->n);
}

static void make_again(struct pool *pool, const struct step *s)
{
    struct cluster_config config = pool->story->cluster;
    bool again_at_once = s->a % 2;

    if (cluster_lives() >= LIVES_MAX)
        return;
    if (cluster_topic() != NULL) {
        cluster_delete_topic();
        world_tell("the topic is deleted");
        if (!again_at_once)
            return;
    }
    config.partitions = 1 + (int32_t)(s->b % 3);
    cluster_make_topic(&config);
    world_tell("the topic is made again, with %d partitions", (int)config.partitions);
    for (uint32_t i = s->c % 50; i > 0; i--)
        cluster_produce((int32_t)(i % (uint32_t)config.partitions), (int)(i % KEYS), 10,
                        timestamp());
}

static void alter(struct pool *pool, const struct step *s)
{
    (void)pool, (void)s;
    if (cluster_topic() == NULL || cluster_lives() >= LIVES_MAX)
        return;
    cluster_alter();
    world_tell("the topic is %s from now on",
               cluster_topic()->compacted ? "compacted" : "not compacted");
}

static void retain(struct pool *pool, const struct step *s)
{
    static const int64_t times_ms[] = {1, 2000, 20000, 20000, 120000, 86400000};

    (void)pool;
    if (cluster_topic() == NULL || !cluster_topic()->compacted)
        return;
    cluster_retain(times_ms[s->a % 6]);
    world_tell("deletes are kept for %lld ms from now on", (long long)times_ms[s->a % 6]);
}

static void lose(struct pool *pool, const struct step *s)
{
    uint32_t lost = 1 + s->b % 20;
    int32_t p;

    (void)pool;
    if (!pick_partition(s->a, &p) || cluster_lives() >= LIVES_MAX)
        return;
    const struct partition_log *log = &cluster_topic()->partitions[p];
    if (log->visible <= (lost < log->end ? log->end - lost : 0))
        return; /* what nobody has seen is not missed */
    cluster_cut(p, lost);
    world_tell("the leader of partition %d has lost the last %u, it ends at %lld", (int)p, lost,
               (long long)cluster_topic()->partitions[p].end);
}

/* -- brokers -- */

static void lead(struct pool *pool, const struct step *s)
{
    int leader = s->b % 3 == 0 ? -1 : (int)(s->b / 3 % BROKERS);
    int32_t p;

    (void)pool;
    if (!pick_partition(s->a, &p))
        return;
    cluster_topic()->partitions[p].leader = leader;
    cluster_changed();
    if (leader < 0)
        world_tell("partition %d has no leader", (int)p);
    else
        world_tell("broker %d leads partition %d", leader, (int)p);
}

static void fail(struct pool *pool, const struct step *s)
{
    static const char *const states[] = {"answers", "refuses", "hangs"};
    struct broker *b = cluster_broker((int)(s->a % BROKERS));

    (void)pool;
    b->state = s->b % 2 ? BROKER_ANSWERS : s->b / 2 % 2 ? BROKER_REFUSES : BROKER_HANGS;
    cluster_changed();
    world_tell("broker %u %s", s->a % BROKERS, states[b->state]);
}

static void slow_broker(struct pool *pool, const struct step *s)
{
    static const int64_t by_ms[] = {0, 0, 20, 300, 1200, 3000};
    struct broker *b = cluster_broker((int)(s->a % BROKERS));

    (void)pool;
    b->slow_ms = by_ms[s->b % 6];
    world_tell("broker %u takes %lld ms for an answer", s->a % BROKERS, (long long)b->slow_ms);
}

/* -- responders -- */

static struct responder *some_responder(struct pool *pool, uint32_t n)
{
    return pool->responders[n % pool->story->responders];
}

static void end_responder(struct pool *pool, const struct step *s)
{
    unsigned n = s->a % pool->story->responders;

    if (pool->responders[n] == NULL)
        return;
    bool drains = s->b % 2;
    world_tell("responder %u is %s", n, drains ? "told to end" : "killed");
    if (drains)
        pool_drain_responder(pool, n);
    else
        pool_free_responder(pool, n);
}

/* One after the other is restarted with other routes. */
static void reroute(struct pool *pool, const struct step *s)
{
    pool->routes++;
    world_tell("the routes are of version %u from now on", pool->routes);
    end_responder(pool, s);
}

static void stop_responder(struct pool *pool, const struct step *s)
{
    struct responder *r = some_responder(pool, s->a);
    bool stops = s->b % 2;

    if (r == NULL)
        return;
    world_tell("responder %u %s", s->a % pool->story->responders, stops ? "is stopped" : "goes on");
    responder_stop(r, stops);
}

static void burden(struct pool *pool, const struct step *s)
{
    static const int64_t turns_ms[] = {0, 0, 5, 30, 100, 300};
    struct responder *r = some_responder(pool, s->a);

    if (r == NULL)
        return;
    world_tell("a turn of responder %u takes up to %lld ms", s->a % pool->story->responders,
               (long long)turns_ms[s->b % 6]);
    responder_burden(r, turns_ms[s->b % 6]);
}

static void exhaust(struct pool *pool, const struct step *s)
{
    struct responder *r = some_responder(pool, s->a);
    bool exhausted = s->b % 2;

    if (r == NULL || responder_listens(r) < 0)
        return;
    world_tell("responder %u has %s descriptors", s->a % pool->story->responders,
               exhausted ? "no more" : "enough");
    responder_exhaust(r, exhausted);
}

static void change_key(struct pool *pool, const struct step *s)
{
    (void)s;
    if (!pool->story->responder.guarded)
        return;
    keys_change();
    world_tell("the issuer has another key");
}

static void set_clock(struct pool *pool, const struct step *s)
{
    static const int64_t by_ms[] = {-3600000, -60000, -500, 500, 60000, 3600000};

    world_tell("the wall clock is set by %lld ms", (long long)by_ms[s->a % 6]);
    pool_step_wall(pool, by_ms[s->a % 6]);
}

/* -- clients -- */

static void come(struct pool *pool, const struct step *s)
{
    for (unsigned n = s->a % GROUPS; n < pool->n; n += GROUPS)
        if (pool->clients[n] == NULL)
            pool->clients[n] = client_new(n, s->b % client_kinds(), pool);
}

static void break_line(struct pool *pool, const struct step *s)
{
    /* Mostly for a moment, some for longer than deletes are kept. */
    static const int64_t away_ms[] = {0, 0, 0, 0, 30000, 300000};
    int64_t most_ms = away_ms[s->b % 6];

    for (unsigned n = s->a % GROUPS; n < pool->n && pool->clients[n] != NULL; n += GROUPS) {
        world_tell("client %u's connection breaks", n);
        client_break(pool->clients[n], most_ms);
    }
}

static void slow_down(struct pool *pool, const struct step *s)
{
    static const uint32_t paces[] = {0, 0, 100, 1000, 10000, UINT32_MAX};
    uint32_t pace = paces[s->b % 6];

    for (unsigned n = s->a % GROUPS; n < pool->n && pool->clients[n] != NULL; n += GROUPS) {
        if (pace == UINT32_MAX)
            world_tell("client %u reads all", n);
        else
            world_tell("client %u reads %u bytes a second", n, pace);
        client_set_pace(pool->clients[n], pace);
    }
}

/* The next group that has handles. */
static void tell(struct pool *pool, const struct step *s)
{
    uint32_t times = s->b % 16 == 15 ? 15 : 1 + s->b % 4;
    unsigned group = s->a % GROUPS, groups = 0;

    while (groups < GROUPS && !client_is_told(pool->clients[group])) {
        group = (group + 1) % GROUPS;
        groups++;
    }
    for (unsigned n = group; n < pool->n && groups < GROUPS; n += GROUPS)
        client_tell(pool->clients[n], times);
}

/* -- all of them -- */

/* clang-format off */
const struct step_kind step_kinds[] = {
    {"produce",        100, 40, produce},
    {"come",           100, 10, come},
    {"delete key",      70, 10, delete_key},
    {"burst",           50,  4, burst},
    {"flood",           10,  1, flood},
    {"heartbeats",      20,  4, heartbeats},
    {"transaction",     30, 10, transaction},
    {"compact",         50,  8, compact},
    {"age",             20,  3, age},
    {"grow",            25,  2, grow},
    {"make again",      15,  2, make_again},
    {"alter",           10,  1, alter},
    {"retain",          20,  2, retain},
    {"lose",            10,  2, lose},
    {"lead",            30,  5, lead},
    {"fail",            30,  5, fail},
    {"slow broker",     20,  3, slow_broker},
    {"end responder",   30,  2, end_responder},
    {"reroute",         15,  2, reroute},
    {"stop responder",  20,  3, stop_responder},
    {"burden",          20,  3, burden},
    {"exhaust",         10,  2, exhaust},
    {"set clock",       25,  3, set_clock},
    {"change key",      15,  1, change_key},
    {"break line",      50,  5, break_line},
    {"slow down",       50,  3, slow_down},
    {"tell",            60, 15, tell},
};
/* clang-format on */

unsigned step_kinds_count(void)
{
    return sizeof step_kinds / sizeof step_kinds[0];
}

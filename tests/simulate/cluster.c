#include "cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "world.h"

enum { LOAD_ANSWERS = 30 };

static struct {
    struct topic **lives;
    size_t n;
    struct topic *now; /* NULL: deleted */
    struct broker brokers[BROKERS];
    void (*on_change)(void);
    int64_t load_ms, load_at_ms; /* see cluster_load_ms(): the last one that counts */
} cluster;

void cluster_begin(const struct cluster_config *config, void (*on_change)(void))
{
    memset(&cluster, 0, sizeof cluster);
    cluster.on_change = on_change;
    cluster_make_topic(config);
}

static size_t bytes_of(int64_t entries)
{
    return (size_t)entries * sizeof(struct written);
}

void cluster_end(void)
{
    for (size_t i = 0; i < cluster.n; i++) {
        for (int32_t p = 0; p < PARTITIONS_MAX; p++)
            world_give_back(cluster.lives[i]->partitions[p].at,
                            bytes_of(cluster.lives[i]->partitions[p].cap));
        free(cluster.lives[i]);
    }
    free(cluster.lives);
}

struct topic *cluster_topic(void)
{
    return cluster.now;
}

const struct topic *cluster_life(int life)
{
    return life >= 1 && (size_t)life <= cluster.n ? cluster.lives[life - 1] : NULL;
}

int cluster_lives(void)
{
    return (int)cluster.n;
}

struct broker *cluster_broker(int broker)
{
    return &cluster.brokers[broker];
}

int64_t cluster_load_ms(void)
{
    int64_t load_ms = 0;

    for (int i = 0; i < BROKERS; i++)
        if (cluster.brokers[i].slow_ms * LOAD_ANSWERS > load_ms)
            load_ms = cluster.brokers[i].slow_ms * LOAD_ANSWERS;
    if (load_ms >= cluster.load_ms || world_now_ms() > cluster.load_at_ms + cluster.load_ms) {
        cluster.load_ms = load_ms;
        cluster.load_at_ms = world_now_ms();
    }
    return cluster.load_ms;
}

void cluster_changed(void)
{
    cluster.on_change();
}

bool cluster_served(int32_t partition)
{
    const struct topic *t = cluster.now;

    if (t == NULL || partition >= t->n || t->partitions[partition].leader < 0)
        return false;
    return cluster.brokers[t->partitions[partition].leader].state == BROKER_ANSWERS;
}

/* -- writing -- */

static struct written *append(struct partition_log *log, struct written e)
{
    if (log->end == log->cap) {
        int64_t cap = log->cap ? 2 * log->cap : 64;
        log->at = world_grow(log->at, bytes_of(log->cap), bytes_of(cap));
        log->cap = cap;
    }
    log->at[log->end] = e;
    return &log->at[log->end++];
}

/* Consumers see all up to the first record of an open transaction. */
static void show(struct partition_log *log)
{
    for (; log->visible < log->end && log->at[log->visible].fate != PENDING; log->visible++) {
        struct written *e = &log->at[log->visible];
        if (e->seen_ms == 0)
            e->seen_ms = world_now_ms();
        if (e->fate != COMMITTED || e->key == NO_KEY)
            continue;
        int64_t before = log->newest[e->key];
        if (before >= 0)
            log->at[before].next = log->visible;
        log->newest[e->key] = log->visible;
    }
}

int64_t cluster_produce(int32_t partition, int key, int32_t size, int64_t timestamp)
{
    struct partition_log *log = &cluster.now->partitions[partition];
    struct written e = {.fate = log->in_transaction ? PENDING : COMMITTED,
                        .key = (int16_t)key,
                        .born = (int16_t)cluster.now->life,
                        .size = size,
                        .next = -1,
                        .timestamp = timestamp};

    append(log, e);
    show(log);
    cluster_changed();
    return log->end - 1;
}

void cluster_begin_transaction(int32_t partition)
{
    cluster.now->partitions[partition].in_transaction = true;
}

void cluster_end_transaction(int32_t partition, bool commit)
{
    struct partition_log *log = &cluster.now->partitions[partition];

    if (!log->in_transaction)
        return;
    log->in_transaction = false;
    for (int64_t o = log->visible; o < log->end; o++)
        if (log->at[o].fate == PENDING)
            log->at[o].fate = commit ? COMMITTED : ABORTED;
    append(log, (struct written){.fate = MARKER,
                                 .key = NO_KEY,
                                 .born = (int16_t)cluster.now->life,
                                 .size = NO_VALUE,
                                 .next = -1});
    show(log);
    cluster_changed();
}

/* -- losing -- */

void cluster_compact(int32_t partition, int64_t keep, int64_t least_ms)
{
    struct topic *t = cluster.now;
    int64_t kept_ms = t->delete_retention_ms > least_ms ? t->delete_retention_ms : least_ms;
    struct partition_log *log = &t->partitions[partition];
    int64_t to = log->end - keep < log->visible ? log->end - keep : log->visible;

    for (int64_t o = log->start; o < to; o++) {
        struct written *e = &log->at[o];
        bool superseded = e->next >= 0 && e->next < to;
        bool deletes = e->fate == COMMITTED && e->key != NO_KEY && e->size == NO_VALUE;
        bool old_delete = deletes && e->cleaned_ms != 0 && world_now_ms() - e->cleaned_ms > kept_ms;
        if (deletes && e->cleaned_ms == 0)
            e->cleaned_ms = world_now_ms();
        e->gone = e->gone || e->fate != COMMITTED || superseded || old_delete;
    }
    cluster_changed();
}

void cluster_age(int32_t partition, int64_t keep)
{
    struct partition_log *log = &cluster.now->partitions[partition];
    int64_t to = log->end - keep < log->visible ? log->end - keep : log->visible;

    for (; log->start < to; log->start++) {
        struct written *e = &log->at[log->start];
        e->aged = !e->gone && e->next < 0;
        e->aged_ms = world_now_ms();
        e->gone = true;
    }
    cluster_changed();
}

void cluster_delete_topic(void)
{
    cluster.now = NULL;
    cluster_changed();
}

static void begin_partition(struct partition_log *log, int32_t partition)
{
    *log = (struct partition_log){.leader = partition % BROKERS};
    for (int k = 0; k < KEYS; k++)
        log->newest[k] = -1;
}

static struct topic *add_life(void)
{
    struct topic *t = mem_zero(sizeof *t);

    cluster.lives = mem_resize_array(cluster.lives, cluster.n + 1, sizeof *cluster.lives);
    cluster.lives[cluster.n++] = t;
    return t;
}

void cluster_make_topic(const struct cluster_config *config)
{
    struct topic *t = add_life();

    assert(config->partitions <= PARTITIONS_MAX);
    t->life = (int)cluster.n;
    t->n = config->partitions;
    t->compacted = config->compacted;
    t->ages = config->ages;
    t->delete_retention_ms = t->shortest_retention_ms = config->delete_retention_ms;
    t->made_ms = world_now_ms();
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        begin_partition(&t->partitions[p], p);
    cluster.now = t;
    cluster_changed();
}

static void copy_log(struct partition_log *to, const struct partition_log *from)
{
    *to = *from;
    if (from->at == NULL)
        return;
    to->at = world_grow(NULL, 0, bytes_of(from->cap));
    memcpy(to->at, from->at, bytes_of(from->end));
}

/* As if the log had been written up to there only; nothing of it is shown yet. */
static void truncate_log(struct partition_log *log, int64_t end)
{
    log->end = end;
    log->start = log->start < end ? log->start : end;
    log->visible = 0;
    log->in_transaction = false;
    for (int k = 0; k < KEYS; k++)
        log->newest[k] = -1;
    for (int64_t o = 0; o < end; o++) {
        log->at[o].next = -1;
        if (log->at[o].fate == PENDING)
            log->at[o].fate = ABORTED;
    }
}

static struct topic *copy_life(void)
{
    const struct topic *before = cluster.now;
    struct topic *t = add_life();

    *t = *before;
    t->cut = false;
    t->life = (int)cluster.n;
    t->made_ms = world_now_ms();
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        copy_log(&t->partitions[p], &before->partitions[p]);
    return t;
}

void cluster_alter(void)
{
    struct topic *t = copy_life();

    t->compacted = !t->compacted;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        t->partitions[p].altered = t->partitions[p].end;
    cluster.now = t;
    cluster_changed();
}

void cluster_retain(int64_t delete_retention_ms)
{
    struct topic *t = cluster.now;

    t->delete_retention_ms = delete_retention_ms;
    if (delete_retention_ms < t->shortest_retention_ms)
        t->shortest_retention_ms = delete_retention_ms;
}

void cluster_cut(int32_t partition, int64_t lost)
{
    struct topic *t = copy_life();
    struct partition_log *log = &t->partitions[partition];
    truncate_log(log, lost < log->end ? log->end - lost : 0);
    t->cut = true;
    t->cut_partition = partition;
    t->cut_end = log->end;
    show(log);
    cluster.now = t;
    cluster_changed();
}

void cluster_add_partitions(int32_t n)
{
    struct topic *t = cluster.now;

    t->n = t->n + n < PARTITIONS_MAX ? t->n + n : PARTITIONS_MAX;
    cluster_changed();
}

/* -- contents -- */

bool cluster_shown(const struct topic *t, int32_t partition, int64_t offset)
{
    const struct partition_log *log = &t->partitions[partition];
    const struct written *e = &log->at[offset];

    return offset < log->visible && e->fate == COMMITTED &&
           !(e->key == NO_KEY && e->size == NO_VALUE);
}

static size_t event_bytes(const struct topic *t, int32_t partition)
{
    const struct partition_log *log = &t->partitions[partition];
    size_t sum = 0;

    for (int64_t o = 0; o < log->visible; o++)
        if (cluster_shown(t, partition, o))
            sum += sizeof log->at[o] + (size_t)(log->at[o].size > 0 ? log->at[o].size : 0) +
                   (log->at[o].key >= 0 ? cluster_key(partition, log->at[o].key).n : 0);
    return sum;
}

size_t cluster_event_bytes(void)
{
    size_t sum = 0;

    for (size_t i = 0; i < cluster.n; i++)
        for (int32_t p = 0; p < cluster.lives[i]->n; p++)
            sum += event_bytes(cluster.lives[i], p);
    return sum;
}

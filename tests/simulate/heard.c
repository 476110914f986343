#include <assert.h>
#include <string.h>

#include "port_inside.h"

enum {
    RESPONDERS = 8,
    TOLD = 8,
    TAKE_MS = 300,    /* until the records of which an answer spoke were fetched and taken */
    ACT_MS = 5000,    /* until an answer with the settings has been acted on */
    BEGIN_MS = 10000, /* from an answer that says of what kind a topic is until it is read */
    /* One answer with a lower end may be that of a leader which is none any more, another one may
     * be to a question that was asked before the first was taken. */
    SURE = 3,
};

/* What a responder has been told. */
static struct told {
    struct told_end {
        int life;
        int64_t ran_ms; /* world_ran_ms() then */
        int64_t visible;
    } ends[PARTITIONS_MAX][TOLD]; /* the newest first */
    int32_t partitions;
    enum { POLICY_UNKNOWN, POLICY_DELETES, POLICY_COMPACTS } policy;
    const rd_kafka_t *reader; /* that has begun last */
    bool begun[PARTITIONS_MAX];
    int64_t begun_again_ms[PARTITIONS_MAX];
    bool policy_assumed, policy_assumed_once;
    int64_t started_ms;
    int64_t retention_ms, retention_before_ms, retention_told_ms;
    int first_life, first_life_before;
    int64_t first_life_ms;
    int heard_life, heard_life_before;
    int64_t heard_life_ms;
    struct told_top {
        int life;
        /* The highest that three answers have told: a responder does not heed those that come
         * before it has begun to read. */
        int64_t end;
        int64_t last, before; /* by the last answers that were not lower */
        bool exceeded;        /* what was to be read next is beyond the end, said its leader */
        unsigned answers;     /* with a lower end, since then or one after the other */
    } tops[PARTITIONS_MAX];
} told[RESPONDERS];

static void former_lives_are_over(struct told *t, int first)
{
    if (first <= t->first_life)
        return;
    t->first_life_before = t->first_life;
    t->first_life = first;
    t->first_life_ms = world_now_ms();
}

void port_forget(unsigned responder)
{
    struct told *t = &told[responder];

    *t = (struct told){.started_ms = world_now_ms()};
    t->first_life = t->first_life_before =
        cluster_topic() ? cluster_topic()->life : cluster_lives() + 1;
}

int port_first_life(unsigned responder, int64_t at_ms)
{
    const struct told *t = &told[responder];

    return at_ms >= t->first_life_ms ? t->first_life : t->first_life_before;
}

static void hear_of_life(struct told *t, unsigned responder)
{
    if (t->heard_life == cluster_lives())
        return;
    t->heard_life_before = t->heard_life;
    t->heard_life_ms = world_ran_ms(responder);
    t->heard_life = cluster_lives();
}

void port_note_partitions(const rd_kafka_t *rk, int32_t n)
{
    struct told *t = &told[rk->responder];

    if (n == 0) {
        hear_of_life(t, rk->responder);
        t->heard_life_before = t->heard_life; /* it is over: there is nothing to begin with */
        former_lives_are_over(t, cluster_lives() + 1);
    } else if (n < t->partitions) {
        former_lives_are_over(t, cluster_topic()->life);
    }
    t->partitions = n;
}

static void hear_of_retention(struct told *t, unsigned responder)
{
    if (t->retention_ms == cluster_topic()->delete_retention_ms)
        return;
    t->retention_before_ms = port_retention_ms(responder);
    t->retention_told_ms = world_ran_ms(responder);
    t->retention_ms = cluster_topic()->delete_retention_ms;
}

int64_t port_retention_ms(unsigned responder)
{
    const struct told *t = &told[responder];
    bool acted = world_ran_ms(responder) - t->retention_told_ms >= ACT_MS;

    return acted || t->retention_ms > t->retention_before_ms ? t->retention_ms
                                                             : t->retention_before_ms;
}

void port_note_settings(const rd_kafka_t *rk)
{
    struct told *t = &told[rk->responder];
    int policy = cluster_topic()->compacted ? POLICY_COMPACTS : POLICY_DELETES;

    hear_of_life(t, rk->responder);
    hear_of_retention(t, rk->responder);
    /* To one that has not begun to read it is as if it had been started later. */
    if (t->reader != NULL && t->policy != POLICY_UNKNOWN && policy != (int)t->policy)
        former_lives_are_over(t, cluster_topic()->life);
    t->policy = policy;
    t->policy_assumed = false;
}

void port_note_no_settings(const rd_kafka_t *rk)
{
    struct told *t = &told[rk->responder];

    t->policy_assumed = t->policy_assumed_once = true;
}

bool port_has_assumed_policy(unsigned responder)
{
    return told[responder].policy_assumed_once;
}

bool port_assumes_policy(unsigned responder)
{
    return told[responder].policy_assumed;
}

void port_note_told(const rd_kafka_t *rk, int32_t partition)
{
    struct told *all = &told[rk->responder];
    struct told_end *t = all->ends[partition];
    const struct topic *now = cluster_topic();
    int64_t visible = now->partitions[partition].visible;

    if (t[0].life == now->life && t[0].visible == visible)
        return;
    memmove(t + 1, t, (TOLD - 1) * sizeof *t);
    t[0] = (struct told_end){now->life, world_ran_ms(rk->responder), visible};
}

static void note_top(struct told_top *top, int life, int64_t end)
{
    int64_t last = top->life == life ? top->last : 0;
    int64_t before = top->life == life ? top->before : 0;
    int64_t least = last < before ? last : before;

    *top = (struct told_top){
        .life = life, .end = end < least ? end : least, .last = end, .before = last};
}

void port_note_end(const rd_kafka_t *rk, int32_t partition)
{
    struct told *all = &told[rk->responder];
    struct told_top *top = &all->tops[partition];
    const struct topic *now = cluster_topic();
    int64_t end = now->partitions[partition].visible;

    port_note_told(rk, partition);
    if (top->life < all->first_life || (!top->exceeded && end >= top->end)) {
        note_top(top, now->life, end);
    } else if (++top->answers == SURE) {
        former_lives_are_over(all, now->life);
        note_top(top, now->life, end);
    }
}

void port_note_exceeded(const rd_kafka_t *rk, int32_t partition)
{
    struct told *t = &told[rk->responder];

    if (rk == t->reader) /* else it has retired, and nobody hears it */
        t->tops[partition].exceeded = true;
}

void port_note_begun(const rd_kafka_t *rk, int32_t partition)
{
    struct told *t = &told[rk->responder];

    if (rk != t->reader) /* it has begun anew with all of them */
        memset(t->tops, 0, sizeof t->tops);
    t->reader = rk;
    if (t->begun[partition])
        t->begun_again_ms[partition] = world_now_ms();
    t->begun[partition] = true;
    t->tops[partition] = (struct told_top){.life = 0};
}

int64_t port_started_ms(unsigned responder)
{
    return told[responder].started_ms;
}

bool port_read_again_since(unsigned responder, int32_t partition, int64_t since_ms)
{
    return told[responder].begun_again_ms[partition] >= since_ms;
}

int port_heard_life(unsigned responder)
{
    const struct told *t = &told[responder];

    return world_ran_ms(responder) - t->heard_life_ms >= BEGIN_MS ? t->heard_life
                                                                  : t->heard_life_before;
}

int64_t port_told(unsigned responder, int32_t partition)
{
    const struct topic *now = cluster_topic();
    const struct told_end *t = told[responder].ends[partition];

    for (int i = 0; i < TOLD && now != NULL && t[i].life == now->life; i++)
        if (t[i].ran_ms <= world_ran_ms(responder) - TAKE_MS)
            return t[i].visible;
    return -1;
}

static uint8_t read_bit(unsigned responder)
{
    static_assert(RESPONDERS <= 8, "a bit each");
    return (uint8_t)(1 << responder);
}

bool port_has_read(unsigned responder, const struct written *e)
{
    return e->read_by & read_bit(responder);
}

void port_forget_read(unsigned responder)
{
    struct topic *t = cluster_topic();

    for (int32_t p = 0; t != NULL && p < t->n; p++)
        for (int64_t o = 0; o < t->partitions[p].end; o++)
            t->partitions[p].at[o].read_by &= (uint8_t)~read_bit(responder);
}

void port_note_read(const struct message *m)
{
    struct topic *t = cluster_topic();

    if (!m->m.err && t != NULL && t->life == m->life)
        t->partitions[m->m.partition].at[m->m.offset].read_by |=
            read_bit(m->fetcher->rk->responder);
}

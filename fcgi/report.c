#include "report.h"

#include <stdio.h>

enum { SLOW_FOR_MS = 60000 };

static bool was_slow(const struct loop *loop)
{
    int64_t last = loop_turns(loop)->last_long_ms;

    return last != 0 && loop_now_ms() - last < SLOW_FOR_MS;
}

static void collect_health(const struct report *r, const struct fanout_stats *fanout,
                           const struct consumer_stats *consumer, struct health *h)
{
    bool read = consumer_ready(r->consumer) && fanout->caught_up;

    health_set(h, REASON_KAFKA_AWAY, consumer->trouble == TROUBLE_AWAY);
    health_set(h, REASON_KAFKA_REFUSED, consumer->trouble == TROUBLE_REFUSED);
    health_set(h, REASON_TOPIC_MISSING, consumer->trouble == TROUBLE_MISSING);
    health_set(h, REASON_PARTITION_AWAY, consumer->away);
    health_set(h, REASON_TOO_MANY_PARTITIONS, consumer->refused);
    health_set(h, REASON_CATCHING_UP, consumer->trouble == TROUBLE_NONE && !read);
    health_set(h, REASON_CACHE_FULL, fanout->cache_overflowed);
    health_set(h, REASON_LOOP_SLOW, was_slow(r->loop));
    health_set(h, REASON_CONSUMER_STUCK, consumer->stuck);
    health_set(h, REASON_SETTINGS_ASSUMED, consumer->settings_assumed);
    health_set(h, REASON_DRAINING, r->draining);
}

static void collect_issuers(const struct guard *guard, struct metrics *m)
{
    int32_t broken = 0;

    m->issuer_count = (int32_t)guard_issuers(guard);
    for (int32_t i = 0; i < m->issuer_count; i++) {
        struct guard_keys keys = guard_keys(guard, (size_t)i);
        struct metrics_issuer *to = &m->issuers[i];
        snprintf(to->name, sizeof to->name, "%s", keys.issuer);
        to->broken = keys.broken;
        to->changed_ms = keys.changed_ms;
        broken += keys.broken;
    }
    health_set(&m->health, REASON_KEYS_BROKEN, broken);
}

static void collect_lag(const struct consumer *consumer, int32_t partitions, struct metrics *m)
{
    m->partitions = partitions;
    for (int32_t p = 0; p < partitions; p++)
        m->lag[p < METRICS_LAGS ? p : METRICS_LAGS] += consumer_lag(consumer, p);
}

void report_collect(const struct report *r, struct metrics *m)
{
    struct fanout_stats fanout = fanout_stats(r->fanout);
    struct consumer_stats consumer = consumer_stats(r->consumer);
    const uint64_t *refusals = handler_refusals(r->handler);
    const uint64_t *renewals = handler_renewals(r->handler);
    const struct loop_turns *turns = loop_turns(r->loop);
    int64_t *v = m->values;

    collect_health(r, &fanout, &consumer, &m->health);
    m->guarded = r->guard != NULL;
    if (r->guard != NULL)
        collect_issuers(r->guard, m);
    v[METRIC_STREAMS] = (int64_t)fanout_count(r->fanout);
    v[METRIC_OPENED] = (int64_t)fanout.opened;
    for (int i = 0; i < STREAM_ENDS; i++)
        v[METRIC_ENDED_CLIENT + i] = (int64_t)fanout.ended[i];
    for (int i = 0; i < REFUSED_COUNTS; i++)
        v[METRIC_REFUSED_DRAINING + i] = (int64_t)refusals[i];
    for (int i = 0; i < RENEWALS; i++)
        v[METRIC_RENEWAL_ACCEPTED + i] = (int64_t)renewals[i];
    v[METRIC_CHALLENGES] = r->sessions ? (int64_t)sessions_challenges(r->sessions) : 0;
    v[METRIC_SENT_EVENTS] = (int64_t)fanout.sent_events;
    v[METRIC_SENT_BYTES] = (int64_t)fanout.sent_bytes;
    v[METRIC_RECORDS] = (int64_t)fanout.records;
    v[METRIC_CONFLATIONS] = (int64_t)fanout.conflations;
    v[METRIC_GAPS] = (int64_t)fanout.gaps;
    v[METRIC_RESETS] = (int64_t)fanout.resets;
    v[METRIC_CACHE_RECORDS] = (int64_t)fanout.cache_records;
    v[METRIC_CACHE_KEYS] = (int64_t)fanout.cache_keys;
    v[METRIC_CACHE_BYTES] = (int64_t)fanout.cache_bytes;
    v[METRIC_TURNS] = (int64_t)turns->count;
    v[METRIC_BUSY] = turns->busy_ms;
    v[METRIC_LONGEST_TURN] = turns->longest_ms;
    v[METRIC_LONG_TURNS] = (int64_t)turns->long_ones;
    v[METRIC_STUCK] = (int64_t)consumer.stuck_ever;
    collect_lag(r->consumer, consumer.partitions, m);
}

_Static_assert(METRIC_ENDED_DRAIN - METRIC_ENDED_CLIENT == STREAM_END_DRAIN - STREAM_END_CLIENT,
               "in the order of enum stream_end");

#include "report.h"

#include <stdio.h>
#include <string.h>

#include "base/process.h"

enum { SLOW_FOR_MS = 60000 };

static bool was_slow(const struct loop *loop)
{
    int64_t last = loop_turns(loop)->last_long_ms;

    return last != 0 && loop_now_ms() - last < SLOW_FOR_MS;
}

static void collect_topic_health(const struct consumer *c, const struct fanout_stats *fanout,
                                 const struct consumer_stats *consumer, struct health *h)
{
    bool read = consumer_ready(c) && fanout->caught_up;

    health_set(h, REASON_KAFKA_AWAY, consumer->trouble == TROUBLE_AWAY);
    health_set(h, REASON_KAFKA_REFUSED, consumer->trouble == TROUBLE_REFUSED);
    health_set(h, REASON_TOPIC_MISSING, consumer->trouble == TROUBLE_MISSING);
    health_set(h, REASON_PARTITION_AWAY, consumer->away);
    health_set(h, REASON_TOO_MANY_PARTITIONS, consumer->refused);
    health_set(h, REASON_CATCHING_UP, consumer->trouble == TROUBLE_NONE && !read);
    health_set(h, REASON_CACHE_FULL, fanout->cache_overflowed);
    health_set(h, REASON_CONSUMER_STUCK, consumer->stuck);
    health_set(h, REASON_SETTINGS_ASSUMED, consumer->settings_assumed);
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

static void collect_lag(const struct consumer *consumer, int32_t partitions,
                        struct metrics_topic *t)
{
    t->partitions = partitions;
    memset(t->lag, 0, sizeof t->lag);
    for (int32_t p = 0; p < partitions; p++)
        t->lag[p < METRICS_LAGS ? p : METRICS_LAGS] += consumer_lag(consumer, p);
}

static void collect_topic(const struct fanout *f, const struct consumer *c, struct metrics_topic *t)
{
    struct fanout_stats fanout = fanout_stats(f);
    struct consumer_stats consumer = consumer_stats(c);
    int64_t *v = t->values;

    collect_topic_health(c, &fanout, &consumer, &t->health);
    collect_lag(c, consumer.partitions, t);
    v[TOPIC_METRIC_STREAMS] = (int64_t)fanout_count(f);
    v[TOPIC_METRIC_OPENED] = (int64_t)fanout.opened;
    for (int i = 0; i < SHAPE_KINDS; i++) {
        v[TOPIC_METRIC_SHAPE_SSE + i] = (int64_t)fanout.open_as[i];
        v[TOPIC_METRIC_SHAPE_OPENED_SSE + i] = (int64_t)fanout.opened_as[i];
    }
    for (int i = 0; i < STREAM_ENDS; i++)
        v[TOPIC_METRIC_ENDED_CLIENT + i] = (int64_t)fanout.ended[i];
    v[TOPIC_METRIC_SENT_EVENTS] = (int64_t)fanout.sent_events;
    v[TOPIC_METRIC_SENT_BYTES] = (int64_t)fanout.sent_bytes;
    v[TOPIC_METRIC_RECORDS] = (int64_t)fanout.records;
    v[TOPIC_METRIC_CONFLATIONS] = (int64_t)fanout.conflations;
    v[TOPIC_METRIC_GAPS] = (int64_t)fanout.gaps;
    for (int i = RESET_NONE + 1; i < RESETS; i++)
        v[TOPIC_METRIC_RESET_ID_MALFORMED + i - RESET_ID_MALFORMED] = (int64_t)fanout.resets[i];
    v[TOPIC_METRIC_UNWANTED] = (int64_t)fanout.unwanted;
    v[TOPIC_METRIC_INDEX_KEYS] = (int64_t)fanout.index_keys;
    v[TOPIC_METRIC_CACHE_RECORDS] = (int64_t)fanout.cache_records;
    v[TOPIC_METRIC_CACHE_KEYS] = (int64_t)fanout.cache_keys;
    v[TOPIC_METRIC_CACHE_BYTES] = (int64_t)fanout.cache_bytes;
    v[TOPIC_METRIC_BACKLOG_BYTES] = (int64_t)fanout.backlog_bytes;
    v[TOPIC_METRIC_STUCK] = (int64_t)consumer.stuck_ever;
    t->delays = fanout.delays;
}

static void collect_routes(const struct report *r, struct metrics *m)
{
    const size_t *streams = handler_streams(r->handler);

    for (int32_t i = 0; i < m->route_count; i++) {
        const char *path = pattern_text(routes_at(r->config->routes, (size_t)i)->path);
        snprintf(m->routes[i].path, sizeof m->routes[i].path, "%s", path);
        m->routes[i].streams = (int64_t)streams[i];
    }
}

static void collect_process(const struct report *r, struct metrics *m)
{
    const uint64_t *refusals = handler_refusals(r->handler);
    const uint64_t *renewals = handler_renewals(r->handler);
    const struct loop_turns *turns = loop_turns(r->loop);
    int64_t *v = m->values;

    health_set(&m->health, REASON_LOOP_SLOW, was_slow(r->loop));
    health_set(&m->health, REASON_DRAINING, r->draining);
    m->guarded = r->guard != NULL;
    if (r->guard != NULL)
        collect_issuers(r->guard, m);
    for (int i = 0; i < REFUSED_COUNTS; i++)
        v[METRIC_REFUSED_DRAINING + i] = (int64_t)refusals[i];
    for (int i = 0; i < RENEWALS; i++)
        v[METRIC_RENEWAL_ACCEPTED + i] = (int64_t)renewals[i];
    v[METRIC_TOLD] = (int64_t)handler_told(r->handler);
    v[METRIC_HANDLES] = (int64_t)handler_handles(r->handler);
    v[METRIC_HANDLES_LIMIT] = r->config->max_handles;
    v[METRIC_HANDLES_FORGOTTEN] = (int64_t)handler_handles_forgotten(r->handler);
    v[METRIC_CHALLENGES] = r->sessions ? (int64_t)sessions_challenges(r->sessions) : 0;
    v[METRIC_TURNS] = (int64_t)turns->count;
    v[METRIC_BUSY] = turns->busy_ms;
    v[METRIC_LONGEST_TURN] = turns->longest_ms;
    v[METRIC_LONG_TURNS] = (int64_t)turns->long_ones;
    v[METRIC_STREAMS_LIMIT] = r->descriptors.streams;
    v[METRIC_REQUESTS] =
        (int64_t)(handler_waiting(r->handler) + (r->inlet ? inlet_waiting(r->inlet) : 0));
    v[METRIC_REQUESTS_LIMIT] = r->descriptors.requests;
    v[METRIC_BACKLOGS_LIMIT] = (int64_t)r->backlogs->max_bytes;
    v[METRIC_RESIDENT] = process_resident_bytes();
    v[METRIC_DESCRIPTORS] = process_descriptors();
    v[METRIC_DESCRIPTORS_LIMIT] = process_descriptors_limit();
}

void report_collect(const struct report *r, struct metrics *m)
{
    collect_process(r, m);
    for (int32_t t = 0; t < m->topic_count; t++) {
        snprintf(m->topics[t].name, sizeof m->topics[t].name, "%s",
                 routes_topic(r->config->routes, (size_t)t));
        collect_topic(r->fanouts->at[t], r->consumers[t], &m->topics[t]);
        m->topics[t].values[TOPIC_METRIC_CACHE_LIMIT] = r->config->topics[t].cache_bytes;
    }
    collect_routes(r, m);
}

_Static_assert(TOPIC_METRIC_SHAPE_JSON - TOPIC_METRIC_SHAPE_SSE == SHAPE_JSON &&
                   TOPIC_METRIC_SHAPE_OPENED_JSON - TOPIC_METRIC_SHAPE_OPENED_SSE == SHAPE_JSON,
               "in the order of enum shape_kind");
_Static_assert(TOPIC_METRIC_ENDED_REPLACED - TOPIC_METRIC_ENDED_CLIENT ==
                   STREAM_END_REPLACED - STREAM_END_CLIENT,
               "in the order of enum stream_end");

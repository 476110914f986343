#include "front/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct metric_row {
    const char *family, *label, *help;
};

#define DELAYS "append_to_written_seconds"

#define METRIC_ROW(name, family, label, help) {family, label, help},
static const struct metric_row topic_table[TOPIC_METRICS] = {TOPIC_METRIC_TABLE(METRIC_ROW)};
static const struct metric_row table[METRICS] = {METRIC_TABLE(METRIC_ROW)};

void metrics_init(struct metrics *m, int32_t topics, int32_t routes)
{
    *m = (struct metrics){.topic_count = topics, .route_count = routes};
    m->topics = mem_zero((size_t)topics * sizeof *m->topics);
    m->routes = mem_zero((size_t)routes * sizeof *m->routes);
}

void metrics_fini(struct metrics *m)
{
    free(m->topics);
    free(m->routes);
    *m = (struct metrics){0};
}

static bool is_namesake(const struct metrics *a, const struct metrics *b)
{
    return a->guarded == b->guarded && strcmp(a->responder, b->responder) == 0;
}

/* Of two of one name. */
static bool comes_first(const struct metrics *a, const struct metrics *b)
{
    int32_t a_drains = a->health.count[REASON_DRAINING],
            b_drains = b->health.count[REASON_DRAINING];

    if (a_drains != b_drains)
        return b_drains != 0;
    if (a->values[METRIC_START] != b->values[METRIC_START])
        return a->values[METRIC_START] < b->values[METRIC_START];
    return a->pid != b->pid ? a->pid < b->pid : a < b; /* containers have equal ones */
}

void metrics_tell_apart(struct metrics *m, size_t n)
{
    int *before = mem_zero(n * sizeof *before);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (k != i && is_namesake(&m[i], &m[k]) && comes_first(&m[k], &m[i]))
                before[i]++;
    for (size_t i = 0; i < n; i++) {
        size_t end = strlen(m[i].responder);
        if (before[i] > 0)
            snprintf(m[i].responder + end, sizeof m[i].responder - end, "#%d", before[i] + 1);
    }
    free(before);
}

struct health metrics_health(const struct metrics *m, int32_t topic)
{
    return health_join(&m->health, &m->topics[topic].health);
}

/* -- one series -- */

/* topic NULL: it is about the process. */
static void add_value(struct buf *out, const char *family, const struct metrics *m,
                      const struct metrics_topic *topic, const char *label, int64_t value)
{
    const struct slice name = slice_str(family);
    bool is_time = slice_ends(name, "_seconds") || slice_ends(name, "_seconds_total") ||
                   slice_ends(name, "_seconds_sum");

    if (value < 0)
        return;
    buf_printf(out, "sse_kafka_fanout_%s{responder=\"%s\",pool=\"%s\"", family, m->responder,
               m->guarded ? "guarded" : "open");
    if (topic != NULL)
        buf_printf(out, ",topic=\"%s\"", topic->name);
    buf_printf(out, "%s%s} ", *label ? "," : "", label);
    if (is_time)
        buf_printf(out, "%" PRId64 ".%03d\n", value / 1000, (int)(value % 1000));
    else
        buf_printf(out, "%" PRId64 "\n", value);
}

/* The value of that label is any text (Prometheus, text format 0.0.4, in which it must be UTF-8).
 */
static void add_named(struct buf *out, const char *family, const struct metrics *m,
                      const char *label, const char *text, int64_t value)
{
    struct buf named = {0};

    buf_printf(&named, "%s=\"", label);
    for (; *text != 0; text++) {
        uint8_t c = (uint8_t)*text;
        if (c < ' ' || c > '~')
            buf_printf(&named, "%%%02X", c);
        else
            buf_printf(&named, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    buf_add(&named, "\"", sizeof "\"");
    add_value(out, family, m, NULL, (const char *)named.p, value);
    buf_fini(&named);
}

/* -- families -- */

static void add_family_of(struct buf *out, const char *family, const char *type, const char *help)
{
    buf_printf(out, "# HELP sse_kafka_fanout_%s %s\n# TYPE sse_kafka_fanout_%s %s\n", family, help,
               family, type);
}

static void add_family(struct buf *out, const char *family, const char *help)
{
    add_family_of(out, family, slice_ends(slice_str(family), "_total") ? "counter" : "gauge", help);
}

/* Of the row, unless the one before it has the same. */
static void begin_family(struct buf *out, const struct metric_row *rows, int i)
{
    if (i == 0 || strcmp(rows[i].family, rows[i - 1].family) != 0)
        add_family(out, rows[i].family, rows[i].help);
}

static void add_trouble(struct buf *out, const struct metrics *m, enum reason reason)
{
    char label[64];

    snprintf(label, sizeof label, "reason=\"%s\"", health_name(reason));
    if (!health_is_of_topic(reason)) {
        add_value(out, "trouble", m, NULL, label, m->health.count[reason]);
        return;
    }
    for (int32_t t = 0; t < m->topic_count; t++)
        add_value(out, "trouble", m, &m->topics[t], label, m->topics[t].health.count[reason]);
}

static void add_readiness(struct buf *out, const struct metrics *m, size_t n)
{
    add_family(out, "ready", "1: ready for streams.");
    for (size_t k = 0; k < n; k++)
        for (int32_t t = 0; t < m[k].topic_count; t++) {
            const struct health health = metrics_health(&m[k], t);
            add_value(out, "ready", &m[k], &m[k].topics[t], "", health_ready(&health));
        }
    add_family(out, "trouble", "0: all is well; else 1, or how many partitions it is about.");
    for (int i = 0; i < REASONS; i++)
        for (size_t k = 0; k < n; k++)
            add_trouble(out, &m[k], (enum reason)i);
}

static void add_topic_values(struct buf *out, const struct metrics *m, size_t n)
{
    for (int i = 0; i < TOPIC_METRICS; i++) {
        begin_family(out, topic_table, i);
        for (size_t k = 0; k < n; k++)
            for (int32_t t = 0; t < m[k].topic_count; t++)
                add_value(out, topic_table[i].family, &m[k], &m[k].topics[t], topic_table[i].label,
                          m[k].topics[t].values[i]);
    }
}

/* Buckets are cumulative. */
static void add_delays_of(struct buf *out, const struct metrics *m,
                          const struct metrics_topic *topic)
{
    const struct delay_counts *delays = &topic->delays;
    char label[32];
    int64_t n = 0;

    for (int i = 0; i <= DELAY_BOUNDS; i++) {
        n += (int64_t)delays->at[i];
        if (i < DELAY_BOUNDS)
            snprintf(label, sizeof label, "le=\"%g\"", (double)delay_bounds_ms[i] / 1000);
        else
            strcpy(label, "le=\"+Inf\"");
        add_value(out, DELAYS "_bucket", m, topic, label, n);
    }
    add_value(out, DELAYS "_sum", m, topic, "", (int64_t)delays->sum_ms);
    add_value(out, DELAYS "_count", m, topic, "", n);
}

static void add_delays(struct buf *out, const struct metrics *m, size_t n)
{
    add_family_of(
        out, DELAYS, "histogram",
        "From a live record's timestamp in Kafka until it was written to all streams that "
        "keep up.");
    for (size_t k = 0; k < n; k++)
        for (int32_t t = 0; t < m[k].topic_count; t++)
            add_delays_of(out, &m[k], &m[k].topics[t]);
}

static void add_values(struct buf *out, const struct metrics *m, size_t n)
{
    for (int i = 0; i < METRICS; i++) {
        begin_family(out, table, i);
        for (size_t k = 0; k < n; k++)
            add_value(out, table[i].family, &m[k], NULL, table[i].label, m[k].values[i]);
    }
}

static void add_issuers(struct buf *out, const struct metrics *m, size_t n)
{
    static const char changed[] = "jwks_changed_timestamp_seconds", broken[] = "jwks_broken";

    add_family(out, changed,
               "When the oldest of the JWKS files was changed whose keys are in use.");
    for (size_t k = 0; k < n; k++)
        for (int32_t i = 0; i < m[k].issuer_count; i++)
            add_named(out, changed, &m[k], "issuer", m[k].issuers[i].name,
                      m[k].issuers[i].changed_ms);
    add_family(out, broken, "1: a JWKS file is broken, and its keys of before are in use.");
    for (size_t k = 0; k < n; k++)
        for (int32_t i = 0; i < m[k].issuer_count; i++)
            add_named(out, broken, &m[k], "issuer", m[k].issuers[i].name, m[k].issuers[i].broken);
}

static void add_routes(struct buf *out, const struct metrics *m, size_t n)
{
    add_family(out, "route_streams", "Event streams that are open, by the route's path.");
    for (size_t k = 0; k < n; k++)
        for (int32_t i = 0; i < m[k].route_count; i++)
            add_named(out, "route_streams", &m[k], "route", m[k].routes[i].path,
                      m[k].routes[i].streams);
}

static void add_lags_of(struct buf *out, const struct metrics *m, const struct metrics_topic *topic)
{
    char label[32];

    for (int32_t p = 0; p < topic->partitions && p < METRICS_LAGS; p++) {
        snprintf(label, sizeof label, "partition=\"%d\"", (int)p);
        add_value(out, "lag_records", m, topic, label, topic->lag[p]);
    }
    if (topic->partitions > METRICS_LAGS)
        add_value(out, "lag_records", m, topic, "partition=\"other\"", topic->lag[METRICS_LAGS]);
}

static void add_lag(struct buf *out, const struct metrics *m, size_t n)
{
    add_family(out, "lag_records", "Records in Kafka that were not read yet.");
    for (size_t k = 0; k < n; k++)
        for (int32_t t = 0; t < m[k].topic_count; t++)
            add_lags_of(out, &m[k], &m[k].topics[t]);
}

/* What changes with a restart: one series, to join the others with. */
static void add_info(struct buf *out, const struct metrics *m, size_t n)
{
    char label[128];

    add_family(out, "info", "1: the process that the responder is now.");
    for (size_t k = 0; k < n; k++) {
        snprintf(label, sizeof label, "pid=\"%d\",version=\"%s\"", (int)m[k].pid, m[k].version);
        add_value(out, "info", &m[k], NULL, label, 1);
    }
}

void metrics_add_text(struct buf *out, const struct metrics *m, size_t n)
{
    add_info(out, m, n);
    add_readiness(out, m, n);
    add_topic_values(out, m, n);
    add_delays(out, m, n);
    add_routes(out, m, n);
    add_values(out, m, n);
    add_issuers(out, m, n);
    add_lag(out, m, n);
}

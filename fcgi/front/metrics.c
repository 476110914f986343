#include "front/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#define METRIC_ROW(name, family, scope, label, help) {family, label, help, METRIC_##scope},
static const struct {
    const char *family, *label, *help;
    enum metric_scope scope;
} table[METRICS] = {METRIC_TABLE(METRIC_ROW)};

static bool has_suffix(const char *family, const char *suffix)
{
    size_t n = strlen(family), of = strlen(suffix);

    return n > of && strcmp(family + n - of, suffix) == 0;
}

static void add_value(struct buf *out, const char *family, enum metric_scope scope,
                      const char *label, const struct metrics *m, int64_t value)
{
    bool is_time = has_suffix(family, "_seconds") || has_suffix(family, "_seconds_total");

    buf_printf(out, "sse_kafka_fanout_%s{pid=\"%d\",pool=\"%s\"", family, (int)m->pid,
               m->guarded ? "guarded" : "open");
    if (scope == METRIC_TOPIC)
        buf_printf(out, ",topic=\"%s\"", m->topic);
    buf_printf(out, "%s%s} ", *label ? "," : "", label);
    if (is_time)
        buf_printf(out, "%" PRId64 ".%03d\n", value / 1000, (int)(value % 1000));
    else
        buf_printf(out, "%" PRId64 "\n", value);
}

static void add_family(struct buf *out, const char *family, const char *help)
{
    buf_printf(out, "# HELP sse_kafka_fanout_%s %s\n# TYPE sse_kafka_fanout_%s %s\n", family, help,
               family, has_suffix(family, "_total") ? "counter" : "gauge");
}

static void add_readiness(struct buf *out, const struct metrics *m, size_t n)
{
    char label[64];

    add_family(out, "ready", "1: ready for streams.");
    for (size_t k = 0; k < n; k++)
        add_value(out, "ready", METRIC_TOPIC, "", &m[k], health_ready(&m[k].health));
    add_family(out, "trouble", "0: all is well; else 1, or how many partitions it is about.");
    for (int i = 0; i < REASONS; i++) {
        snprintf(label, sizeof label, "reason=\"%s\"", health_name((enum reason)i));
        for (size_t k = 0; k < n; k++)
            add_value(out, "trouble", METRIC_TOPIC, label, &m[k], m[k].health.count[i]);
    }
}

static void add_lag(struct buf *out, const struct metrics *m, size_t n)
{
    char label[32];

    add_family(out, "lag_records", "Records in Kafka that were not read yet.");
    for (size_t k = 0; k < n; k++) {
        for (int32_t p = 0; p < m[k].partitions && p < METRICS_LAGS; p++) {
            snprintf(label, sizeof label, "partition=\"%d\"", (int)p);
            add_value(out, "lag_records", METRIC_TOPIC, label, &m[k], m[k].lag[p]);
        }
        if (m[k].partitions > METRICS_LAGS)
            add_value(out, "lag_records", METRIC_TOPIC, "partition=\"other\"", &m[k],
                      m[k].lag[METRICS_LAGS]);
    }
}

void metrics_add_text(struct buf *out, const struct metrics *m, size_t n)
{
    add_readiness(out, m, n);
    for (size_t i = 0; i < METRICS; i++) {
        if (i == 0 || strcmp(table[i].family, table[i - 1].family) != 0)
            add_family(out, table[i].family, table[i].help);
        for (size_t k = 0; k < n; k++)
            if (m[k].values[i] >= 0)
                add_value(out, table[i].family, table[i].scope, table[i].label, &m[k],
                          m[k].values[i]);
    }
    add_lag(out, m, n);
}

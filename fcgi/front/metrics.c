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

/* A label's value (Prometheus, text format 0.0.4). */
static void add_escaped(struct buf *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, (uint8_t)*text);
    }
}

/* `of` picks the value. */
static void add_issuers(struct buf *out, const struct metrics *m, size_t n, const char *family,
                        const char *help, int64_t (*of)(const struct metrics_issuer *issuer))
{
    struct buf label = {0};

    add_family(out, family, help);
    for (size_t k = 0; k < n; k++) {
        for (int32_t i = 0; i < m[k].issuer_count; i++) {
            label.n = 0;
            buf_add_str(&label, "issuer=\"");
            add_escaped(&label, m[k].issuers[i].name);
            buf_add(&label, "\"", sizeof "\"");
            add_value(out, family, METRIC_PROCESS, (const char *)label.p, &m[k],
                      of(&m[k].issuers[i]));
        }
    }
    buf_fini(&label);
}

static int64_t changed_of(const struct metrics_issuer *issuer)
{
    return issuer->changed_ms;
}

static int64_t broken_of(const struct metrics_issuer *issuer)
{
    return issuer->broken;
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
    add_issuers(out, m, n, "jwks_changed_timestamp_seconds",
                "When the oldest of the JWKS files was changed whose keys are in use.", changed_of);
    add_issuers(out, m, n, "jwks_broken",
                "1: a JWKS file is broken, and its keys of before are in use.", broken_of);
    add_lag(out, m, n);
}

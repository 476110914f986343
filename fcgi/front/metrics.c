#include "front/metrics.h"

#include <inttypes.h>

#define METRIC_ROW(name, family, label, help) {family, label, help},
static const struct {
    const char *family, *label, *help;
} table[METRICS] = {METRIC_TABLE(METRIC_ROW)};

json_t *metrics_reasons(uint32_t reasons)
{
    static const char *const names[] = {"kafka_away",     "topic_missing", "catching_up",
                                        "cache_full",     "keys_broken",   "loop_slow",
                                        "consumer_stuck", "draining",      "silent"};
    json_t *array = json_array();

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (reasons & 1u << i)
            json_array_append_new(array, json_string(names[i]));
    return array;
}

static void add_value(struct buf *out, const char *family, const char *label,
                      const struct metrics *m, int64_t value)
{
    buf_printf(out, "sse_kafka_fanout_%s{pid=\"%d\",pool=\"%s\"%s%s} %" PRId64 "\n", family,
               (int)m->pid, m->guarded ? "guarded" : "open", *label ? "," : "", label, value);
}

static void add_family(struct buf *out, const char *family, const char *help)
{
    size_t n = strlen(family);
    bool grows = n > 6 && strcmp(family + n - 6, "_total") == 0;

    buf_printf(out, "# HELP sse_kafka_fanout_%s %s\n# TYPE sse_kafka_fanout_%s %s\n", family, help,
               family, grows ? "counter" : "gauge");
}

void metrics_add_text(struct buf *out, const struct metrics *m, size_t n)
{
    add_family(out, "ready", "1: ready for streams.");
    for (size_t k = 0; k < n; k++)
        add_value(out, "ready", "", &m[k], m[k].reasons == 0);
    for (size_t i = 0; i < METRICS; i++) {
        if (i == 0 || strcmp(table[i].family, table[i - 1].family) != 0)
            add_family(out, table[i].family, table[i].help);
        for (size_t k = 0; k < n; k++)
            add_value(out, table[i].family, table[i].label, &m[k], m[k].values[i]);
    }
}

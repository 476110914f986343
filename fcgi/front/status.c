#include "front/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/percent.h"
#include "front/answer.h"
#include "front/ledger.h"
#include "front/query.h"

enum {
    BEAT_MS = 1000,
    SILENT_MS = 5000, /* without a beat */
};

struct status {
    struct status_config config;
    struct ledger *ledger; /* NULL: there is no directory */
    struct timer *timer;
    struct metrics all[LEDGER_MAX];
};

static struct metrics take(const struct status *s)
{
    struct metrics m = {.pid = (int32_t)getpid(), .beat_ms = loop_now_ms()};

    snprintf(m.topic, sizeof m.topic, "%s", s->config.topic);
    s->config.collect(s->config.arg, &m);
    return m;
}

static void on_beat(void *arg)
{
    struct status *s = arg;
    struct metrics m = take(s);

    ledger_write(s->ledger, &m);
    timer_start(s->timer, BEAT_MS);
}

struct status *status_new(struct loop *loop, const struct status_config *config, char *error,
                          size_t size)
{
    struct status *s = mem_zero(sizeof *s);

    s->config = *config;
    if (config->directory == NULL)
        return s;
    s->ledger = ledger_new(config->directory, error, size);
    if (s->ledger == NULL) {
        free(s);
        return NULL;
    }
    s->timer = timer_new(loop, on_beat, s);
    on_beat(s);
    return s;
}

void status_free(struct status *s)
{
    if (s == NULL)
        return;
    timer_free(s->timer);
    ledger_free(s->ledger);
    free(s);
}

static size_t read_all(struct status *s)
{
    int64_t now = loop_now_ms();

    if (s->ledger == NULL) {
        s->all[0] = take(s);
        return 1;
    }
    on_beat(s);
    size_t n = ledger_read(s->ledger, s->all);
    for (size_t i = 0; i < n; i++)
        if (now - s->all[i].beat_ms > SILENT_MS)
            health_set(&s->all[i].health, REASON_SILENT, 1);
    return n;
}

/* One that stops leaves the pool, which can be ready without it. */
static bool is_ready(const struct metrics *all, size_t n)
{
    size_t staying = 0;

    for (size_t i = 0; i < n; i++) {
        if (all[i].health.count[REASON_DRAINING])
            continue;
        if (!health_ready(&all[i].health))
            return false;
        staying++;
    }
    return staying > 0;
}

static void add_json(struct buf *body, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    buf_printf(body, "%s\n", text);
    free(text);
    json_decref(json);
}

/* Those that serve the topic that the query asks for, first; how many. */
static size_t select_topic(struct metrics *all, size_t n, struct slice query)
{
    struct buf topic = {0};
    size_t count, selected = 0;
    struct slice encoded = query_find(query, "topic", &count);

    if (count == 0)
        return n;
    if (percent_decode(&topic, encoded))
        for (size_t i = 0; i < n; i++)
            if (slice_equal(slice_str(all[i].topic), buf_slice(&topic)))
                all[selected++] = all[i];
    buf_fini(&topic);
    return selected;
}

/* What is broken is told by issuer. */
static json_t *details_of(const struct metrics *m)
{
    const char *name = health_name(REASON_KEYS_BROKEN);
    json_t *details = health_details(&m->health), *text = json_object_get(details, name);

    for (int32_t i = 0, told = 0; text != NULL && i < m->issuer_count; i++) {
        if (!m->issuers[i].broken)
            continue;
        text = json_sprintf("%s%s %s", json_string_value(text), told++ ? "," : ": issuer",
                            m->issuers[i].name);
        json_object_set_new(details, name, text);
    }
    return details;
}

static json_t *describe(const struct metrics *m)
{
    return json_pack("{s:i, s:s, s:s, s:b, s:o, s:o}", "pid", (int)m->pid, "topic", m->topic,
                     "pool", m->guarded ? "guarded" : "open", "ready", health_ready(&m->health),
                     "reasons", health_reasons(&m->health), "details", details_of(m));
}

static int add_readiness(struct status *s, struct slice query, struct buf *body)
{
    size_t n = select_topic(s->all, read_all(s), query);
    bool ready = is_ready(s->all, n);
    json_t *responders = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(responders, describe(&s->all[i]));
    add_json(body, json_pack("{s:b, s:s, s:o}", "ready", ready, "scope",
                             s->ledger ? "pool" : "responder", "responders", responders));
    return ready ? 200 : 503;
}

void status_answer(struct status *s, struct slice path, struct slice query, bool with_body,
                   struct buf *out)
{
    struct answer answer = {.status = 200};
    struct buf body = {0};
    const char *type = "application/json";

    if (slice_equal(path, slice_str("/health/live"))) {
        add_json(&body, json_pack("{s:b}", "live", 1));
    } else if (slice_equal(path, slice_str("/health/ready"))) {
        answer.status = add_readiness(s, query, &body);
    } else if (slice_equal(path, slice_str("/metrics"))) {
        metrics_add_text(&body, s->all, read_all(s));
        type = "text/plain; version=0.0.4";
    } else {
        answer = answer_refusing(REFUSAL_ROUTE_UNKNOWN);
        answer_add_text(out, &answer, with_body);
        return;
    }
    buf_printf(&answer.headers, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.n);
    answer_add_text(out, &answer, false);
    if (with_body)
        buf_add_slice(out, buf_slice(&body));
    buf_fini(&answer.headers);
    buf_fini(&body);
}

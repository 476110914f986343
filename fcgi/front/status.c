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
    BEAT_MS = 1100, /* longer than what service.h leaves between two looks, each of which is one */
    SILENT_MS = 5000, /* without a beat */
    SUM_TOPICS = 4,   /* named in one line */
};

struct status {
    struct status_config config;
    struct ledger *ledger; /* NULL: there is no directory */
    struct timer *timer;
    int64_t start_ms; /* by the wall clock */
    struct metrics own;
    struct metrics all[LEDGER_MAX]; /* while a question is answered */
};

static void take(struct status *s)
{
    s->own.pid = (int32_t)getpid();
    s->own.beat_ms = loop_now_ms();
    s->config.collect(s->config.arg, &s->own);
    s->own.values[METRIC_START] = s->start_ms;
}

void status_beat(struct status *s)
{
    take(s);
    if (s->ledger == NULL)
        return;
    ledger_write(s->ledger, &s->own);
    timer_start(s->timer, BEAT_MS);
}

static void on_beat(void *arg)
{
    status_beat(arg);
}

/* One part of the line, if it fails. */
static bool sum_up(struct buf *line, const char **separator, const char *name,
                   const struct health *health)
{
    if (health_ready(health))
        return true;
    buf_printf(line, "%s%s", *separator, name);
    health_add_reasons(line, health);
    *separator = "; ";
    return false;
}

bool status_sum_up(struct status *s, struct buf *line)
{
    const char *separator = "not ready: ";
    char name[sizeof s->own.topics[0].name + sizeof "topic : "];
    int32_t failing = 0;

    status_beat(s);
    bool ready = sum_up(line, &separator, "", &s->own.health);
    for (int32_t t = 0; t < s->own.topic_count; t++) {
        const struct metrics_topic *topic = &s->own.topics[t];
        snprintf(name, sizeof name, "topic %s: ", topic->name);
        if (failing < SUM_TOPICS)
            failing += !sum_up(line, &separator, name, &topic->health);
        else
            failing += !health_ready(&topic->health);
    }
    if (failing > SUM_TOPICS)
        buf_printf(line, "; %d more topics", (int)(failing - SUM_TOPICS));
    if (ready && failing == 0)
        buf_add_str(line, "ready");
    return ready && failing == 0;
}

struct status *status_new(struct loop *loop, const struct status_config *config, char *error,
                          size_t size)
{
    struct status *s = mem_zero(sizeof *s);

    s->config = *config;
    metrics_init(&s->own, config->topics, config->routes);
    snprintf(s->own.responder, sizeof s->own.responder, "%s", config->responder);
    snprintf(s->own.version, sizeof s->own.version, "%s", SKF_VERSION);
    s->start_ms = loop_wall_ms();
    if (config->directory == NULL)
        return s;
    s->ledger = ledger_new(config->directory, &s->own, error, size);
    if (s->ledger == NULL) {
        status_free(s);
        return NULL;
    }
    s->timer = timer_new(loop, on_beat, s);
    status_beat(s);
    return s;
}

void status_free(struct status *s)
{
    if (s == NULL)
        return;
    timer_free(s->timer);
    ledger_free(s->ledger);
    metrics_fini(&s->own);
    free(s);
}

/* Those of the pool, or our own alone; to be given back, if they are the pool's. */
static struct metrics *read_all(struct status *s, size_t *n)
{
    int64_t now = loop_now_ms();

    status_beat(s);
    if (s->ledger == NULL) {
        *n = 1;
        return &s->own;
    }
    *n = ledger_read(s->ledger, s->all);
    for (size_t i = 0; i < *n; i++)
        if (now - s->all[i].beat_ms > SILENT_MS)
            health_set(&s->all[i].health, REASON_SILENT, 1);
    metrics_tell_apart(s->all, *n);
    return s->all;
}

static void give_back(struct status *s, size_t n)
{
    for (size_t i = 0; i < n && s->ledger != NULL; i++)
        metrics_fini(&s->all[i]);
}

static void add_json(struct buf *body, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    buf_printf(body, "%s\n", text);
    free(text);
    json_decref(json);
}

/* What is broken is told by issuer. */
static json_t *details_of(const struct metrics *m, const struct health *health)
{
    const char *name = health_name(REASON_KEYS_BROKEN);
    json_t *details = health_details(health), *text = json_object_get(details, name);

    for (int32_t i = 0, told = 0; text != NULL && i < m->issuer_count; i++) {
        if (!m->issuers[i].broken)
            continue;
        text = json_sprintf("%s%s %s", json_string_value(text), told++ ? "," : ": issuer",
                            m->issuers[i].name);
        json_object_set_new(details, name, text);
    }
    return details;
}

static json_t *describe(const struct metrics *m, int32_t topic)
{
    const struct health health = metrics_health(m, topic);

    return json_pack("{s:s, s:i, s:s, s:s, s:b, s:o, s:o}", "responder", m->responder, "pid",
                     (int)m->pid, "topic", m->topics[topic].name, "pool",
                     m->guarded ? "guarded" : "open", "ready", health_ready(&health), "reasons",
                     health_reasons(&health), "details", details_of(m, &health));
}

/* The health of a pool, or of one topic in it. */
struct readiness {
    bool one; /* topic */
    struct buf topic;
    size_t staying; /* topics of responders that do not stop: these leave the pool, which can be
                     * ready without them */
    size_t ready;   /* of them */
    json_t *responders;
};

static void readiness_init(struct readiness *r, struct slice query)
{
    size_t count;
    struct slice encoded = query_find(query, "topic", &count);

    *r = (struct readiness){.one = count > 0, .responders = json_array()};
    if (!percent_decode(&r->topic, encoded))
        r->topic.n = 0; /* no topic has that name */
}

static void readiness_add(struct readiness *r, const struct metrics *m)
{
    for (int32_t t = 0; t < m->topic_count; t++) {
        const struct health health = metrics_health(m, t);
        if (r->one && !slice_equal(slice_str(m->topics[t].name), buf_slice(&r->topic)))
            continue;
        json_array_append_new(r->responders, describe(m, t));
        if (health.count[REASON_DRAINING])
            continue;
        r->staying++;
        r->ready += health_ready(&health);
    }
}

/* No responder has the topic, so that none can say why. */
static void tell_unknown(json_t *answer)
{
    static const char name[] = "topic_unknown";

    json_object_set_new(answer, "reasons", json_pack("[s]", name));
    json_object_set_new(answer, "details", json_pack("{s:s}", name, "nobody serves such a topic"));
}

static int add_readiness(struct status *s, struct slice query, struct buf *body)
{
    struct readiness r;
    size_t n;
    const struct metrics *all = read_all(s, &n);

    readiness_init(&r, query);
    for (size_t i = 0; i < n; i++)
        readiness_add(&r, &all[i]);
    give_back(s, n);
    bool ready = r.staying > 0 && r.ready == r.staying;
    json_t *answer = json_pack("{s:b, s:s, s:o}", "ready", ready, "scope",
                               s->ledger ? "pool" : "responder", "responders", r.responders);
    if (json_array_size(r.responders) == 0)
        tell_unknown(answer);
    add_json(body, answer);
    buf_fini(&r.topic);
    return ready ? 200 : 503;
}

static void add_metrics(struct status *s, struct buf *body)
{
    size_t n;
    const struct metrics *all = read_all(s, &n);

    metrics_add_text(body, all, n);
    give_back(s, n);
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
        add_metrics(s, &body);
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

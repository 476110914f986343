#include "kafka/consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka/client.h"
#include "kafka/conf.h"
#include "kafka/names.h"
#include "kafka/outage.h"
#include "kafka/partition.h"

enum {
    BATCH = 1000,
    TURN_MS = 5, /* records of one loop turn */
    LOOK_MS = 1000,
    STOPPED_MS = 3000, /* between two looks: it was us who did not run */
    SETTLE_MS = 5000,  /* after a trouble of all partitions none is blamed for so long */
};

struct consumer {
    struct loop *loop;
    struct consumer_handler handler;
    char *topic;
    int wake_fd;
    struct watch *watch;
    struct task again;
    struct clients *clients;
    struct client *client; /* of the topic as it is now */
    bool held;

    bool running; /* the topic is there, and what it is is decided */
    struct policy policy;
    struct partition *partitions;
    int32_t n;
    int32_t refused; /* partitions of a topic that has more than may be; 0: it has not */
    uint64_t valid;  /* answers to earlier questions are about another topic of that name */
    int start_error; /* the last one of partition_start() that was logged */
    char cluster[CLUSTER_ID]; /* whose topic it is; empty: not known */
    struct topic_id id;

    struct timer *look;
    int64_t looked_ms;
    uint64_t went_on;    /* answers to earlier questions are of before we were stopped */
    int64_t troubled_ms; /* when all partitions had a trouble last */
    uint64_t answers;    /* of the survey, so far */
    uint64_t stuck_ever;
    struct trouble trouble;
    struct broker *brokers;
    int32_t brokers_n;

    rd_kafka_message_t *batch[BATCH]; /* from batch_at to batch_n they are to be handed on */
    ssize_t batch_at, batch_n;
};

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *arg)
{
    struct consumer *c = arg;

    (void)rk;
    trouble_hear(&c->trouble, err, reason);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= 2)
        log_error("kafka: %s: %s", facility, text);
    else
        log_debug("kafka: %s: %s", facility, text);
}

/* -- partitions -- */

static void partition_stop(struct consumer *c, int32_t p)
{
    if (c->partitions[p].started)
        client_fetch_stop(c->client, p);
    c->partitions[p].started = false;
}

static void partition_start(struct consumer *c, int32_t p, int64_t offset)
{
    rd_kafka_resp_err_t err = client_fetch(c->client, p, offset);
    if (err) {
        if (err != c->start_error) /* it is tried again each second */
            log_error("kafka: %s[%d] cannot be started: %s", c->topic, p, rd_kafka_err2str(err));
        c->start_error = err;
        return;
    }
    c->start_error = 0;
    c->partitions[p].started = true;
    c->partitions[p].next = offset;
}

static void set_partitions(struct consumer *c, int32_t n)
{
    c->partitions = mem_resize_array(c->partitions, (size_t)n, sizeof *c->partitions);
    for (int32_t p = c->n; p < n; p++)
        c->partitions[p] = partition_new(loop_now_ms());
    c->n = n;
    c->handler.on_partitions(c->handler.arg, n);
}

/* What was read is void, and so is what is still to come of it. */
static void void_topic(struct consumer *c)
{
    for (; c->batch_at < c->batch_n; c->batch_at++)
        rd_kafka_message_destroy(c->batch[c->batch_at]);
    c->n = 0;
    c->running = false;
}

/* The same topic, to be read anew. */
static void stop_topic(struct consumer *c)
{
    for (int32_t p = 0; p < c->n; p++)
        partition_stop(c, p);
    void_topic(c);
    c->valid = survey_ask(c->client->survey);
}

/* Another topic of the same name is read with another client; if there cannot be one, with this,
 * for which it is the same one. */
static void forget_topic(struct consumer *c)
{
    char error[256];
    uint64_t ticket = survey_ask(c->client->survey);
    struct client *next = client_start(c->clients, ticket, error, sizeof error);

    policy_forget(&c->policy);
    c->cluster[0] = '\0';
    c->id = (struct topic_id){0};
    if (next == NULL) {
        log_error("kafka: topic %s goes on with the connection of before: %s", c->topic, error);
        stop_topic(c);
        return;
    }
    void_topic(c);
    client_retire(c->client);
    c->client = next;
    c->valid = ticket;
    c->answers = 0;
}

/* -- what kind of topic it is -- */

static void on_settings(struct consumer *c, rd_kafka_event_t *event)
{
    struct settings settings = settings_default();

    if (rd_kafka_event_DescribeConfigs_result(event) == NULL)
        return;
    rd_kafka_resp_err_t err = settings_read(event, &settings);
    switch (policy_answered(&c->policy, err, &settings, loop_now_ms())) {
    case POLICY_DECIDED:
        survey_ask(c->client->survey);
        break;
    case POLICY_RETENTION:
        if (c->running)
            c->handler.on_retention(c->handler.arg, c->policy.settings.delete_retention_ms);
        break;
    case POLICY_OTHER:
        stop_topic(c);
        break;
    case POLICY_AS_BEFORE:
        break;
    }
}

/* -- surveys -- */

/* What its leader has said, as far as it is about this topic and the partition's place in it. */
static bool is_valid(const struct consumer *c, int32_t i, const struct survey_partition *s)
{
    return s->end >= 0 && s->ticket >= c->valid && s->ticket >= c->partitions[i].out_of_range;
}

/* True if it has lost records that were not read yet. */
static bool on_surveyed_partition(struct consumer *c, int32_t i, const struct survey_partition *s)
{
    struct partition *p = &c->partitions[i];

    p->leader = s->leader;
    p->home = s->home;
    p->error = s->error;
    if (s->end < 0 || s->ticket < c->valid)
        return false;
    if (s->fresh) {
        trouble_forget(&c->trouble, WORDS_BROKER, s->leader);
        partition_answered(p, s->end, s->ticket);
        /* What librdkafka has fetched before it was deleted is still to come. */
        int64_t origin = p->started && s->first > p->next ? p->next : s->first;
        c->handler.on_origin(c->handler.arg, i, origin);
        if (p->started && s->end <= p->next)
            c->handler.on_end(c->handler.arg, i, s->asked_ms);
    }
    if (p->started || !is_valid(c, i, s))
        return false;
    /* New, or out of range because the broker dropped what came next. */
    bool is_new = p->next < 0;
    partition_start(c, i, s->first);
    return p->started && !is_new;
}

static void on_surveyed_partitions(struct consumer *c, const struct survey_result *r)
{
    struct names lost = names_new(c->topic);

    for (int32_t i = 0; i < c->n; i++)
        if (on_surveyed_partition(c, i, &r->partitions[i]))
            names_add(&lost, i);
    if (lost.first >= 0)
        log_warn("kafka: %s: the broker has dropped records before they were read",
                 names_end(&lost));
}

/* Its log is shorter than it was: what was read of it is not what others read now.  A leader that
 * does not know yet that it is none any more may say so wrongly, so it takes another question. */
static bool is_cut(struct consumer *c, int32_t i, const struct survey_partition *s)
{
    struct partition *p = &c->partitions[i];

    if (!is_valid(c, i, s))
        return false;
    /* librdkafka has found `next` out of range, or on the far side of a lost epoch (2.1 and later),
     * and not because the log begins behind it: it has ended before it. */
    if (!p->started && s->first <= p->next)
        return true;
    if (s->end >= p->top)
        p->cut = 0;
    else if (p->cut == 0)
        p->cut = survey_ask(c->client->survey);
    return p->cut != 0 && s->ticket >= p->cut;
}

/* Why all that was read is void; NULL: it is not. */
static const char *made_again(struct consumer *c, const struct survey_result *r)
{
    if (c->cluster[0] != '\0' && r->cluster[0] != '\0' && strcmp(c->cluster, r->cluster) != 0)
        return "is another cluster's now";
    if (r->n < c->n || topicid_differ(c->id, r->id))
        return "was made again";
    for (int32_t i = 0; i < c->n; i++)
        if (is_cut(c, i, &r->partitions[i]))
            return "was made again, or its log was cut";
    return NULL;
}

/* How many of n partitions are read; 0: not even those there were at first. */
static int32_t admit(struct consumer *c, int32_t n)
{
    int32_t max = c->handler.partitions_max;
    int32_t refused = max > 0 && n > max ? n : 0;

    if (refused != c->refused && refused > 0)
        log_error("kafka: topic %s has %d partitions, but an event id can name %d at most: %s",
                  c->topic, n, max,
                  c->running ? "those that are new are not read" : "it is not served");
    c->refused = refused;
    return refused ? c->n : n;
}

/* One that has just answered, if only to refuse; -1: none has. */
static int32_t answering_broker(const struct survey_result *r)
{
    for (int32_t i = 0; i < r->n; i++)
        if (r->partitions[i].fresh || r->partitions[i].error > 0)
            return r->partitions[i].leader;
    return -1;
}

static void on_surveyed_topic(struct consumer *c, const struct survey_result *r)
{
    const char *anew = made_again(c, r);

    if (anew != NULL) {
        log_warn("kafka: topic %s %s, starting anew", c->topic, anew);
        forget_topic(c);
        return;
    }
    if (topicid_known(r->id))
        c->id = r->id;
    int32_t n = admit(c, r->n);
    if (n == 0)
        return;
    int32_t broker = answering_broker(r);
    if (policy_ask(&c->policy, broker >= 0, loop_now_ms()))
        settings_ask(c->client->asker, c->topic, broker, c->client->answers);
    if (!c->running && c->policy.decided) {
        const struct settings *s = &c->policy.settings;
        log_info("kafka: topic %s: %d partition(s), %s", c->topic, r->n,
                 s->compacted ? "compacted" : "not compacted");
        c->running = true;
        memcpy(c->cluster, r->cluster, sizeof c->cluster);
        c->handler.on_topic(c->handler.arg, s->compacted, s->delete_retention_ms);
    }
    if (!c->running)
        return;
    if (n > c->n)
        set_partitions(c, n);
    on_surveyed_partitions(c, r);
    c->handler.on_survey(c->handler.arg, r->ticket);
}

static void take_survey(struct consumer *c)
{
    struct survey_result r;

    if (!survey_take(c->client->survey, &r))
        return;
    if (r.told)
        trouble_told(&c->trouble, r.error);
    if (r.answers != c->answers)
        trouble_answered(&c->trouble, loop_now_ms());
    c->answers = r.answers;
    if (r.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && c->running)
        forget_topic(c);
    if (r.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        c->refused = 0;
    if (r.n > 0)
        on_surveyed_topic(c, &r);
    free(c->brokers);
    c->brokers = r.brokers;
    c->brokers_n = r.brokers_n;
    r.brokers = NULL;
    survey_result_fini(&r);
}

/* -- once a second -- */

/* What the last Fetch has got, no question asked: -1 if its answer was an error, -1001 if there
 * was none. */
static int64_t fetched_end(const struct consumer *c, int32_t partition)
{
    int64_t low = -1, high = -1;

    rd_kafka_get_watermark_offsets(c->client->reader, c->topic, partition, &low, &high);
    return high;
}

static void look_if_refused(struct consumer *c)
{
    bool refused = false;

    for (int32_t i = 0; i < c->n; i++) {
        struct partition *p = &c->partitions[i];
        if (p->refused && fetched_end(c, i) >= 0)
            p->refused = false;
        refused = refused || p->refused;
    }
    trouble_read(&c->trouble, refused);
}

static void look_at_partitions(struct consumer *c, int64_t now)
{
    for (int32_t i = 0; i < c->n; i++) {
        struct partition *p = &c->partitions[i];
        bool changed = partition_look(p, c->held, now, now - c->looked_ms);
        if (p->stood_ms == 0)
            trouble_forget(&c->trouble, WORDS_PARTITION, i);
        if (!changed)
            continue;
        if (p->state == PARTITION_STUCK && !p->refused)
            c->stuck_ever++;
        if (p->state != PARTITION_GIVES)
            c->handler.on_given_up(c->handler.arg, i);
    }
}

static bool was_stopped(const struct consumer *c)
{
    return loop_now_ms() - c->looked_ms >= STOPPED_MS;
}

static void look(void *arg)
{
    struct consumer *c = arg;
    int64_t now = loop_now_ms();

    if (was_stopped(c))
        c->went_on = survey_ask(c->client->survey);
    client_poll(c->client); /* what was there before we were to be woken for it */
    look_if_refused(c);
    trouble_look(&c->trouble, now, now - c->looked_ms);
    look_at_partitions(c, now);
    c->looked_ms = now;
    if (trouble_now(&c->trouble) != TROUBLE_NONE)
        c->troubled_ms = now;
    if (now - c->troubled_ms >= SETTLE_MS)
        outage_tell(&c->trouble, c->brokers, c->brokers_n, c->partitions, c->n);
    timer_start(c->look, LOOK_MS);
    c->handler.on_settled(c->handler.arg);
}

/* -- records -- */

static struct slice etag_of(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;

    if (rd_kafka_message_headers(m, &headers) != 0 ||
        rd_kafka_header_get_last(headers, "etag", &value, &size) != 0)
        return slice_of(NULL, 0);
    return slice_of(value, value ? size : 0);
}

/* librdkafka gives an empty key or value a pointer, an absent one none. */
static struct slice slice_or_none(const void *p, size_t n)
{
    return slice_of(p, p ? n : 0);
}

static void on_record(struct consumer *c, const rd_kafka_message_t *m)
{
    struct partition *p = &c->partitions[m->partition];
    struct record r = {
        .partition = m->partition,
        .offset = m->offset,
        .timestamp_ms = rd_kafka_message_timestamp(m, NULL),
        .key = slice_or_none(m->key, m->key_len),
        .value = slice_or_none(m->payload, m->len),
        .etag = etag_of(m),
    };

    if (r.offset < p->next)
        return; /* from before a restart of the partition */
    p->next = r.offset + 1;
    c->handler.on_record(c->handler.arg, &r);
}

/* librdkafka unpacks a batch whole, into at most so much memory. */
static void note_fetch_error(struct consumer *c, const rd_kafka_message_t *m)
{
    char text[TROUBLE_TEXT];
    const char *hint = m->err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION
                           ? "; a batch that unpacks to more than receive.message.max.bytes needs "
                             "a larger one (-X)"
                           : "";

    snprintf(text, sizeof text, "%.120s%s", rd_kafka_message_errstr(m), hint);
    trouble_note(&c->trouble, WORDS_PARTITION, m->partition, text);
}

static void on_partition_error(struct consumer *c, const rd_kafka_message_t *m)
{
    struct partition *p = &c->partitions[m->partition];

    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (m->offset > p->next)
            p->next = m->offset;
        c->handler.on_position(c->handler.arg, m->partition, p->next);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        partition_stop(c, m->partition);
        p->out_of_range = survey_ask(c->client->survey);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: /* told once, until it changes */
        p->refused = true;
        look_if_refused(c);
        break;
    default: /* whether it lasts is seen by whether the partition moves */
        log_debug("kafka: %s[%d]: %s", c->topic, m->partition, rd_kafka_message_errstr(m));
        note_fetch_error(c, m);
    }
}

static void on_message(struct consumer *c, const rd_kafka_message_t *m)
{
    if (!c->running || m->rkt == NULL || m->partition < 0 || m->partition >= c->n ||
        !c->partitions[m->partition].started)
        return;
    if (m->err)
        on_partition_error(c, m);
    else
        on_record(c, m);
}

/* Hands on the batch until it is done, or the handler holds. */
static void hand_on(struct consumer *c)
{
    while (c->batch_at < c->batch_n && !c->held) {
        rd_kafka_message_t *m = c->batch[c->batch_at++];
        on_message(c, m);
        rd_kafka_message_destroy(m);
    }
}

/* librdkafka wakes us for the first record of a burst only: whoever stops early comes again. */
static void take_records(struct consumer *c)
{
    int64_t until = loop_now_ms() + TURN_MS;

    for (hand_on(c); !c->held; hand_on(c)) {
        if (loop_now_ms() >= until) {
            loop_defer(c->loop, &c->again);
            return;
        }
        c->batch_at = 0;
        c->batch_n = rd_kafka_consume_batch_queue(c->client->records, 0, c->batch, BATCH);
        if (c->batch_n <= 0)
            return;
    }
}

static void take_all(void *arg)
{
    struct consumer *c = arg;
    rd_kafka_event_t *event;

    client_poll(c->client); /* errors and log lines */
    while ((event = rd_kafka_queue_poll(c->client->answers, 0)) != NULL) {
        on_settings(c, event);
        rd_kafka_event_destroy(event);
    }
    take_survey(c);
    take_records(c);
    c->handler.on_settled(c->handler.arg);
}

static void on_wake(void *arg, int what)
{
    struct consumer *c = arg;
    uint64_t ignored;

    (void)what;
    ssize_t n = read(c->wake_fd, &ignored, sizeof ignored);
    (void)n;
    take_all(c);
}

/* -- life -- */

static struct clients *make_clients(struct consumer *c, const struct kafka_conf *from,
                                    const char *brokers, char *error, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(kafka_conf_inside(from));

    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, size) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return clients_new(conf, c->topic, c->wake_fd);
}

struct consumer *consumer_new(struct loop *loop, const struct kafka_conf *conf, const char *brokers,
                              const char *topic, enum compact compact,
                              const struct consumer_handler *handler, char *error, size_t size)
{
    struct consumer *c = mem_zero(sizeof *c);

    c->loop = loop;
    c->handler = *handler;
    c->topic = mem_strdup(topic);
    c->policy = policy_new(c->topic, compact);
    trouble_init(&c->trouble, c->topic, loop_now_ms());
    c->again = (struct task){.run = take_all, .arg = c};
    c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->watch = watch_new(loop, c->wake_fd, LOOP_READ, on_wake, c);
    c->look = timer_new(loop, look, c);
    c->clients = make_clients(c, conf, brokers, error, size);
    if (c->clients != NULL)
        c->client = client_start(c->clients, 0, error, size);
    if (c->client == NULL) {
        consumer_free(c);
        return NULL;
    }
    c->looked_ms = loop_now_ms();
    timer_start(c->look, LOOK_MS);
    return c;
}

void consumer_free(struct consumer *c)
{
    if (c == NULL)
        return;
    if (c->client != NULL) {
        void_topic(c);
        client_retire(c->client);
    }
    if (c->clients != NULL)
        clients_free(c->clients);
    timer_free(c->look);
    loop_cancel(c->loop, &c->again);
    watch_free(c->watch);
    close(c->wake_fd);
    free(c->partitions);
    free(c->brokers);
    free(c->topic);
    free(c);
}

void consumer_hold(struct consumer *c, bool hold)
{
    if (c->held && !hold)
        loop_defer(c->loop, &c->again);
    c->held = hold;
}

void consumer_read_anew(struct consumer *c, const char *why)
{
    log_warn("kafka: topic %s is read anew: %s", c->topic, why);
    stop_topic(c);
}

uint64_t consumer_ask(struct consumer *c)
{
    return survey_ask(c->client->survey);
}

struct consumer_stats consumer_stats(const struct consumer *c)
{
    struct consumer_stats stats = {
        .trouble = trouble_now(&c->trouble),
        .partitions = c->n,
        .stuck_ever = c->stuck_ever,
        .settings_assumed = policy_is_assumed(&c->policy),
        .refused = c->refused,
    };

    for (int32_t i = 0; i < c->n && stats.trouble == TROUBLE_NONE; i++) {
        stats.away += c->partitions[i].state == PARTITION_AWAY;
        stats.stuck = stats.stuck || c->partitions[i].state == PARTITION_STUCK;
    }
    return stats;
}

int64_t consumer_lag(const struct consumer *c, int32_t partition)
{
    const struct partition *p = &c->partitions[partition];
    int64_t next = p->next < 0 ? 0 : p->next;

    return p->seen_end > next ? p->seen_end - next : 0;
}

bool consumer_ready(const struct consumer *c)
{
    return c->running;
}

int64_t consumer_end(const struct consumer *c, int32_t partition)
{
    int64_t end = c->partitions[partition].end;

    if (end < 0 || c->partitions[partition].ticket < c->went_on || was_stopped(c))
        return -1;
    int64_t fetched = fetched_end(c, partition);
    return fetched > end ? fetched : end;
}

int64_t consumer_surveyed_end(const struct consumer *c, int32_t partition, uint64_t ticket)
{
    const struct partition *p = &c->partitions[partition];

    return p->ticket >= ticket ? p->end : -1;
}

bool consumer_given_up(const struct consumer *c, int32_t partition)
{
    return c->partitions[partition].state != PARTITION_GIVES;
}

bool consumer_passed(const struct consumer *c, int32_t partition, int64_t end, uint64_t ticket)
{
    const struct partition *p = &c->partitions[partition];

    if (!p->started)
        return false;
    return p->next >= end || (p->ticket >= ticket && p->end >= 0 && p->next >= p->end);
}

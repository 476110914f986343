#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer_inside.h"
#include "kafka/names.h"
#include "kafka/settings.h"

/* -- partitions -- */

void consumer_stop_partition(struct consumer *c, int32_t p)
{
    if (c->partitions[p].started)
        feed_fetch_stop(c->feed, p);
    c->partitions[p].started = false;
}

static void partition_start(struct consumer *c, int32_t p, int64_t offset)
{
    rd_kafka_resp_err_t err = feed_fetch(c->feed, p, offset);
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
    if (c->n > 0)
        log_info("kafka: topic %s has %d partitions now, it had %d", c->topic, n, c->n);
    c->partitions = mem_resize_array(c->partitions, (size_t)n, sizeof *c->partitions);
    for (int32_t p = c->n; p < n; p++)
        c->partitions[p] = partition_new(loop_now_ms());
    c->n = n;
    c->handler.on_partitions(c->handler.arg, n);
}

void consumer_void(struct consumer *c)
{
    consumer_drop_records(c);
    c->n = 0;
    c->running = false;
}

void consumer_stop_topic(struct consumer *c)
{
    for (int32_t p = 0; p < c->n; p++)
        consumer_stop_partition(c, p);
    consumer_void(c);
    c->valid = consumer_ask(c);
}

/* The next one that reads the topic, with questions of that ticket or a higher one, which is
 * returned in its place; NULL: there cannot be one. */
static struct client *next_client(struct consumer *c, uint64_t *ticket)
{
    struct client *next = cluster_other_client(c->cluster, c->topic);
    char error[256];

    if (next != NULL) {
        *ticket = survey_ask_beyond(next->survey, *ticket);
        return next;
    }
    next = client_start(c->cluster->clients, *ticket, error, sizeof error);
    if (next == NULL)
        log_error("kafka: topic %s goes on with the connection of before: %s", c->topic, error);
    return next;
}

/* Another topic of the same name is read with another client; if there cannot be one, with this,
 * for which it is the same one. */
static void forget_topic(struct consumer *c)
{
    uint64_t ticket = consumer_ask(c);
    struct client *next = next_client(c, &ticket);

    c->cluster_id[0] = '\0';
    c->id = (struct topic_id){0};
    if (next == NULL) {
        policy_missing(&c->policy);
        consumer_stop_topic(c);
        return;
    }
    policy_forget(&c->policy);
    consumer_void(c);
    cluster_leave(c->cluster, c->feed);
    c->feed = feed_start(next, c->topic);
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
        consumer_ask(c);
        break;
    case POLICY_RETENTION:
        if (c->running)
            c->handler.on_retention(c->handler.arg, c->policy.settings.delete_retention_ms);
        break;
    case POLICY_OTHER:
        consumer_stop_topic(c);
        break;
    case POLICY_AS_BEFORE:
        break;
    }
}

void consumer_take_settings(struct consumer *c)
{
    rd_kafka_event_t *event;

    while ((event = rd_kafka_queue_poll(c->feed->answers, 0)) != NULL) {
        on_settings(c, event);
        rd_kafka_event_destroy(event);
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
    bool starts = !p->started && is_valid(c, i, s);
    if (s->fresh) {
        words_forget(&c->cluster->contact.words, WORDS_BROKER, s->leader);
        partition_answered(p, s->end, s->ticket);
    }
    if (s->fresh && p->started && s->end <= p->next)
        c->handler.on_end(c->handler.arg, i, s->asked_ms);
    if (s->fresh || starts) { /* an answer of before the settings were known is not fresh */
        /* What librdkafka has fetched before it was deleted is still to come. */
        int64_t origin = p->started && s->first > p->next ? p->next : s->first;
        c->handler.on_origin(c->handler.arg, i, origin);
    }
    if (!starts)
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
        p->cut = consumer_ask(c);
    return p->cut != 0 && s->ticket >= p->cut;
}

/* Why all that was read is void; NULL: it is not. */
static const char *made_again(struct consumer *c, const struct survey_result *r)
{
    if (c->cluster_id[0] != '\0' && r->cluster[0] != '\0' && strcmp(c->cluster_id, r->cluster) != 0)
        return "is another cluster's now";
    if ((c->running && r->anew) || r->n < c->n || topicid_differ(c->id, r->id))
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
        settings_ask(c->feed->client->asker, c->topic, broker, c->feed->answers);
    if (!c->running && c->policy.decided) {
        const struct settings *s = &c->policy.settings;
        log_info("kafka: topic %s: %d partition(s), %s", c->topic, r->n,
                 s->compacted ? "compacted" : "not compacted");
        c->running = true;
        memcpy(c->cluster_id, r->cluster, sizeof c->cluster_id);
        c->handler.on_topic(c->handler.arg, s->compacted, s->delete_retention_ms);
    }
    if (!c->running)
        return;
    if (n > c->n)
        set_partitions(c, n);
    on_surveyed_partitions(c, r);
    c->handler.on_survey(c->handler.arg, r->ticket);
}

void consumer_take_survey(struct consumer *c)
{
    struct survey_result r;

    if (!survey_take(c->feed->surveyed, &r))
        return;
    if (r.answers != c->answers)
        contact_answered(&c->cluster->contact, loop_now_ms());
    if (r.told)
        trouble_told(&c->trouble, r.error);
    c->answers = r.answers;
    if (r.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        if (c->running)
            forget_topic(c);
        else
            policy_missing(&c->policy);
        c->refused = 0;
        c->handler.on_missing(c->handler.arg);
    }
    if (r.n > 0)
        on_surveyed_topic(c, &r);
    free(c->brokers);
    c->brokers = r.brokers;
    c->brokers_n = r.brokers_n;
    r.brokers = NULL;
    survey_result_fini(&r);
}

#include "kafka/trouble.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kafka/tick.h"

enum {
    DOWN_MS = 2000,   /* no connection is left, and none came back */
    SILENT_MS = 8500, /* there may be connections, but nobody answers */
};

void trouble_init(struct trouble *t, const char *topic, int64_t now_ms)
{
    *t = (struct trouble){.topic = topic, .answered_ms = now_ms};
}

/* -- which it is -- */

/* Errors that mean the same to the operator count as one. */
static enum trouble_kind kind_of(int error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return TROUBLE_NONE;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: /* no topic can have that name */
        return TROUBLE_MISSING;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return TROUBLE_REFUSED;
    default:
        return TROUBLE_AWAY;
    }
}

/* librdkafka before 2.6.1 sends the nonce of its first message twice, which Kafka 4 refuses
 * (confluentinc/librdkafka#4895). */
static const char *scram_hint(const char *refusal)
{
    bool may_be_that = strstr(refusal, "SCRAM") != NULL && rd_kafka_version() < 0x020601ff;

    return may_be_that ? "; with Kafka 4, SCRAM needs librdkafka 2.6.1" : "";
}

static void say(const struct trouble *t)
{
    const char *topic = t->topic, *said = rd_kafka_err2str(t->error);

    switch (t->error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        log_warn("kafka: topic %s does not exist, waiting for it", topic);
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        log_error("kafka: the brokers refuse our credentials: %s%s", t->refusal_text,
                  scram_hint(t->refusal_text));
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        log_error("kafka: no TLS connection to the brokers: %s", t->refusal_text);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        log_error("kafka: the right DESCRIBE on topic %s is missing (%s), waiting for it", topic,
                  said);
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
        log_warn("kafka: no broker answers, trying on%s%s", t->reason[0] ? ": " : "", t->reason);
        break;
    default:
        log_warn("kafka: topic %s: %s, trying on", topic, said);
    }
}

static void become(struct trouble *t, int error)
{
    if (error == t->error)
        return;
    t->error = error;
    t->kind = kind_of(error);
    if (error)
        say(t);
}

void trouble_told(struct trouble *t, int error)
{
    int before = t->suspected;

    t->suspected = error;
    if (!error && t->error)
        log_info("kafka: connected, topic %s is there", t->topic);
    if (!error || error == before) /* one alone is no trouble yet: a broker may have just come */
        become(t, error);
}

static bool nobody_answers(const struct trouble *t)
{
    return t->error == RD_KAFKA_RESP_ERR__TRANSPORT ||
           t->error == RD_KAFKA_RESP_ERR__AUTHENTICATION || t->error == RD_KAFKA_RESP_ERR__SSL;
}

void trouble_answered(struct trouble *t, int64_t now_ms)
{
    t->answered_ms = now_ms;
    t->all_down = false;
    t->refusal = 0;
    if (!nobody_answers(t))
        return;
    log_info("kafka: connected");
    become(t, RD_KAFKA_RESP_ERR_NO_ERROR);
}

void trouble_read(struct trouble *t, bool refused)
{
    if (refused == t->read_refused)
        return;
    t->read_refused = refused;
    if (refused)
        log_error("kafka: the right READ on topic %s is missing, waiting for it", t->topic);
    else
        log_info("kafka: topic %s may be read", t->topic);
}

void trouble_look(struct trouble *t, const struct tick *tick)
{
    t->answered_ms += tick->lost_ms;
    int64_t silent_ms = tick->now_ms - t->answered_ms;

    if (t->refusal && silent_ms >= DOWN_MS)
        become(t, t->refusal);
    else if (silent_ms >= (t->all_down ? DOWN_MS : SILENT_MS) && !nobody_answers(t))
        become(t, RD_KAFKA_RESP_ERR__TRANSPORT);
}

enum trouble_kind trouble_now(const struct trouble *t)
{
    return t->kind == TROUBLE_NONE && t->read_refused ? TROUBLE_REFUSED : t->kind;
}

/* -- librdkafka's words -- */

/* They begin with "HOST:PORT/ID: "; returns what follows, or NULL if there is no id: of a broker
 * that is known by its address alone. */
static const char *after_broker(const char *reason, int32_t *id)
{
    const char *colon = strstr(reason, ": "), *slash = colon;
    char *end = NULL;

    while (slash != NULL && slash > reason && *slash != '/')
        slash--;
    if (slash == NULL || *slash != '/')
        return NULL;
    *id = (int32_t)strtol(slash + 1, &end, 10);
    return end == colon && end > slash + 1 ? colon + 2 : NULL;
}

void trouble_hear(struct trouble *t, int error, const char *reason)
{
    int32_t id;
    const char *words = after_broker(reason, &id);

    snprintf(t->reason, sizeof t->reason, "%s", reason);
    if (words != NULL) /* BAD_MSG: "... increase receive.message.max.bytes" */
        trouble_note(t, error == RD_KAFKA_RESP_ERR__BAD_MSG ? WORDS_ANSWER : WORDS_BROKER, id,
                     words);
    switch (error) {
    case RD_KAFKA_RESP_ERR__BAD_MSG: /* librdkafka has ended the connection itself */
        t->bad_answer = true;
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        t->all_down = !t->bad_answer;
        break;
    default:
        t->bad_answer = false;
    }
    if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL) {
        t->refusal = error;
        snprintf(t->refusal_text, sizeof t->refusal_text, "%s", reason);
    }
}

static int find(const struct trouble *t, enum words_about about, int32_t id)
{
    for (int i = 0; i < TROUBLE_WORDS; i++)
        if (t->words[i].about == about && t->words[i].id == id)
            return i;
    return -1;
}

void trouble_note(struct trouble *t, enum words_about about, int32_t id, const char *text)
{
    int at = find(t, about, id);

    if (at < 0)
        at = TROUBLE_WORDS - 1;
    memmove(t->words + 1, t->words, (size_t)at * sizeof t->words[0]);
    t->words[0] = (struct words){.about = about, .id = id};
    snprintf(t->words[0].text, sizeof t->words[0].text, "%s", text);
}

void trouble_forget(struct trouble *t, enum words_about about, int32_t id)
{
    int at = find(t, about, id);

    if (at >= 0)
        t->words[at].about = WORDS_NOTHING;
}

const char *trouble_words(const struct trouble *t, enum words_about about, int32_t id)
{
    int at = find(t, about, id);

    return at < 0 ? NULL : t->words[at].text;
}

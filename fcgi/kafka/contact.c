#include "kafka/contact.h"

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

void contact_init(struct contact *c, int64_t now_ms)
{
    *c = (struct contact){.answered_ms = now_ms};
}

/* librdkafka before 2.6.1 sends the nonce of its first message twice, which Kafka 4 refuses
 * (confluentinc/librdkafka#4895). */
static const char *scram_hint(const char *refusal)
{
    bool may_be_that = strstr(refusal, "SCRAM") != NULL && rd_kafka_version() < 0x020601ff;

    return may_be_that ? "; with Kafka 4, SCRAM needs librdkafka 2.6.1" : "";
}

/* A controller takes connections, and no question.  librdkafka 2.0 says so, later versions say
 * nothing. */
static const char *controller_hint(const struct contact *c)
{
    if (strstr(c->reason, "Required feature not supported") != NULL)
        return "; is it a controller's port?";
    return *c->reason || c->met ? ""
                                : ": neither an answer nor a refusal; is it a controller's port?";
}

static void contact_lose(struct contact *c, int error)
{
    if (error == c->error)
        return;
    c->error = error;
    switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        log_error("kafka: the brokers refuse our credentials: %s%s", c->refusal_text,
                  scram_hint(c->refusal_text));
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        log_error("kafka: no TLS connection to the brokers: %s", c->refusal_text);
        break;
    default:
        log_warn("kafka: no broker answers, trying on%s%s%s", c->reason[0] ? ": " : "", c->reason,
                 controller_hint(c));
    }
}

void contact_answered(struct contact *c, int64_t now_ms)
{
    c->answered_ms = now_ms;
    c->met = true;
    c->all_down = false;
    c->refusal = 0;
    if (c->error)
        log_info("kafka: connected");
    c->error = 0;
}

void contact_look(struct contact *c, const struct tick *tick)
{
    c->answered_ms += tick->lost_ms;
    int64_t silent_ms = tick->now_ms - c->answered_ms;

    if (c->refusal && silent_ms >= DOWN_MS)
        contact_lose(c, c->refusal);
    else if (silent_ms >= (c->all_down ? DOWN_MS : SILENT_MS) && !c->error)
        contact_lose(c, RD_KAFKA_RESP_ERR__TRANSPORT);
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

void contact_hear(struct contact *c, int error, const char *reason)
{
    int32_t id;
    const char *words = after_broker(reason, &id);

    /* "2/2 brokers are down" comes after the reasons why. */
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || c->reason[0] == 0)
        snprintf(c->reason, sizeof c->reason, "%s", reason);
    if (words != NULL) /* BAD_MSG: "... increase receive.message.max.bytes" */
        words_note(&c->words, error == RD_KAFKA_RESP_ERR__BAD_MSG ? WORDS_ANSWER : WORDS_BROKER, id,
                   words);
    switch (error) {
    case RD_KAFKA_RESP_ERR__BAD_MSG: /* librdkafka has ended the connection itself */
        c->bad_answer = true;
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        c->all_down = !c->bad_answer;
        break;
    default:
        c->bad_answer = false;
    }
    if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL) {
        c->refusal = error;
        snprintf(c->refusal_text, sizeof c->refusal_text, "%s", reason);
    }
}

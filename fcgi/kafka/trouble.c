#include "kafka/trouble.h"

#include <librdkafka/rdkafka.h>

#include "base/log.h"

void trouble_init(struct trouble *t, const char *topic, struct contact *contact)
{
    *t = (struct trouble){.topic = topic, .contact = contact};
}

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

static void say(const struct trouble *t, int error)
{
    const char *said = rd_kafka_err2str(error);

    switch (error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        log_warn("kafka: topic %s does not exist, waiting for it", t->topic);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        log_error("kafka: the right DESCRIBE on topic %s is missing (%s), waiting for it", t->topic,
                  said);
        break;
    default:
        log_warn("kafka: topic %s: %s, trying on", t->topic, said);
    }
}

void trouble_told(struct trouble *t, int error)
{
    int before = t->suspected;

    t->suspected = error;
    if (error && error != before) /* one alone is no trouble yet: a broker may have just come */
        return;
    if (error && error != t->error)
        say(t, error);
    if (!error && t->told)
        log_info("kafka: topic %s is there", t->topic);
    t->told = error != 0;
    t->error = error;
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

void trouble_look(struct trouble *t)
{
    if (t->contact->error)
        t->error = 0;
}

enum trouble_kind trouble_now(const struct trouble *t)
{
    enum trouble_kind kind = kind_of(t->contact->error ? t->contact->error : t->error);

    return kind == TROUBLE_NONE && t->read_refused ? TROUBLE_REFUSED : kind;
}

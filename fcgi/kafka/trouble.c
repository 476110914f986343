#include "kafka/trouble.h"

#include <stdio.h>

#include "base/log.h"

/* Errors that mean the same to the operator count as one. */
static rd_kafka_resp_err_t class_of(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__BAD_MSG: /* the connection broke under a question */
        return RD_KAFKA_RESP_ERR__TRANSPORT;
    default:
        return err;
    }
}

/* One question that failed is no trouble yet: a connection breaks now and then. */
void trouble_set(struct trouble *t, rd_kafka_resp_err_t err)
{
    rd_kafka_resp_err_t before = t->suspected;

    err = t->suspected = class_of(err);
    if (err == t->current || (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != before))
        return;
    t->current = err;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        log_info("kafka: connected, topic %s is there", t->topic);
    else if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        log_warn("kafka: topic %s does not exist, waiting for it", t->topic);
    else if (err == RD_KAFKA_RESP_ERR__TRANSPORT)
        log_warn("kafka: no broker answers, trying on%s%s", t->reason[0] ? ": " : "", t->reason);
    else
        log_warn("kafka: topic %s: %s, trying on", t->topic, rd_kafka_err2str(err));
}

void trouble_hear(struct trouble *t, rd_kafka_resp_err_t err, const char *reason)
{
    snprintf(t->reason, sizeof t->reason, "%s", reason);
    if (err == RD_KAFKA_RESP_ERR__BAD_MSG) /* "... increase receive.message.max.bytes" */
        snprintf(t->bad, sizeof t->bad, "%s", reason);
    if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR__SSL) {
        if (t->current != err)
            log_error("kafka: %s", reason);
        t->current = err;
    }
}

void trouble_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= 2)
        log_error("kafka: %s: %s", facility, text);
    else
        log_debug("kafka: %s: %s", facility, text);
}

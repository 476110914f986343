/* trouble - what keeps the consumer from its topic, told to the operator once per change. */
#ifndef SKF_KAFKA_TROUBLE_H
#define SKF_KAFKA_TROUBLE_H

#include <librdkafka/rdkafka.h>

struct trouble {
    const char *topic;             /* borrowed */
    rd_kafka_resp_err_t suspected; /* what the last survey said */
    rd_kafka_resp_err_t current;   /* 0: none; logged once per change */
    char reason[256];              /* librdkafka's last words about a broker */
    char bad[256];                 /* and about an answer that it could not take; empty: none */
};

/* What a survey of the topic ended with; 0: it was answered. */
void trouble_set(struct trouble *t, rd_kafka_resp_err_t err);
/* What librdkafka's error callback was told. */
void trouble_hear(struct trouble *t, rd_kafka_resp_err_t err, const char *reason);
/* A log callback for librdkafka. */
void trouble_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

#endif

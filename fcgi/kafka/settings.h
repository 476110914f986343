/* settings - the topic's settings, as the cluster tells them (DescribeConfigs). */
#ifndef SKF_KAFKA_SETTINGS_H
#define SKF_KAFKA_SETTINGS_H

#include <librdkafka/rdkafka.h>

#include "kafka/policy.h"

/* Asks that broker for them, or, if it is -1, one of librdkafka's choice; `answers` gets one event,
 * within five seconds. */
void settings_ask(rd_kafka_t *rk, const char *topic, int32_t broker, rd_kafka_queue_t *answers);

/* Reads such an event: 0, and what it says is in `out`; else why there is no answer, and `out` is
 * untouched. */
rd_kafka_resp_err_t settings_read(rd_kafka_event_t *answer, struct settings *out);

#endif

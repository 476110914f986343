/* topicid - the id of a topic: another one of the same name has another.  librdkafka tells it from
 * 2.3 on; before, none is known. */
#ifndef SKF_KAFKA_TOPICID_H
#define SKF_KAFKA_TOPICID_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct topic_id {
    int64_t high, low; /* both 0: not known */
};

static inline bool topicid_known(struct topic_id id)
{
    return id.high != 0 || id.low != 0;
}

static inline bool topicid_differ(struct topic_id a, struct topic_id b)
{
    return topicid_known(a) && topicid_known(b) && (a.high != b.high || a.low != b.low);
}

/* Asks that broker for the ids of n topics, without waiting.  NULL if it cannot be asked. */
rd_kafka_queue_t *topicid_ask(rd_kafka_t *rk, const char **topics, int32_t n, int32_t broker,
                              int timeout_ms);
/* Takes over `answer`, for which it waits so long at most, and fills in the ids of these topics. */
void topicid_take(rd_kafka_queue_t *answer, int timeout_ms, const char *const *topics, int32_t n,
                  struct topic_id *ids);

#endif

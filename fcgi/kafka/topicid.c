#include "kafka/topicid.h"

#if RD_KAFKA_VERSION >= 0x02030000

rd_kafka_queue_t *topicid_ask(rd_kafka_t *rk, const char *topic, int32_t broker, int timeout_ms)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    rd_kafka_queue_t *answer = rd_kafka_queue_new(rk);
    char error[128];

    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, error, sizeof error);
    rd_kafka_AdminOptions_set_broker(options, broker, error, sizeof error);
    rd_kafka_DescribeTopics(rk, topics, options, answer);
    rd_kafka_TopicCollection_destroy(topics);
    rd_kafka_AdminOptions_destroy(options);
    return answer;
}

static struct topic_id topicid_read(rd_kafka_event_t *event)
{
    const rd_kafka_DescribeTopics_result_t *result = rd_kafka_event_DescribeTopics_result(event);
    size_t n = 0;

    if (result == NULL)
        return (struct topic_id){0};
    const rd_kafka_TopicDescription_t **topics = rd_kafka_DescribeTopics_result_topics(result, &n);
    if (n != 1)
        return (struct topic_id){0};
    const rd_kafka_Uuid_t *id = rd_kafka_TopicDescription_topic_id(topics[0]);
    return (struct topic_id){
        .high = rd_kafka_Uuid_most_significant_bits(id),
        .low = rd_kafka_Uuid_least_significant_bits(id),
    };
}

struct topic_id topicid_take(rd_kafka_queue_t *answer, int timeout_ms)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(answer, timeout_ms);
    struct topic_id id = {0};

    if (event != NULL) {
        id = topicid_read(event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answer);
    return id;
}

#else

rd_kafka_queue_t *topicid_ask(rd_kafka_t *rk, const char *topic, int32_t broker, int timeout_ms)
{
    (void)rk;
    (void)topic;
    (void)broker;
    (void)timeout_ms;
    return NULL;
}

struct topic_id topicid_take(rd_kafka_queue_t *answer, int timeout_ms)
{
    (void)answer;
    (void)timeout_ms;
    return (struct topic_id){0};
}

#endif

#include "kafka/topicid.h"

#include <string.h>

#if RD_KAFKA_VERSION >= 0x02030000

rd_kafka_queue_t *topicid_ask(rd_kafka_t *rk, const char **topics, int32_t n, int32_t broker,
                              int timeout_ms)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    rd_kafka_TopicCollection_t *names = rd_kafka_TopicCollection_of_topic_names(topics, (size_t)n);
    rd_kafka_queue_t *answer = rd_kafka_queue_new(rk);
    char error[128];

    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, error, sizeof error);
    rd_kafka_AdminOptions_set_broker(options, broker, error, sizeof error);
    rd_kafka_DescribeTopics(rk, names, options, answer);
    rd_kafka_TopicCollection_destroy(names);
    rd_kafka_AdminOptions_destroy(options);
    return answer;
}

static struct topic_id id_of(const rd_kafka_TopicDescription_t *topic)
{
    const rd_kafka_Uuid_t *id = rd_kafka_TopicDescription_topic_id(topic);

    return (struct topic_id){
        .high = rd_kafka_Uuid_most_significant_bits(id),
        .low = rd_kafka_Uuid_least_significant_bits(id),
    };
}

static void topicid_read(rd_kafka_event_t *event, const char *const *topics, int32_t n,
                         struct topic_id *ids)
{
    const rd_kafka_DescribeTopics_result_t *result = rd_kafka_event_DescribeTopics_result(event);
    size_t described_n = 0;

    if (result == NULL)
        return;
    const rd_kafka_TopicDescription_t **described =
        rd_kafka_DescribeTopics_result_topics(result, &described_n);
    for (size_t i = 0; i < described_n; i++)
        for (int32_t k = 0; k < n; k++)
            if (strcmp(rd_kafka_TopicDescription_name(described[i]), topics[k]) == 0)
                ids[k] = id_of(described[i]);
}

void topicid_take(rd_kafka_queue_t *answer, int timeout_ms, const char *const *topics, int32_t n,
                  struct topic_id *ids)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(answer, timeout_ms);

    memset(ids, 0, (size_t)n * sizeof *ids);
    if (event != NULL) {
        topicid_read(event, topics, n, ids);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answer);
}

#else

rd_kafka_queue_t *topicid_ask(rd_kafka_t *rk, const char **topics, int32_t n, int32_t broker,
                              int timeout_ms)
{
    (void)rk;
    (void)topics;
    (void)n;
    (void)broker;
    (void)timeout_ms;
    return NULL;
}

void topicid_take(rd_kafka_queue_t *answer, int timeout_ms, const char *const *topics, int32_t n,
                  struct topic_id *ids)
{
    (void)answer;
    (void)timeout_ms;
    (void)topics;
    memset(ids, 0, (size_t)n * sizeof *ids);
}

#endif

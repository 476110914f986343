#include "kafka/settings.h"

#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 5000 };

void settings_ask(rd_kafka_t *rk, const char *topic, int32_t broker, rd_kafka_queue_t *answers)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    char error[128];

    rd_kafka_AdminOptions_set_request_timeout(options, TIMEOUT_MS, error, sizeof error);
    if (broker >= 0)
        rd_kafka_AdminOptions_set_broker(options, broker, error, sizeof error);
    rd_kafka_DescribeConfigs(rk, &resource, 1, options, answers);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(options);
}

static void settings_of(const rd_kafka_ConfigResource_t *topic, struct settings *out)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &n);

    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == NULL)
            continue;
        if (strcmp(name, "cleanup.policy") == 0)
            out->compacted = strstr(value, "compact") != NULL;
        else if (strcmp(name, "delete.retention.ms") == 0)
            out->delete_retention_ms = strtoll(value, NULL, 10);
    }
}

rd_kafka_resp_err_t settings_read(rd_kafka_event_t *answer, struct settings *out)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(answer);
    rd_kafka_resp_err_t err = rd_kafka_event_error(answer);
    size_t n = 0;

    if (err)
        return err;
    const rd_kafka_ConfigResource_t **topics =
        rd_kafka_DescribeConfigs_result_resources(result, &n);
    if (n != 1)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    err = rd_kafka_ConfigResource_error(topics[0]);
    if (!err)
        settings_of(topics[0], out);
    return err;
}

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/topicid.h"
#include "port_inside.h"
#include "threads.h"

enum {
    LEADER_MS = 1000, /* librdkafka looks for a leader that there is not */
    RETRY_MS = 200,   /* and tries to connect again */
};

/* Waits for the broker's answer, as long as the caller does; one that hangs may answer late. */
static rd_kafka_resp_err_t wait_for(const rd_kafka_t *rk, int broker, int timeout_ms)
{
    int64_t until = world_now_ms() + timeout_ms;

    while (world_now_ms() < until) {
        int64_t left = until - world_now_ms();
        bool answers = cluster_broker(broker)->state == BROKER_ANSWERS;
        int64_t takes = answers ? port_latency_ms(rk, broker) : RETRY_MS;
        thread_sleep(takes < left ? takes : left);
        if (answers && takes <= left && cluster_broker(broker)->state == BROKER_ANSWERS)
            return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return cluster_broker(broker)->state == BROKER_REFUSES ? RD_KAFKA_RESP_ERR__TRANSPORT
                                                           : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

/* Any one that answers; if none does, any. */
static int any_broker(const rd_kafka_t *rk)
{
    int first = (int)dice_below(world_dice(WHO_KAFKA + rk->responder), BROKERS);

    for (int i = 0; i < BROKERS; i++)
        if (cluster_broker((first + i) % BROKERS)->state == BROKER_ANSWERS)
            return (first + i) % BROKERS;
    return first;
}

/* -- metadata -- */

struct answer {
    struct rd_kafka_metadata m; /* first */
    struct rd_kafka_metadata_topic topic;
    struct rd_kafka_metadata_partition partitions[PARTITIONS_MAX];
    struct rd_kafka_metadata_broker brokers[BROKERS];
    char names[BROKERS][16];
};

static void fill_partitions(struct answer *a, const struct topic *t)
{
    a->topic.partition_cnt = t->n;
    a->topic.partitions = a->partitions;
    for (int32_t p = 0; p < t->n; p++) {
        int leader = t->partitions[p].leader;
        a->partitions[p] = (struct rd_kafka_metadata_partition){
            .id = p,
            .leader = leader,
            .err = leader < 0 ? RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE : RD_KAFKA_RESP_ERR_NO_ERROR,
        };
    }
}

/* Nobody can tell whether the answer to an older question is older, too, than that to a newer one,
 * which was faster: so it says nothing. */
static void note_layout(rd_kafka_t *rk, unsigned question, int32_t n)
{
    if (question < rk->layout_heard)
        return;
    rk->layout_heard = question;
    if (port_is_newest(rk))
        port_note_partitions(rk, n);
}

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *rk, int all_topics, rd_kafka_topic_t *only_rkt,
                                      const struct rd_kafka_metadata **metadata, int timeout_ms)
{
    unsigned question = ++rk->layouts_asked;
    rd_kafka_resp_err_t err = wait_for(rk, any_broker(rk), timeout_ms);

    (void)all_topics, (void)only_rkt;
    if (err)
        return err;
    struct answer *a = mem_zero(sizeof *a);
    a->m.broker_cnt = BROKERS;
    a->m.brokers = a->brokers;
    for (int i = 0; i < BROKERS; i++) {
        snprintf(a->names[i], sizeof a->names[i], "broker%d", i);
        a->brokers[i] = (struct rd_kafka_metadata_broker){i, a->names[i], 9092};
    }
    a->m.topic_cnt = 1;
    a->m.topics = &a->topic;
    a->topic.topic = mem_strdup("t");
    if (cluster_topic() != NULL)
        fill_partitions(a, cluster_topic());
    else
        a->topic.err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    note_layout(rk, question, a->topic.partition_cnt);
    *metadata = &a->m;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *metadata)
{
    free(metadata->topics[0].topic);
    free((void *)(uintptr_t)metadata);
}

/* -- offsets -- */

rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_new(int size)
{
    rd_kafka_topic_partition_list_t *list = mem_zero(sizeof *list);

    list->size = size;
    return list;
}

void rd_kafka_topic_partition_list_destroy(rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        free(list->elems[i].topic);
    free(list->elems);
    free(list);
}

rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_add(rd_kafka_topic_partition_list_t *list,
                                                              const char *topic, int32_t partition)
{
    list->elems = mem_resize_array(list->elems, (size_t)list->cnt + 1, sizeof *list->elems);
    rd_kafka_topic_partition_t *e = &list->elems[list->cnt++];
    *e = (rd_kafka_topic_partition_t){.topic = mem_strdup(topic), .partition = partition};
    return e;
}

static int leader_of(int32_t partition)
{
    const struct topic *t = cluster_topic();

    return t != NULL && partition < t->n ? t->partitions[partition].leader : -1;
}

/* The first and the last offset, which is what the program asks for. */
static rd_kafka_resp_err_t answer_offset(const rd_kafka_t *rk, rd_kafka_topic_partition_t *e)
{
    const struct topic *t = cluster_topic();

    if (t == NULL || e->partition >= t->n)
        return RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    const struct partition_log *log = &t->partitions[e->partition];
    if (log->leader < 0)
        return RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    bool first = e->offset == RD_KAFKA_OFFSET_BEGINNING;
    e->offset = first ? log->start : log->visible;
    if (!first)
        port_note_end(rk, e->partition);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* One question to each leader, all at once.  As in librdkafka 2.0.2, what one does not answer, or
 * refuses, fails the whole. */
rd_kafka_resp_err_t
rd_kafka_offsets_for_times(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    int64_t until = world_now_ms() + timeout_ms;
    int leaders[PARTITIONS_MAX];
    bool asked[BROKERS] = {false};

    for (int i = 0; i < list->cnt && !err; i++) {
        int leader = leaders[i] = leader_of(list->elems[i].partition);
        int left = until > world_now_ms() ? (int)(until - world_now_ms()) : 0;
        if (leader < 0)
            thread_sleep(left < LEADER_MS ? left : LEADER_MS);
        else if (!asked[leader])
            err = wait_for(rk, leader, left);
        if (leader >= 0)
            asked[leader] = true;
    }
    for (int i = 0; i < list->cnt && !err; i++)
        err = leader_of(list->elems[i].partition) == leaders[i]
                  ? answer_offset(rk, &list->elems[i])
                  : RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    return err;
}

/* -- settings -- */

struct rd_kafka_AdminOptions_s {
    int timeout_ms;
    int broker; /* -1: any */
};
struct rd_kafka_ConfigResource_s {
    int unused;
};
struct rd_kafka_ConfigEntry_s {
    const char *name, *value;
};

rd_kafka_AdminOptions_t *rd_kafka_AdminOptions_new(rd_kafka_t *rk, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = mem_zero(sizeof *options);

    (void)rk, (void)op;
    options->broker = -1;
    return options;
}

void rd_kafka_AdminOptions_destroy(rd_kafka_AdminOptions_t *options)
{
    free(options);
}

rd_kafka_resp_err_t rd_kafka_AdminOptions_set_request_timeout(rd_kafka_AdminOptions_t *options,
                                                              int timeout_ms, char *error,
                                                              size_t size)
{
    (void)error, (void)size;
    options->timeout_ms = timeout_ms;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_AdminOptions_set_broker(rd_kafka_AdminOptions_t *options,
                                                     int32_t broker_id, char *error, size_t size)
{
    (void)error, (void)size;
    options->broker = broker_id;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_ConfigResource_t *rd_kafka_ConfigResource_new(rd_kafka_ResourceType_t type,
                                                       const char *name)
{
    (void)type, (void)name;
    return mem_zero(sizeof(rd_kafka_ConfigResource_t));
}

void rd_kafka_ConfigResource_destroy(rd_kafka_ConfigResource_t *resource)
{
    free(resource);
}

static void set_entry(rd_kafka_event_t *event, int i, const char *name, const char *value)
{
    snprintf(event->values[i], sizeof event->values[i], "%s", value);
    *event->entries[i] = (struct rd_kafka_ConfigEntry_s){name, event->values[i]};
}

static void answer_settings(void *arg)
{
    rd_kafka_event_t *event = arg;
    const struct topic *t = cluster_topic();
    char retention[32];

    TAILQ_REMOVE(&event->queue->rk->asked, event, link);
    if (event->error)
        port_note_no_settings(event->queue->rk);
    if (t != NULL && !event->error) {
        snprintf(retention, sizeof retention, "%lld", (long long)t->delete_retention_ms);
        set_entry(event, 0, "cleanup.policy",
                  !t->compacted ? "delete"
                  : t->ages     ? "compact,delete"
                                : "compact");
        port_note_settings(event->queue->rk);
        set_entry(event, 1, "delete.retention.ms", retention);
    } else if (t == NULL) {
        event->topic_error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    port_put_event(event->queue, event);
}

void rd_kafka_DescribeConfigs(rd_kafka_t *rk, rd_kafka_ConfigResource_t **resources, size_t n,
                              const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = mem_zero(sizeof *event);
    int broker = options->broker >= 0 ? options->broker : any_broker(rk);
    int64_t takes = port_latency_ms(rk, broker);

    (void)resources, (void)n;
    event->queue = queue;
    for (int i = 0; i < 2; i++)
        event->entries[i] = mem_zero(sizeof *event->entries[i]);
    event->answer = (struct errand){.run = answer_settings, .arg = event, .amid = true};
    if (cluster_broker(broker)->state != BROKER_ANSWERS || takes > options->timeout_ms) {
        event->error = RD_KAFKA_RESP_ERR__TIMED_OUT;
        takes = options->timeout_ms;
    }
    TAILQ_INSERT_TAIL(&rk->asked, event, link);
    errand_start(&event->answer, takes);
}

void rd_kafka_event_destroy(rd_kafka_event_t *event)
{
    if (event == NULL)
        return;
    for (int i = 0; i < 2; i++)
        free(event->entries[i]);
    free(event);
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    return event->error;
}

/* Result and resource are the event itself under other names. */
const rd_kafka_DescribeConfigs_result_t *
rd_kafka_event_DescribeConfigs_result(rd_kafka_event_t *event)
{
    return (const void *)event;
}

const rd_kafka_ConfigResource_t **
rd_kafka_DescribeConfigs_result_resources(const rd_kafka_DescribeConfigs_result_t *result,
                                          size_t *n)
{
    static const rd_kafka_ConfigResource_t *resource;

    resource = (const void *)result;
    *n = 1;
    return &resource;
}

rd_kafka_resp_err_t rd_kafka_ConfigResource_error(const rd_kafka_ConfigResource_t *resource)
{
    return ((const rd_kafka_event_t *)(const void *)resource)->topic_error;
}

const rd_kafka_ConfigEntry_t **
rd_kafka_ConfigResource_configs(const rd_kafka_ConfigResource_t *resource, size_t *n)
{
    rd_kafka_event_t *event = (void *)(uintptr_t)resource;

    *n = 2;
    return (const rd_kafka_ConfigEntry_t **)event->entries;
}

const char *rd_kafka_ConfigEntry_name(const rd_kafka_ConfigEntry_t *entry)
{
    return entry->name ? entry->name : "";
}

const char *rd_kafka_ConfigEntry_value(const rd_kafka_ConfigEntry_t *entry)
{
    return entry->value;
}

/* -- ids of topics -- */

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

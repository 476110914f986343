#include "kafka/question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void layout_fini(struct layout *layout)
{
    for (int32_t i = 0; i < layout->topics_n; i++)
        free(layout->topics[i].partitions);
    free(layout->topics);
    free(layout->brokers);
    *layout = (struct layout){0};
}

static void add_partitions(struct layout_topic *out, const rd_kafka_metadata_topic_t *topic)
{
    out->n = topic->partition_cnt;
    out->partitions = mem_resize_array(NULL, (size_t)out->n, sizeof *out->partitions);
    for (int32_t i = 0; i < out->n; i++)
        out->partitions[i] = (struct layout_partition){-1, -1};
    for (int i = 0; i < topic->partition_cnt; i++) {
        const rd_kafka_metadata_partition_t *p = &topic->partitions[i];
        if (p->id < 0 || p->id >= out->n)
            continue;
        /* Whatever p->err says of its replicas, a leader is one. */
        out->partitions[p->id].leader = p->leader >= 0 ? p->leader : -1;
        out->partitions[p->id].home = p->replica_cnt > 0 ? p->replicas[0] : -1;
    }
}

/* The answer may have other topics, too: those that librdkafka has heard of. */
static const rd_kafka_metadata_topic_t *find_topic(const rd_kafka_metadata_t *md, const char *name)
{
    for (int i = 0; i < md->topic_cnt; i++)
        if (strcmp(md->topics[i].topic, name) == 0)
            return &md->topics[i];
    return NULL;
}

static void add_topic(struct layout_topic *out, const rd_kafka_metadata_topic_t *topic)
{
    *out = (struct layout_topic){.error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART};
    if (topic != NULL && (topic->err || topic->partition_cnt > 0))
        out->error = topic->err;
    if (!out->error)
        add_partitions(out, topic);
}

static void add_topics(struct layout *out, const rd_kafka_metadata_t *md, const char *const *topics,
                       int32_t n)
{
    out->topics = mem_resize_array(NULL, (size_t)n, sizeof *out->topics);
    out->topics_n = n;
    for (int32_t i = 0; i < n; i++)
        add_topic(&out->topics[i], find_topic(md, topics[i]));
}

static void add_brokers(struct layout *out, const rd_kafka_metadata_t *md)
{
    out->brokers = mem_resize_array(NULL, (size_t)md->broker_cnt, sizeof *out->brokers);
    out->brokers_n = md->broker_cnt;
    for (int i = 0; i < md->broker_cnt; i++) {
        struct broker *b = &out->brokers[i];
        b->id = md->brokers[i].id;
        snprintf(b->address, sizeof b->address, "%s:%d", md->brokers[i].host, md->brokers[i].port);
    }
}

/* It came with the answer. */
static void add_cluster(struct layout *out, rd_kafka_t *rk)
{
    char *id = rd_kafka_clusterid(rk, 0);

    if (id == NULL)
        return;
    snprintf(out->cluster, sizeof out->cluster, "%s", id);
    rd_kafka_mem_free(rk, id);
}

/* Without a name librdkafka asks for all topics of which it has a handle.  Only if it had none it
 * would let brokers create those that are missing. */
rd_kafka_resp_err_t question_layout(rd_kafka_t *rk, const char *const *topics, int32_t n,
                                    int timeout_ms, struct layout *out)
{
    const rd_kafka_metadata_t *md = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, NULL, &md, timeout_ms);

    if (err)
        return err;
    *out = (struct layout){0};
    add_topics(out, md, topics, n);
    add_brokers(out, md);
    add_cluster(out, rk);
    rd_kafka_metadata_destroy(md);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* rd_kafka_offsets_for_times() passes the timestamps on as they are, and -2 and -1 stand for the
 * first and the last offset in the protocol; asking partition by partition
 * (rd_kafka_query_watermark_offsets) would take a round trip each.  The caller destroys the list.
 */
static rd_kafka_resp_err_t ask(rd_kafka_t *rk, int timeout_ms, const struct extent *extents,
                               int32_t n, int64_t which, rd_kafka_topic_partition_list_t **answer)
{
    *answer = rd_kafka_topic_partition_list_new(n);
    for (int32_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(*answer, extents[i].topic, extents[i].partition)->offset =
            which;
    return rd_kafka_offsets_for_times(rk, *answer, timeout_ms);
}

static void take(struct extent *e, const rd_kafka_topic_partition_t *first,
                 const rd_kafka_topic_partition_t *end)
{
    e->error = first->err ? first->err : end->err;
    /* What was not answered still has the number that was asked with. */
    if (e->error || first->offset < 0 || end->offset < 0)
        return;
    e->answered = true;
    e->first = first->offset;
    e->end = end->offset;
}

/* It is an answer, though not a good one: librdkafka's own errors mean that there was none. */
static bool is_refusal(rd_kafka_resp_err_t err)
{
    return err > RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* False if librdkafka has dropped all answers because one of them is an error. */
static bool ask_extents(rd_kafka_t *rk, int timeout_ms, struct extent *extents, int32_t n)
{
    rd_kafka_topic_partition_list_t *first = NULL, *end = NULL;

    rd_kafka_resp_err_t err = ask(rk, timeout_ms, extents, n, RD_KAFKA_OFFSET_BEGINNING, &first);
    if (!err)
        err = ask(rk, timeout_ms, extents, n, RD_KAFKA_OFFSET_END, &end);
    for (int32_t i = 0; i < n; i++) {
        extents[i].error = err;
        if (!err)
            take(&extents[i], &first->elems[i], &end->elems[i]);
    }
    rd_kafka_topic_partition_list_destroy(first);
    if (end != NULL)
        rd_kafka_topic_partition_list_destroy(end);
    return !is_refusal(err);
}

void question_extents(rd_kafka_t *rk, int timeout_ms, struct extent *extents, int32_t n)
{
    /* Half as many while one is refused, twice as many when none is. */
    for (int32_t at = 0, some = n; at < n;) {
        some = some < n - at ? some : n - at;
        if (!ask_extents(rk, timeout_ms, extents + at, some) && some > 1) {
            some /= 2;
            continue;
        }
        at += some;
        some *= 2;
    }
}

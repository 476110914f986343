#include "kafka/survey.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { PERIOD_MS = 1000, TIMEOUT_MS = 1000 };

struct survey {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    const char *topic;
    int wake_fd;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    uint64_t asked;
    bool has_result;
    struct survey_result result;
};

void survey_result_fini(struct survey_result *result)
{
    free(result->partitions);
    *result = (struct survey_result){0};
}

static void ask_partitions(struct survey *s, struct survey_result *out)
{
    const struct rd_kafka_metadata *md = NULL;

    out->error = rd_kafka_metadata(s->rk, 0, s->rkt, &md, TIMEOUT_MS);
    if (out->error)
        return;
    if (md->topic_cnt != 1)
        out->error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    else
        out->error = md->topics[0].err;
    if (!out->error) {
        const rd_kafka_metadata_topic_t *t = &md->topics[0];
        out->n = t->partition_cnt;
        out->partitions = mem_zero((size_t)out->n * sizeof *out->partitions);
        for (int i = 0; i < t->partition_cnt; i++) {
            const rd_kafka_metadata_partition_t *p = &t->partitions[i];
            if (p->id >= 0 && p->id < out->n)
                out->partitions[p->id].has_leader = p->leader >= 0 && !p->err;
        }
        if (out->n == 0)
            out->error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    rd_kafka_metadata_destroy(md);
}

/* One ListOffsets to each leader.  rd_kafka_offsets_for_times() passes the timestamps on as they
 * are, and -2 and -1 stand for the first and the last offset in the protocol; asking partition by
 * partition (rd_kafka_query_watermark_offsets) would take a round trip each. */
static bool ask_offsets(struct survey *s, const struct survey_result *of,
                        rd_kafka_topic_partition_list_t *list, int64_t which)
{
    list->cnt = 0;
    for (int32_t i = 0; i < of->n; i++)
        if (of->partitions[i].has_leader)
            rd_kafka_topic_partition_list_add(list, s->topic, i)->offset = which;
    return list->cnt > 0 && !rd_kafka_offsets_for_times(s->rk, list, TIMEOUT_MS);
}

static void ask_all_offsets(struct survey *s, struct survey_result *out)
{
    rd_kafka_topic_partition_list_t *first = rd_kafka_topic_partition_list_new(out->n);
    rd_kafka_topic_partition_list_t *end = rd_kafka_topic_partition_list_new(out->n);

    if (ask_offsets(s, out, first, RD_KAFKA_OFFSET_BEGINNING) &&
        ask_offsets(s, out, end, RD_KAFKA_OFFSET_END)) {
        for (int i = 0; i < first->cnt && i < end->cnt; i++) {
            struct survey_partition *p = &out->partitions[first->elems[i].partition];
            if (first->elems[i].err || end->elems[i].err || first->elems[i].offset < 0 ||
                first->elems[i].partition != end->elems[i].partition)
                continue;
            p->has_offsets = true;
            p->first = first->elems[i].offset;
            p->end = end->elems[i].offset;
        }
    }
    rd_kafka_topic_partition_list_destroy(first);
    rd_kafka_topic_partition_list_destroy(end);
}

static void wait_for_question(struct survey *s, uint64_t done)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PERIOD_MS / 1000;
    while (!s->stopping && s->asked == done)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) != 0)
            return;
}

static void *run(void *arg)
{
    struct survey *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct survey_result r = {.ticket = s->asked};
        pthread_mutex_unlock(&s->lock);
        ask_partitions(s, &r);
        if (!r.error)
            ask_all_offsets(s, &r);
        pthread_mutex_lock(&s->lock);
        survey_result_fini(&s->result);
        s->result = r;
        s->has_result = true;
        uint64_t one = 1;
        ssize_t ignored = write(s->wake_fd, &one, sizeof one); /* full: it wakes all the same */
        (void)ignored;
        wait_for_question(s, r.ticket);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct survey *survey_start(rd_kafka_t *rk, const char *topic, int wake_fd)
{
    struct survey *s = mem_zero(sizeof *s);

    s->rk = rk;
    s->rkt = rd_kafka_topic_new(rk, topic, NULL);
    s->topic = topic;
    s->wake_fd = wake_fd;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (s->rkt == NULL || pthread_create(&s->thread, NULL, run, s) != 0)
        abort(); /* out of memory or threads at the very start */
    return s;
}

void survey_stop(struct survey *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    rd_kafka_topic_destroy(s->rkt);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    survey_result_fini(&s->result);
    free(s);
}

uint64_t survey_ask(struct survey *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t ticket = ++s->asked;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return ticket;
}

bool survey_take(struct survey *s, struct survey_result *out)
{
    pthread_mutex_lock(&s->lock);
    bool has = s->has_result;
    if (has) {
        *out = s->result;
        s->result = (struct survey_result){0};
        s->has_result = false;
    }
    pthread_mutex_unlock(&s->lock);
    return has;
}

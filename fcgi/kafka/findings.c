#include "kafka/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void survey_result_fini(struct survey_result *result)
{
    free(result->partitions);
    free(result->brokers);
    *result = (struct survey_result){0};
}

bool survey_partition_settled(const struct survey_partition *p)
{
    return p->answered_by == p->leader;
}

bool survey_partition_is_asked(const struct survey_partition *p, int32_t leader, bool settled)
{
    return p->leader == leader && survey_partition_settled(p) == settled;
}

static void *copied(const void *array, int32_t n, size_t size)
{
    void *copy = mem_resize_array(NULL, (size_t)n, size);

    return n > 0 ? memcpy(copy, array, (size_t)n * size) : copy;
}

static void add_partitions(struct findings *f, const struct layout_topic *topic)
{
    struct survey_result *r = &f->result;

    r->anew = r->anew || topic->error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
              (!topic->error && topic->n < r->n);
    if (topic->error || topic->n < r->n) { /* none, or another one */
        f->generation++;
        r->n = 0;
    }
    r->partitions = mem_resize_array(r->partitions, (size_t)topic->n, sizeof *r->partitions);
    for (int32_t i = r->n; i < topic->n; i++)
        r->partitions[i] = (struct survey_partition){.answered_by = -1, .first = -1, .end = -1};
    r->n = topic->n;
    for (int32_t i = 0; i < r->n; i++) {
        r->partitions[i].leader = topic->partitions[i].leader;
        r->partitions[i].home = topic->partitions[i].home;
    }
}

void findings_add_layout(struct findings *f, const struct layout *layout, int32_t topic,
                         uint64_t ticket)
{
    struct survey_result *r = &f->result;

    r->ticket = ticket;
    r->told = f->has_result = true;
    r->error = layout->topics[topic].error;
    add_partitions(f, &layout->topics[topic]);
    free(r->brokers);
    r->brokers = copied(layout->brokers, layout->brokers_n, sizeof *r->brokers);
    r->brokers_n = layout->brokers_n;
    memcpy(r->cluster, layout->cluster, sizeof r->cluster);
}

bool findings_add_extent(struct findings *f, int32_t leader, const struct extent *extent,
                         uint64_t ticket, int64_t asked_ms)
{
    struct survey_partition *p = &f->result.partitions[extent->partition];

    if (ticket < p->ticket || asked_ms < p->asked_ms) /* older than what is known */
        return false;
    f->has_result = true;
    if (p->leader == leader)
        p->error = extent->error;
    if (!extent->answered)
        return false;
    p->fresh = true;
    p->answered_by = leader;
    p->ticket = ticket;
    p->asked_ms = asked_ms;
    p->first = extent->first;
    p->end = extent->end;
    return true;
}

bool findings_take(struct findings *f, struct survey_result *out)
{
    struct survey_result *r = &f->result;

    if (!f->has_result)
        return false;
    *out = *r;
    out->partitions = copied(r->partitions, r->n, sizeof *r->partitions);
    out->brokers = copied(r->brokers, r->brokers_n, sizeof *r->brokers);
    for (int32_t i = 0; i < r->n; i++)
        r->partitions[i].fresh = false;
    r->told = r->anew = f->has_result = false;
    return true;
}

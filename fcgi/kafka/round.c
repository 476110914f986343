#include "kafka/round.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
    ANSWER_MS = 30000,
    ID_MS = 1000, /* it was asked for before the offsets, which are there */
};

void round_add(struct round *r, const char *name, struct findings *findings)
{
    const struct survey_result *known = &findings->result;
    size_t topics_n = (size_t)r->topics_n + 1;
    int32_t before = r->n;

    for (int32_t i = 0; i < known->n; i++) {
        if (!survey_partition_is_asked(&known->partitions[i], r->leader, r->settled))
            continue;
        r->extents = mem_resize_array(r->extents, (size_t)r->n + 1, sizeof *r->extents);
        r->extents[r->n++] = (struct extent){.topic = name, .partition = i};
    }
    if (r->n == before)
        return;
    r->topics = mem_resize_array(r->topics, topics_n, sizeof *r->topics);
    r->names = mem_resize_array(r->names, topics_n, sizeof *r->names);
    r->topics[r->topics_n] = (struct round_topic){findings, findings->generation, r->n};
    r->names[r->topics_n++] = name;
}

void round_ask(struct round *r, rd_kafka_t *rk)
{
    rd_kafka_queue_t *ids = topicid_ask(rk, r->names, r->topics_n, r->leader, ANSWER_MS);

    question_extents(rk, ANSWER_MS, r->extents, r->n);
    r->ids = mem_resize_array(NULL, (size_t)r->topics_n, sizeof *r->ids);
    topicid_take(ids, ID_MS, r->names, r->topics_n, r->ids);
}

bool round_merge(const struct round *r, bool *answered)
{
    bool any = false;

    *answered = false;
    for (int32_t i = 0, k = 0; i < r->topics_n; k = r->topics[i++].end) {
        struct findings *f = r->topics[i].findings;
        if (f->generation != r->topics[i].generation)
            continue;
        bool told = false;
        for (any = true; k < r->topics[i].end; k++)
            told |= findings_add_extent(f, r->leader, &r->extents[k], r->ticket, r->asked_ms);
        if (told && topicid_known(r->ids[i]))
            f->result.id = r->ids[i];
        *answered |= told;
    }
    return any;
}

void round_fini(struct round *r)
{
    free(r->extents);
    free(r->topics);
    free(r->names);
    free(r->ids);
}

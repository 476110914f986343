/* findings - what a survey has found out about one topic so far: the answers put together.  No
 * thread, no lock: those are the survey's. */
#ifndef SKF_KAFKA_FINDINGS_H
#define SKF_KAFKA_FINDINGS_H

#include "kafka/question.h"
#include "kafka/topicid.h"

struct survey_partition {
    int32_t leader, home;      /* brokers' ids; -1: none.  See struct layout_partition */
    int32_t answered_by;       /* the leader that has answered last; -1: none has */
    bool fresh;                /* its leader has answered since the last survey_take() */
    uint64_t ticket;           /* the question that it has answered */
    int64_t asked_ms;          /* when that was asked, by CLOCK_BOOTTIME */
    int64_t first, end;        /* its extent by that answer; both -1: there was none yet */
    rd_kafka_resp_err_t error; /* of the last question; 0: it was answered */
};

struct survey_result {
    uint64_t answers;          /* all those so far, of all brokers and about all topics */
    bool told;                 /* what follows is new since the last survey_take() */
    bool anew;                 /* since then the topic was missing, or had fewer partitions than it
                                  had had: what there is now is another one */
    uint64_t ticket;           /* the question about the topic that was answered */
    rd_kafka_resp_err_t error; /* what the cluster has against the topic; 0: nothing */
    int32_t n;                 /* 0 if there is an error, or nothing was told yet */
    struct survey_partition *partitions;
    int32_t brokers_n;
    struct broker *brokers;
    char cluster[CLUSTER_ID]; /* by the last answer about the topic */
    struct topic_id id;       /* by a leader's last answer, from before its offsets */
};
void survey_result_fini(struct survey_result *result);
/* Its leader has answered since it leads it, so librdkafka takes it for its leader, too. */
bool survey_partition_settled(const struct survey_partition *p);
/* It is asked of that leader, in the question about those that are settled or in the other one. */
bool survey_partition_is_asked(const struct survey_partition *p, int32_t leader, bool settled);

/* `{0}` is nothing. */
struct findings {
    uint64_t generation; /* of the topic, as far as answers can tell */
    bool has_result;     /* something has come since the last findings_take() */
    struct survey_result result;
};

/* An answer about all topics, of which the topic-th is this one. */
void findings_add_layout(struct findings *f, const struct layout *layout, int32_t topic,
                         uint64_t ticket);
/* What came of a question to a leader, asked at that time; true if it was answered, and not before
 * a newer one. */
bool findings_add_extent(struct findings *f, int32_t leader, const struct extent *extent,
                         uint64_t ticket, int64_t asked_ms);
/* A copy of what is known; false if nothing has come since the last time. */
bool findings_take(struct findings *f, struct survey_result *out);

#endif

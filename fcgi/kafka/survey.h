/* survey - asks the cluster, in threads of its own, for the topic's partitions and their leaders,
 * and each leader for the first and last offsets of its partitions.
 *
 * Each leader has a thread, so one that does not answer silences nobody but itself, and may take
 * its time: an answer is waited for much longer than questions are apart.  Every question is asked
 * once a second, and at once when survey_ask() says so.  The loop never waits for one. */
#ifndef SKF_KAFKA_SURVEY_H
#define SKF_KAFKA_SURVEY_H

#include "kafka/question.h"
#include "kafka/topicid.h"

struct survey;

struct survey_partition {
    int32_t leader, home;      /* brokers' ids; -1: none.  See struct layout_partition */
    bool fresh;                /* its leader has answered since the last survey_take() */
    uint64_t ticket;           /* the question that it has answered */
    int64_t asked_ms;          /* when that was asked, by CLOCK_MONOTONIC */
    int64_t first, end;        /* its extent by that answer; both -1: there was none yet */
    rd_kafka_resp_err_t error; /* of the last question; 0: it was answered */
};

struct survey_result {
    uint64_t answers;          /* all those so far, of all brokers */
    bool told;                 /* what follows is new since the last survey_take() */
    uint64_t ticket;           /* the question about the topic that was answered */
    rd_kafka_resp_err_t error; /* what the cluster has against the topic; 0: nothing */
    int32_t n;                 /* 0 if there is an error, or nothing was told yet */
    struct survey_partition *partitions;
    int32_t brokers_n;
    struct broker *brokers;
    char cluster[CLUSTER_ID]; /* by the last answer about the topic */
    struct topic_id id;       /* by a leader's last answer, from before its offsets */
};

/* Starts asking: the reader, whose handle `topic` is of, about the topic, the asker about offsets.
 * All three are borrowed.  Its first questions are of that ticket.  wake_fd is an eventfd to write
 * to when there is a result. */
struct survey *survey_start(rd_kafka_topic_t *topic, rd_kafka_t *reader, rd_kafka_t *asker,
                            int wake_fd, uint64_t ticket);
/* Nothing is asked any more and wake_fd is left alone.  When the last question under way has ended,
 * a thread of the survey's calls gone(arg), which may give back what was borrowed; the survey is no
 * more by then. */
void survey_stop(struct survey *survey, void (*gone)(void *arg), void *arg);

/* When to ask again after an answer: a link that is slow is not asked all the time.  But what took
 * minutes may have been us: a process that is stopped finds its clock far ahead. */
int64_t survey_due_ms(int64_t began_ms, int64_t now_ms);

/* Asks for answers to questions that begin after this call; returns their ticket. */
uint64_t survey_ask(struct survey *survey);

/* Takes what is known now; false if nothing has come since the last time.  survey_result_fini() it.
 */
bool survey_take(struct survey *survey, struct survey_result *out);
void survey_result_fini(struct survey_result *result);

#endif

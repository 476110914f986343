/* survey - asks the cluster, in a thread of its own, what librdkafka 2.0.2 answers only to a caller
 * who waits: the topic's partitions and their leaders, first and last offsets.
 *
 * A survey is made once a second, and at once when asked for; the loop never waits for one. */
#ifndef SKF_KAFKA_SURVEY_H
#define SKF_KAFKA_SURVEY_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct survey;

struct survey_result {
    uint64_t ticket; /* answers all who asked up to this one */
    /* 0; or why there are no partitions: UNKNOWN_TOPIC_OR_PART, _TRANSPORT, ... */
    rd_kafka_resp_err_t error;
    int32_t n;
    struct survey_partition {
        bool has_leader;
        bool has_offsets;
        int64_t first; /* the lowest offset that the broker holds */
        int64_t end;   /* behind the last committed record */
    } * partitions;
};

/* Starts the thread; `rk` and `topic` stay the caller's and must outlive it.  wake_fd is an eventfd
 * to write to when there is a result. */
struct survey *survey_start(rd_kafka_t *rk, const char *topic, int wake_fd);
/* Ends the thread; waits for the question under way, a second at most. */
void survey_stop(struct survey *survey);

/* Asks for a survey that begins after this call; returns its ticket. */
uint64_t survey_ask(struct survey *survey);

/* Takes the newest result that was not taken yet; false if there is none.  survey_result_fini() it.
 */
bool survey_take(struct survey *survey, struct survey_result *out);
void survey_result_fini(struct survey_result *result);

#endif

/* client - librdkafka's handles, and the survey, for one life of the topic.
 *
 * A topic that was made again gets new ones.  What librdkafka remembers of the old topic misleads
 * it about the new one: 2.1 and later never fetch from a leader whose epoch is lower than the one
 * that they know, and 2.4 to 2.9 corrupt their memory when a topic's id changes in their metadata
 * cache (confluentinc/librdkafka#4778, #4964).  See client.c for how the latter is avoided. */
#ifndef SKF_KAFKA_CLIENT_H
#define SKF_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "kafka/survey.h"

/* What all of them have in common, and how many are still being given back. */
struct clients;

/* Takes over conf; topic is borrowed.  wake_fd is an eventfd to write to when there is something to
 * take. */
struct clients *clients_new(rd_kafka_conf_t *conf, const char *topic, int wake_fd);
/* Waits for those that were retired, half a second at most; what is not done by then is left to its
 * threads. */
void clients_free(struct clients *all);

struct client {
    rd_kafka_t *reader; /* fetches records, and is asked about the topic */
    /* Is asked about offsets and settings, over connections of its own: on the reader's an answer
     * waits behind Fetches, and is lost with each one that is larger than may be. */
    rd_kafka_t *asker;
    rd_kafka_queue_t *records, *answers;
    struct survey *survey;
    struct survey_topic *surveyed;
    /* Its own. */
    struct clients *clients;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *main[2];
    bool *fetched; /* by partition */
    int32_t fetched_n;
};

/* The first questions of its survey are of that ticket.  NULL, and `error` filled in, if librdkafka
 * refuses the configuration as a whole, or too many are still being given back. */
struct client *client_start(struct clients *all, uint64_t ticket, char *error, size_t size);
/* Gives it back, in a thread of its own, for that may take as long as a broker's answer; wake_fd is
 * left alone from now on. */
void client_retire(struct client *c);

/* Calls the callbacks of the configuration. */
void client_poll(struct client *c);

/* Begins, or goes on, to put a partition's records into `records`. */
rd_kafka_resp_err_t client_fetch(struct client *c, int32_t partition, int64_t offset);
void client_fetch_stop(struct client *c, int32_t partition);

#endif

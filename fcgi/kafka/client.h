/* client - librdkafka's handles, with a survey, and the topics that are read through them.
 *
 * All topics share one client until one of them is made again: that one goes on with a client that
 * has never known it, and so do all that are made again together.
 * What librdkafka remembers of the old topic misleads it about the new one: 2.1 and later never
 * fetch from a leader whose epoch is lower than the one that they know, and 2.4 to 2.9 corrupt
 * their memory when a topic's id changes in their metadata cache (confluentinc/librdkafka#4778,
 * #4964). See client.c for how the latter is avoided. */
#ifndef SKF_KAFKA_CLIENT_H
#define SKF_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "kafka/survey.h"

/* What all of them have in common, and how many are still being given back. */
struct clients;

/* Takes over conf.  wake_fd is an eventfd to write to when there is something to take. */
struct clients *clients_new(rd_kafka_conf_t *conf, int wake_fd);
/* Waits for those that were retired, half a second at most; what is not done by then is left to its
 * threads. */
void clients_free(struct clients *all);

struct feed;

struct client {
    rd_kafka_t *reader; /* fetches records, and is asked about topics */
    /* Is asked about offsets and settings, over connections of its own: on the reader's an answer
     * waits behind Fetches, and is lost with each one that is larger than may be. */
    rd_kafka_t *asker;
    struct survey *survey;
    int users; /* feeds that were not given up */
    /* Its own. */
    struct clients *clients;
    rd_kafka_queue_t *main[2];
    struct feed *feeds; /* a list of all there ever were */
};

/* The first questions of its survey are of that ticket.  NULL, and `error` filled in, if librdkafka
 * refuses the configuration as a whole, or too many are still being given back. */
struct client *client_start(struct clients *all, uint64_t ticket, char *error, size_t size);
/* Gives it back, in a thread of its own, for that may take as long as a broker's answer; wake_fd is
 * left alone from now on.  The feeds go with it. */
void client_retire(struct client *c);
/* It has, or had, a feed of that topic. */
bool client_knows(const struct client *c, const char *topic);
/* Calls the callbacks of the configuration. */
void client_poll(struct client *c);

/* One topic in a client. */
struct feed {
    struct client *client;
    rd_kafka_queue_t *records, *answers;
    struct survey_topic *surveyed;
    /* Its own. */
    rd_kafka_topic_t *topic;
    bool *fetched; /* by partition */
    int32_t fetched_n;
    struct feed *next;
};

/* A feed lives as long as its client. */
struct feed *feed_start(struct client *c, const char *topic);
/* Nothing comes of it any more.  A client that other topics use keeps what is left of it. */
void feed_stop(struct feed *f);

/* Begins, or goes on, to put a partition's records into `records`. */
rd_kafka_resp_err_t feed_fetch(struct feed *f, int32_t partition, int64_t offset);
void feed_fetch_stop(struct feed *f, int32_t partition);

#endif

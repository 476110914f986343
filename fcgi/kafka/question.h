/* question - what librdkafka 2.0.2 answers only to a caller who waits: the work of a survey's
 * threads. */
#ifndef SKF_KAFKA_QUESTION_H
#define SKF_KAFKA_QUESTION_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

enum { BROKER_ADDRESS = 128, CLUSTER_ID = 64 };

struct broker {
    int32_t id;
    char address[BROKER_ADDRESS]; /* "host:port", cut if it is too long */
};

struct layout_partition {
    int32_t leader; /* the broker's id; -1: none */
    int32_t home;   /* the broker that leads it if it can; -1: not known */
};

/* What the cluster says about itself, and about topics. */
struct layout_topic {
    rd_kafka_resp_err_t error; /* what it has against the topic; 0: nothing */
    int32_t n;
    struct layout_partition *partitions;
};
struct layout {
    int32_t brokers_n;
    struct broker *brokers;
    char cluster[CLUSTER_ID]; /* the cluster's id, cut if it is too long; empty: not known */
    int32_t topics_n;
    struct layout_topic *topics; /* in the order in which they were asked for */
};

/* Asks for n topics (one at least) in one question; rk must have a handle of each of them.  Fills
 * `out`: 0, and layout_fini() it; else why nobody has answered, and it is untouched. */
rd_kafka_resp_err_t question_layout(rd_kafka_t *rk, const char *const *topics, int32_t n,
                                    int timeout_ms, struct layout *out);
void layout_fini(struct layout *layout);

struct extent {
    const char *topic; /* borrowed */
    int32_t partition;
    bool answered;
    rd_kafka_resp_err_t error; /* why it was not */
    int64_t first;             /* the lowest offset that the broker holds */
    int64_t end;               /* behind the last committed record */
};

/* Asks one leader for the extents of its partitions, each of which names itself.  A partition that
 * it refuses costs itself alone.  Each of the two or more requests may take timeout_ms. */
void question_extents(rd_kafka_t *rk, int timeout_ms, struct extent *extents, int32_t n);

#endif

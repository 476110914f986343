/* The structs behind kafka/cluster.h and kafka/consumer.h, shared by cluster.c (what the consumers
 * have in common), consumer.c (a consumer's life, and how all fares), consumer_topic.c (what the
 * cluster says about the topic) and consumer_records.c (what is read of it). */
#ifndef SKF_KAFKA_CONSUMER_INSIDE_H
#define SKF_KAFKA_CONSUMER_INSIDE_H

#include <sys/queue.h>

#include "base/buf.h"
#include "base/loop.h"
#include "kafka/client.h"
#include "kafka/cluster.h"
#include "kafka/consumer.h"
#include "kafka/partition.h"
#include "kafka/tick.h"

enum { CONSUMER_BATCH = 1000 };

struct cluster {
    struct loop *loop;
    int wake_fd;
    struct watch *watch;
    struct task again;
    struct timer *look;
    struct tick tick;
    struct contact contact;
    struct clients *clients;
    struct client *client; /* where all began; NULL: nobody is left there */
    TAILQ_HEAD(, consumer) consumers;
};

struct consumer {
    struct cluster *cluster;
    TAILQ_ENTRY(consumer) link;
    struct consumer_handler handler;
    char *topic;
    struct feed *feed; /* of the topic as it is now */
    bool held;

    bool running; /* the topic is there, and what it is is decided */
    struct policy policy;
    struct partition *partitions;
    int32_t n;
    int32_t refused; /* partitions of a topic that has more than may be; 0: it has not */
    uint64_t valid;  /* answers to earlier questions are about another topic of that name */
    int start_error; /* the last one of partition_start() that was logged */
    char cluster_id[CLUSTER_ID]; /* whose topic it is; empty: not known */
    struct topic_id id;

    uint64_t went_on;    /* answers to earlier questions are of before we were stopped */
    int64_t troubled_ms; /* when all partitions had a trouble last */
    uint64_t answers;    /* of the survey, so far */
    uint64_t stuck_ever;
    struct trouble trouble;
    struct broker *brokers;
    int32_t brokers_n;

    rd_kafka_message_t
        *batch[CONSUMER_BATCH]; /* from batch_at to batch_n they are to be handed on */
    ssize_t batch_at, batch_n;
    struct buf packed; /* the headers of the record that is handed on */
};

/* -- cluster.c -- */

/* A client that other topics use and that has never known this one; NULL: there is none. */
struct client *cluster_other_client(const struct cluster *cluster, const char *topic);
/* Nothing more is read through the feed; its client goes with the last one. */
void cluster_leave(struct cluster *cluster, struct feed *feed);

/* -- consumer.c -- */

/* The process was stopped: what was answered before is old. */
void consumer_goes_on(struct consumer *c);
/* Once a second. */
void consumer_look(struct consumer *c);

/* -- consumer_topic.c -- */

/* What was read is void, and so is what is still to come of it. */
void consumer_void(struct consumer *c);
/* The same topic is read anew. */
void consumer_stop_topic(struct consumer *c);
/* Librdkafka reads that partition no longer. */
void consumer_stop_partition(struct consumer *c, int32_t partition);
/* Takes what the cluster has answered. */
void consumer_take_settings(struct consumer *c);
void consumer_take_survey(struct consumer *c);

/* -- consumer_records.c -- */

/* Takes records and hands them on until that time; true if there may be more by then. */
bool consumer_take_records(struct consumer *c, int64_t until_ms);
/* Those that were taken and not handed on are void. */
void consumer_drop_records(struct consumer *c);
/* What the last Fetch has got, no question asked: -1 if its answer was an error, -1001 if there
 * was none. */
int64_t consumer_fetched_end(const struct consumer *c, int32_t partition);
/* May all of its partitions be read? */
void consumer_look_if_refused(struct consumer *c);

#endif

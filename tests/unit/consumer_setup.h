/* consumer_setup - what the tests of the consumer share: one over a mock cluster, in a loop whose
 * clock the test sets, and what its handler was told. */
#ifndef SKF_UNIT_CONSUMER_SETUP_H
#define SKF_UNIT_CONSUMER_SETUP_H

#include <stdatomic.h>

#include "fake_loop.h"
#include "kafka/cluster.h"
#include "kafka/consumer.h"
#include "kafka/topicid.h"
#include "mock_kafka.h"
#include "support.h"

enum { FETCH = 1, LIST_OFFSETS = 2 /* API keys */ };

extern struct mock_kafka kafka;
extern struct loop *loop;
extern struct cluster *cluster;
extern struct consumer *consumer;

int group_setup(void **state);
int group_teardown(void **state);
int setup(void **state);
int teardown(void **state);

extern struct consumer_handler handler;
void start(const char *topic, enum compact compact);
void start_with(const char *brokers, const char *topic, enum compact compact,
                const struct consumer_handler *with);
void wait_until(bool (*condition)(void));
void wait_for_records(int n);
/* No consumer of a test before reads any more: an error for the next request is for this one. */
bool is_alone(void);

/* -- what the cluster says instead, once there is something here -- */

extern rd_kafka_resp_err_t settings_error;
extern struct settings settings;
extern int32_t silent;        /* of its leader no answer is expected */
extern int64_t all_ends;      /* where each log ends; -1: it is true */
extern int wrong_answers;     /* so many answers say so; -1: all */
extern const char *a_cluster; /* NULL: the truth */
extern struct topic_id an_id; /* not known: the truth */
extern atomic_int layouts;    /* answers about the topic so far */
extern atomic_int denials;    /* so many of the next ones say that there is no such topic */
extern atomic_int hidden;     /* so many of its partitions are not there yet */

/* Nothing is taken before so many records can be. */
extern size_t batch_of;

/* -- what the handler was told -- */

extern struct buf told; /* topics, partitions and records, a line each */
extern int64_t origins[8], positions[8], ends_ms[8];
extern bool given_up[8];
extern uint64_t answered;
extern int topics, missing, records;
extern int64_t record_takes_ms; /* of the loop's time */

/* Each of n numbers of each of the partitions once, in order. */
void check_numbers(int partitions, int n);
bool is_told_twice(void);
bool ready(void);
/* Lets a handler that holds at each record have one after the other. */
bool all_100_one_by_one(void);

extern uint64_t ticket; /* of the last question */
bool is_answered(void);
bool is_surveyed(void);
/* A topic of one partition with ten records, which were read. */
void start_with_ten(const char *topic);

#endif

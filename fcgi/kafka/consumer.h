/* consumer - the topic comes in as records, for as long as the process lives.
 *
 * A simple consumer of librdkafka: no group, nothing is written to the cluster.  Brokers may be
 * away, the topic may come late, grow, be deleted and made again: the consumer goes on by itself
 * and tells its handler what that means.  All callbacks come from the loop. */
#ifndef SKF_KAFKA_CONSUMER_H
#define SKF_KAFKA_CONSUMER_H

#include "base/loop.h"
#include "base/record.h"
#include "kafka/policy.h"
#include "kafka/trouble.h"

struct consumer;
struct cluster;

struct consumer_handler {
    void *arg;
    /* The headers of records that are handed on, and no others; borrowed.  HEADERS_MAX at most. */
    const char *const *headers;
    size_t header_count;
    int32_t
        partitions_max; /* a topic with more is not read; what it grows by is not; 0: no limit */
    /* The topic is known, or was made again: all that came before is void. */
    void (*on_topic)(void *arg, bool compacted, int64_t delete_retention_ms);
    /* There is no such topic, or what was read was another: one that comes is none of before. */
    void (*on_missing)(void *arg);
    /* Its deletes are kept for another time from now on. */
    void (*on_retention)(void *arg, int64_t delete_retention_ms);
    /* It has n partitions, more than before. */
    void (*on_partitions)(void *arg, int32_t n);
    /* The broker holds nothing below that offset (any more).  Comes before a partition's first
     * record. */
    void (*on_origin)(void *arg, int32_t partition, int64_t offset);
    void (*on_record)(void *arg, const struct record *r);
    /* No record below `next` will come. */
    void (*on_position)(void *arg, int32_t partition, int64_t next);
    /* At that time (loop_now_ms()) its log had nothing beyond what was handed on by now.  It may be
     * long ago: we may have been stopped since the broker was asked. */
    void (*on_end)(void *arg, int32_t partition, int64_t at_ms);
    /* It gives nothing any more: nobody is to wait for it.  See consumer_given_up(). */
    void (*on_given_up)(void *arg, int32_t partition);
    /* Brokers have answered: one, what partitions there are, to the question of this ticket; or
     * some, where their partitions end.  See consumer_surveyed_end(). */
    void (*on_survey)(void *arg, uint64_t ticket);
    /* After a run of the calls above. */
    void (*on_settled)(void *arg);
};

/* The cluster is borrowed; all its consumers are made before the loop runs. */
struct consumer *consumer_new(struct cluster *cluster, const char *topic, enum compact compact,
                              const struct consumer_handler *handler);
void consumer_free(struct consumer *c);

/* Its name. */
const char *consumer_topic(const struct consumer *c);

/* While held, no records are taken from librdkafka. */
void consumer_hold(struct consumer *c, bool hold);

/* The topic is read again from its beginning, as the log will say: the next call is on_topic(). */
void consumer_read_anew(struct consumer *c, const char *why);

/* Asks all brokers now; on_survey() and consumer_surveyed_end() tell which answers are to questions
 * of this ticket or a later one. */
uint64_t consumer_ask(struct consumer *c);

/* Health. */
struct consumer_stats {
    enum trouble_kind trouble; /* what keeps it from the topic as a whole */
    int32_t partitions;        /* that are known */
    int32_t away;              /* of them, those whose broker gives nothing; 0 in a trouble */
    uint64_t stuck_ever;       /* times that a partition stood still for ten seconds */
    bool stuck;                /* one does now */
    bool settings_assumed;     /* the topic's settings cannot be read */
    int32_t refused;           /* partitions of a topic that has more than may be; 0: it has not */
};
struct consumer_stats consumer_stats(const struct consumer *c);
/* Records of a partition that were not read yet, as far as it is known. */
int64_t consumer_lag(const struct consumer *c, int32_t partition);

/* The topic and its partitions are known. */
bool consumer_ready(const struct consumer *c);
/* The end of the partition's log as far as it is known now; -1: not known, it may be told soon. */
int64_t consumer_end(const struct consumer *c, int32_t partition);
/* The end by its leader's answer to a question of this ticket or a later one; -1: none yet. */
int64_t consumer_surveyed_end(const struct consumer *c, int32_t partition, uint64_t ticket);
/* It has given nothing for ten seconds, though there may be something: it has no leader, or one
 * that does not answer or does not let us read, or its records do not come.  It is given up until
 * it moves or, if it was silent, answers again. */
bool consumer_given_up(const struct consumer *c, int32_t partition);
/* Everything below `end` was handed on, or its leader has said, asked by that ticket or later, that
 * the rest is not for us: an open transaction holds it. */
bool consumer_passed(const struct consumer *c, int32_t partition, int64_t end, uint64_t ticket);

#endif

/* intake - what the consumer tells of one topic goes into the source, and to the streams. */
#ifndef SKF_STREAM_INTAKE_H
#define SKF_STREAM_INTAKE_H

#include "kafka/consumer.h"
#include "stream/flush.h"
#include "stream/sources.h"
#include "stream/starting.h"

enum { INTAKE_BACKLOG_BYTES = 4 * 1024 * 1024 }; /* of a source */

struct intake {
    struct streams *streams;
    struct sources *sources;
    struct flush *flush;
    struct consumer *consumer;
    struct starting starting;
    bool topic_known; /* or known not to be there: another one that comes is made again */
    bool reads_anew;  /* the same one: places in it are good */
    bool told_full;   /* the log knows that it does not fit into the cache */
    bool caught_up;   /* everything was read that was there when the topic was found */
    uint64_t records;
    struct task start, tidy;
    struct timer *tidy_timer;
};

/* Both are borrowed.  A consumer must be attached before anything else is called. */
void intake_init(struct intake *in, struct streams *streams, struct flush *flush);
void intake_fini(struct intake *in);

/* For consumer_new(). */
struct consumer_handler intake_handler(struct intake *in);
/* The consumer is borrowed. */
void intake_attach(struct intake *in, struct consumer *consumer);

/* A stream was opened: it is started at the end of the turn, with all others of it. */
void intake_start(struct intake *in);
/* A flush is over (flush_init(); `arg` is the intake): the consumer goes on if it was held. */
void intake_flushed(void *arg);

#endif

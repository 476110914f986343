/* starting - from opened to started: a stream waits until the cache is at the topic's end as it was
 * when the stream came, and if its event id is beyond the cache, until it is known which of the two
 * is right.
 *
 *     OPENED --mark--> WAITING --reached--> begins
 *                                     \--> AHEAD --survey--> begins, or is reset */
#ifndef SKF_STREAM_STARTING_H
#define SKF_STREAM_STARTING_H

#include "kafka/consumer.h"
#include "stream/mark.h"
#include "stream/streams.h"

struct starting {
    struct streams *streams;
    struct consumer *consumer;
    struct mark mark;  /* what the WAITING wait for */
    uint64_t answered; /* the last ticket of a survey */
};

void starting_init(struct starting *st, struct streams *streams, struct consumer *consumer);
void starting_fini(struct starting *st);

/* There are streams to begin. */
static inline bool starting_any(const struct starting *st)
{
    return st->mark.set || st->streams->count[STREAM_OPENED] > 0;
}
/* Begins what can begin; the topic is known and caught up with. */
void starting_run(struct starting *st);
/* All that were started or waited are OPENED again, the former with a reset to come: what they were
 * shown is void. */
void starting_over(struct starting *st, enum reset why);
/* Likewise, but they will go on from their places: the cache will be filled anew with the same
 * topic. */
void starting_again(struct starting *st);

/* The cache has moved on: it may be where a stream is. */
void starting_judge_ahead(struct starting *st);
/* Brokers have answered, up to that ticket.  Streams that began ahead of a partition that nobody
 * could be asked about are judged, too: its log may end below their place. */
void starting_surveyed(struct starting *st, uint64_t ticket);

#endif

/* fanout - every record of the topic to every stream.
 *
 * Records come in from the consumer and go into the source (stream/source.h): the cache and,
 * encoded once, the backlog.  Streams are started when the cache has reached the end of the topic
 * as it was when they came (stream/starting.h), replay it, and are then flushed all together
 * (stream/flush.h). */
#ifndef SKF_STREAM_FANOUT_H
#define SKF_STREAM_FANOUT_H

#include "base/loop.h"
#include "kafka/consumer.h"
#include "stream/backlog.h"
#include "stream/delays.h"
#include "stream/resume.h"
#include "stream/stream.h"
#include "topic/envelope.h"
#include "topic/event.h"

struct fanout;

/* What it has done since the start, and holds now. */
struct fanout_stats {
    uint64_t opened, opened_as[SHAPE_KINDS], ended[STREAM_ENDS];
    size_t open_as[SHAPE_KINDS];
    uint64_t records;
    uint64_t conflations; /* times that a stream fell behind the backlog */
    uint64_t gaps, resets[RESETS];
    uint64_t unwanted; /* records that no stream was to be given, while some were open */
    uint64_t sent_events, sent_bytes; /* to all streams; the framing included */
    struct delay_counts delays;
    size_t cache_records, cache_keys, cache_bytes, backlog_bytes;
    size_t index_keys;     /* that streams select by */
    bool cache_overflowed; /* a compacted topic did not fit in */
    bool caught_up;        /* everything was read that was there when the topic was found */
};

struct fanout_config {
    enum event_id event_id;   /* of event streams */
    struct envelope envelope; /* what it points to is borrowed */
    int64_t keepalive_ms;
    int64_t flush_ms; /* at most one flush of a stream in that time; -1: as many streams need */
    size_t cache_bytes;
    struct backlogs *backlogs; /* what it shares with those of other topics; NULL: nothing */
};

/* The config is copied; the loop and the backlogs are borrowed. */
struct fanout *fanout_new(struct loop *loop, const struct fanout_config *config);
/* Ends all streams. */
void fanout_free(struct fanout *f);

/* Pass this handler to consumer_new(), then attach the consumer (borrowed).  Free the consumer
 * before the fan-out: its callbacks use it. */
struct consumer_handler fanout_handler(struct fanout *f);
void fanout_attach(struct fanout *f, struct consumer *consumer);

/* Opens a stream on the socket (taken over) of FastCGI request `id`.  It is valid until its owner
 * is told of its end, which may be before this returns: then it is NULL. */
struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, const struct opening *opening);

/* How many streams are open. */
size_t fanout_count(const struct fanout *f);
/* Those of them that were not told to finish, and one of these (NULL: none). */
size_t fanout_staying(const struct fanout *f);
struct stream *fanout_first(struct fanout *f);

struct fanout_stats fanout_stats(const struct fanout *f);

#endif

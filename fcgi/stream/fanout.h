/* fanout - every record of the topic to every stream.
 *
 * Records come in from the consumer, go into the cache and, once encoded, into the backlog; all
 * streams that keep up are flushed together.  Each stream starts with a replay from the cache once
 * that has reached the end of the topic as it was when the stream came. */
#ifndef SKF_STREAM_FANOUT_H
#define SKF_STREAM_FANOUT_H

#include "base/loop.h"
#include "kafka/consumer.h"
#include "topic/event.h"

struct fanout;
struct stream;
struct stream_owner; /* stream.h */

/* Why a stream has ended. */
enum stream_end {
    STREAM_END_CLIENT, /* it left */
    STREAM_END_TOKEN,  /* its token is over */
    STREAM_END_AGE,    /* it has reached its greatest age */
    STREAM_END_DRAIN,  /* the process stops */
    STREAM_ENDS,
};

/* What it has done since the start, and holds now. */
struct fanout_stats {
    uint64_t opened, ended[STREAM_ENDS];
    uint64_t records;
    uint64_t conflations; /* times that a stream fell behind the backlog */
    uint64_t gaps, resets;
    uint64_t sent_events, sent_bytes; /* to all streams; the framing included */
    size_t cache_records, cache_keys, cache_bytes;
    bool cache_overflowed; /* a compacted topic did not fit in */
    bool caught_up;        /* everything was read that was there when the topic was found */
};

struct fanout_config {
    enum event_id event_id;
    int64_t keepalive_ms;
    int64_t flush_ms; /* at most one flush of a stream in that time; -1: as many streams need */
    size_t cache_bytes;
};

struct fanout *fanout_new(struct loop *loop, const struct fanout_config *config);
/* Ends all streams. */
void fanout_free(struct fanout *f);

/* What to create the consumer with, and the consumer afterwards; it must outlive no callback:
 * consumer_free() before fanout_free(). */
struct consumer_handler fanout_handler(struct fanout *f);
void fanout_attach(struct fanout *f, struct consumer *consumer);

/* Opens a stream on the socket (taken over) of FastCGI request `id`.  `head` is what it sends
 * first, as STDOUT records made with id 1; `last_event_id` (p NULL: none) is where it wants to
 * resume. Both are copied.  The stream is valid until the owner (NULL: nobody) is told of its end,
 * which may be before this returns: then it is NULL. */
struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, struct slice head,
                           struct slice last_event_id, const struct stream_owner *owner);

/* Sends what stands outside of events (STDOUT records made with id 1; copied) after the event that
 * is under way. */
void fanout_say(struct stream *s, struct slice records);

/* Held, a stream begins nothing new: the rest of the event that is under way may follow.  Let go
 * again, it goes on without loss. */
void fanout_hold(struct stream *s, bool hold);

/* Begins nothing new: the rest of the event that is under way may follow for two seconds, then the
 * stream ends. */
void fanout_finish(struct stream *s, enum stream_end why);

/* The streams that there are; those of them that were not told to finish, and one of these (NULL:
 * none). */
size_t fanout_count(const struct fanout *f);
size_t fanout_staying(const struct fanout *f);
struct stream *fanout_first(struct fanout *f);
struct fanout_stats fanout_stats(const struct fanout *f);

#endif

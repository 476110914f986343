/* source - what readers of one shape read: the topic in memory, and its newest events, encoded once
 * for all who keep up.  The topic is all sources' (stream/sources.h).
 *
 * Pure: no descriptor, no loop, no clock. */
#ifndef SKF_STREAM_SOURCE_H
#define SKF_STREAM_SOURCE_H

#include "stream/backlog.h"
#include "stream/catchup.h"
#include "stream/picks.h"
#include "stream/replay.h"
#include "stream/resume.h"
#include "topic/cache.h"
#include "topic/event.h"

/* What readers were given, all of them together. */
struct source_counts {
    uint64_t events; /* the framing and what was under way included */
    uint64_t gaps, resets[RESETS];
    uint64_t conflations; /* times that one fell behind the backlog */
};

struct source {
    struct cache *cache; /* the topic's, as the next two: borrowed */
    struct catchup *catchup;
    struct chunk *chunk;
    struct shape shape;
    struct buf comment; /* what is sent to one that is silent */
    struct backlog *backlog;
    struct picks picks; /* what comes for the readers that select */
    size_t streams;     /* that have it */
    size_t ahead;       /* readers that are AHEAD */
    size_t readers;     /* that have begun */
    size_t followers;   /* of these, for whom everything is encoded */
    size_t awaited;     /* of these, how many wait for anything at all */
    bool skipped;       /* something was not, since the backlog was begun or skipped to here */
    uint64_t moves;     /* of the place that readers are shown */
    struct source_counts counts;
    LIST_ENTRY(source) link; /* among the topic's */
    const struct source_owner *owner;
};

/* All is borrowed but the shape, which is copied. */
struct source_config {
    struct cache *cache;
    struct catchup *catchup; /* partitions that readers are not shown yet */
    struct chunk *chunk;     /* one for all readers, one at a time */
    struct shape shape;
    size_t backlog_bytes;
    struct backlogs *together; /* see backlog_new() */
};

/* Who sees to the readers.  on_drop(arg, source, block): before that block of its backlog goes;
 * afterwards no reader may be on it (reader_drop()).  on_due(arg, reader): something came for one
 * that picks and had everything. */
struct source_owner {
    void (*on_drop)(void *arg, struct source *source, struct block *block);
    void (*on_due)(void *arg, struct reader *reader);
    void *arg;
};
/* The owner is borrowed. */
void source_init(struct source *s, const struct source_config *config,
                 const struct source_owner *owner);
void source_fini(struct source *s);

/* How far readers may be. */
static inline const struct progress *source_shown(const struct source *s)
{
    return catchup_shown(s->catchup, s->cache);
}

/* The backlog begins anew at the cache's end: all readers that were on it were told (on_drop). */
void source_restart_backlog(struct source *s);

/* A reader begins: what comes from now on is there for it. */
void source_enter(struct source *s, bool selects);

/* Encodes a record of the cache that is shown for those who read.  How many bytes it has; 0: nobody
 * is to be given it. */
size_t source_publish(struct source *s, uint64_t number, const struct record *r);
/* A partition's place that is shown has moved without a record.  One that picks is at the place
 * that is shown, so that moves with all that comes. */
static inline void source_move(struct source *s, int32_t partition, int64_t next)
{
    s->moves++;
    if (s->readers > 0)
        backlog_pass(s->backlog, partition, next);
}

#endif

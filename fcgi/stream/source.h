/* source - what readers read: the topic in memory, and its newest events encoded once for all who
 * keep up.
 *
 *     on_record -> cache            what is kept, for whoever begins, resumes or fell behind
 *               -> backlog          unless its partition is hidden (catchup) or nobody reads
 *
 * Pure: no descriptor, no loop, no clock. */
#ifndef SKF_STREAM_SOURCE_H
#define SKF_STREAM_SOURCE_H

#include "stream/backlog.h"
#include "stream/catchup.h"
#include "stream/replay.h"
#include "topic/cache.h"
#include "topic/event.h"

/* What readers were given, all of them together. */
struct source_counts {
    uint64_t events; /* the framing and what was under way included */
    uint64_t gaps, resets;
    uint64_t conflations; /* times that one fell behind the backlog */
};

struct source {
    struct cache *cache;
    struct backlog *backlog;
    struct catchup catchup; /* partitions that readers are not shown yet */
    enum event_id form;
    struct chunk chunk; /* one for all readers, one at a time */
    size_t ahead;       /* readers that are AHEAD */
    struct source_counts counts;
};

struct source_config {
    enum event_id form;
    size_t cache_bytes, backlog_bytes;
    struct backlogs *together; /* borrowed, see backlog_new() */
};

/* on_drop(arg, block): before that block of the backlog goes; afterwards no reader may be on it
 * (reader_drop()). */
void source_init(struct source *s, const struct source_config *config,
                 void (*on_drop)(void *arg, struct block *block), void *arg);
void source_fini(struct source *s);

/* How far readers may be. */
static inline const struct progress *source_shown(const struct source *s)
{
    return catchup_shown(&s->catchup, s->cache);
}

/* The backlog begins anew at the cache's end: all readers that were on it were told (on_drop). */
void source_restart_backlog(struct source *s);

/* Encodes a record of the cache for those who read; without readers, or while its partition is
 * hidden, it stays in the cache alone.  How many bytes it has. */
size_t source_publish(struct source *s, uint64_t number, const struct record *r, bool readers);

/* It is known by now where a partition begins. */
void source_begin(struct source *s, int32_t partition, int64_t start, bool readers);
/* A partition's place moved without a record: ids of what follows say so. */
void source_pass(struct source *s, int32_t partition, int64_t next, bool readers);

#endif

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
#include "stream/picks.h"
#include "stream/replay.h"
#include "stream/resume.h"
#include "topic/cache.h"
#include "topic/event.h"

/* What readers were given, all of them together. */
struct source_counts {
    uint64_t events; /* the framing and what was under way included */
    uint64_t gaps, resets[RESETS];
    uint64_t unwanted;    /* records that nobody was to be given, while there were readers */
    uint64_t conflations; /* times that one fell behind the backlog */
};

struct source {
    struct cache *cache;
    struct backlog *backlog;
    struct catchup catchup; /* partitions that readers are not shown yet */
    enum event_id form;
    struct chunk chunk; /* one for all readers, one at a time */
    struct picks picks; /* what comes for the readers that select */
    size_t ahead;       /* readers that are AHEAD */
    size_t readers;     /* that have begun */
    size_t followers;   /* of these, for whom everything is encoded */
    bool skipped;       /* something was not, since the backlog was begun or skipped to here */
    uint64_t moves;     /* of the place that readers are shown */
    struct source_counts counts;
};

struct source_config {
    enum event_id form;
    size_t cache_bytes, backlog_bytes;
    struct backlogs *together; /* borrowed, see backlog_new() */
};

/* Who sees to the readers.  on_drop(arg, block): before that block of the backlog goes; afterwards
 * no reader may be on it (reader_drop()).  on_due(arg, reader): something came for one that picks
 * and had everything. */
struct source_owner {
    void (*on_drop)(void *arg, struct block *block);
    void (*on_due)(void *arg, struct reader *reader);
    void *arg;
};
void source_init(struct source *s, const struct source_config *config,
                 const struct source_owner *owner);
void source_fini(struct source *s);

/* How far readers may be. */
static inline const struct progress *source_shown(const struct source *s)
{
    return catchup_shown(&s->catchup, s->cache);
}

/* The backlog begins anew at the cache's end: all readers that were on it were told (on_drop). */
void source_restart_backlog(struct source *s);

/* A reader begins: what comes from now on is there for it. */
void source_enter(struct source *s, bool selects);

/* Encodes a record of the cache for those who read; if nobody wants it, or while its partition is
 * hidden, it stays in the cache alone.  How many bytes it has. */
size_t source_publish(struct source *s, uint64_t number, const struct record *r);

/* It is known by now where a partition begins. */
void source_begin(struct source *s, int32_t partition, int64_t start);
/* A partition's place moved without a record: ids of what follows say so. */
void source_pass(struct source *s, int32_t partition, int64_t next);

#endif

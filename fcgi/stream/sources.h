/* sources - a topic in memory, and what is made of it for its streams: a source for each shape that
 * is in use.
 *
 *     on_record -> cache            what is kept, for whoever begins, resumes or fell behind
 *               -> each source      unless its partition is hidden (catchup)
 *
 * Most topics have one.  Pure: no descriptor, no loop, no clock. */
#ifndef SKF_STREAM_SOURCES_H
#define SKF_STREAM_SOURCES_H

#include "stream/source.h"

struct sources_config {
    size_t cache_bytes, backlog_bytes; /* of the topic; of each source */
    struct backlogs *together;         /* borrowed, see backlog_new() */
};

struct sources {
    struct cache *cache;
    struct catchup catchup; /* partitions that readers are not shown yet */
    struct chunk chunk;     /* one for all readers, one at a time */
    LIST_HEAD(, source) all;
    struct sources_config config;
    struct source_owner owner;
    struct source_counts gone; /* of the sources that are no more */
    uint64_t unwanted;         /* records that nobody was given, while there were streams */
};

void sources_init(struct sources *s, const struct sources_config *config,
                  const struct source_owner *owner);
/* No source may be in use. */
void sources_fini(struct sources *s);

/* The source of that shape (copied), for one more stream. */
struct source *sources_get(struct sources *s, const struct shape *shape);
/* One stream less. */
void sources_put(struct sources *s, struct source *source);

/* A record of the cache, for all that read; while its partition is hidden, it stays in the cache
 * alone.  How many bytes it has, of all shapes together. */
static inline size_t sources_publish(struct sources *s, uint64_t number, const struct record *r)
{
    struct source *source;
    size_t bytes = 0;

    if (s->catchup.hidden > 0 && !catchup_pass(&s->catchup, r->partition, record_next(r)))
        return 0;
    LIST_FOREACH(source, &s->all, link)
    {
        bytes += source_publish(source, number, r);
    }
    s->unwanted += bytes == 0 && !LIST_EMPTY(&s->all);
    return bytes;
}
/* It is known by now where a partition begins. */
void sources_begin(struct sources *s, int32_t partition, int64_t start);
/* A partition's place moved without a record: ids of what follows say so. */
void sources_pass(struct sources *s, int32_t partition, int64_t next);
/* All backlogs begin anew: see source_restart_backlog(). */
void sources_restart(struct sources *s);

/* A round begins, and goes on: picks_begin_round() and picks_serve() of each. */
size_t sources_begin_round(struct sources *s);
size_t sources_serve(struct sources *s, size_t max, void (*serve)(struct reader *reader, void *arg),
                     void *arg);

/* Readers that are AHEAD, of any source. */
bool sources_any_ahead(const struct sources *s);
/* Of all, those that are no more included. */
struct source_counts sources_counts(const struct sources *s);
size_t sources_backlog_bytes(const struct sources *s);
size_t sources_index_keys(const struct sources *s);

#endif

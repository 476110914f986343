/* catchup - partitions that streams are not shown yet.
 *
 * What is read of a partition before its end was reached may be superseded by what follows.  So
 * whatever is new, or was given up and comes back, goes into the cache alone and is hidden:
 * streams keep their place in it, and go on with the other partitions.  Once its end of that moment
 * is reached they get what a replay gives, and it is hidden no more.
 *
 *     the cache   a1 b1 c1 c2 a2 c3 b2        c is hidden, from number 2 on
 *     shown       a1 b1       a2    b2        at its end, streams go back to number 2 for c3 */
#ifndef SKF_STREAM_CATCHUP_H
#define SKF_STREAM_CATCHUP_H

#include "kafka/consumer.h"
#include "stream/replay.h"

struct catchup {
    int32_t hidden; /* so many partitions are */
    int32_t n;
    struct catchup_partition *partitions;
    struct progress shown; /* while any is: how far streams may be */
};

/* `{0}` has no partitions. */
void catchup_fini(struct catchup *c);

void catchup_hide(struct catchup *c, int32_t partition, const struct cache *cache);
/* The partition begins there, which may not have been known when it was hidden: nobody has been
 * given anything of it. */
void catchup_begin(struct catchup *c, int32_t partition, int64_t start);
bool catchup_is_hidden(const struct catchup *c, int32_t partition);

/* How far streams may be: as far as the cache, but for the hidden partitions. */
static inline const struct progress *catchup_shown(const struct catchup *c,
                                                   const struct cache *cache)
{
    return c->hidden > 0 ? &c->shown : cache_progress(cache);
}

/* A record that was appended, or its partition's new place; false: it is hidden.  To be called
 * while any partition is. */
bool catchup_pass(struct catchup *c, int32_t partition, int64_t next);

/* A partition whose end has been reached; -1: none.  Asks for the ends that are not known. */
int32_t catchup_due(struct catchup *c, struct consumer *consumer);
/* A record of it was hidden, for which streams must go back. */
bool catchup_any(const struct catchup *c, int32_t partition);
/* It is hidden no more. */
void catchup_show(struct catchup *c, int32_t partition, const struct cache *cache,
                  struct hidden *hidden);

/* None is hidden but what was given up. */
bool catchup_done(const struct catchup *c, const struct consumer *consumer);

#endif

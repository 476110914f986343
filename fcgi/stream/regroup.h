/* regroup - what moves all started streams at once: they leave the backlog for the cache. */
#ifndef SKF_STREAM_REGROUP_H
#define SKF_STREAM_REGROUP_H

#include "stream/streams.h"

/* That block of the source's backlog is about to go: whoever still stands there goes on from the
 * cache. */
void regroup_drop(struct streams *all, const struct source *source, struct block *block);

/* The end of a hidden partition has been reached: all go back for what they were not shown. */
void regroup_show(struct streams *all, int32_t partition);

/* The broker has deleted what was not read here yet, below that offset: nobody can be given it, so
 * everybody is told, by a gap, or by a reset where deletes may be among it. */
void regroup_lose(struct streams *all, int32_t partition, int64_t offset);

#endif

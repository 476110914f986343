/* mark - the end of the topic at a moment: streams that came before it wait until the cache is
 * there, so that they are shown nothing that was superseded by then. */
#ifndef SKF_STREAM_MARK_H
#define SKF_STREAM_MARK_H

#include "kafka/consumer.h"
#include "topic/progress.h"

/* `{0}` is one that is not set. */
struct mark {
    bool set;
    uint64_t ticket; /* asked at that moment */
    struct progress end;
};

/* The end now, of n partitions. */
void mark_set(struct mark *mark, struct consumer *consumer, int32_t n);
/* Everything before it was read.  An end that was not known is waited for; a partition that was
 * given up is not. */
bool mark_reached(struct mark *mark, const struct consumer *consumer);
void mark_fini(struct mark *mark);

#endif

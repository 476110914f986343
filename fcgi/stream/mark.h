/* mark - the end of the topic at a moment: streams that came before it wait until the cache is
 * there, so that they are shown nothing that was superseded by then. */
#ifndef SKF_STREAM_MARK_H
#define SKF_STREAM_MARK_H

#include "kafka/consumer.h"
#include "topic/progress.h"

/* `{0}` is one that is not set. */
struct mark {
    bool set;
    int64_t at_ms;
    struct progress end;
};

/* The end now, of n partitions. */
void mark_set(struct mark *mark, const struct consumer *consumer, int32_t n, int64_t now_ms);
/* Everything before it was read.  A partition without a leader is waited for ten seconds. */
bool mark_reached(const struct mark *mark, const struct consumer *consumer, int64_t now_ms);
void mark_fini(struct mark *mark);

#endif

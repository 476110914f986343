/* picked - an event of the backlog as it is sent to those who select: a head that is each reader's
 * own, for the tag in it, and the shared rest.
 *
 * The head stays for the next reader: mostly that is given the same event. */
#ifndef SKF_STREAM_PICKED_H
#define SKF_STREAM_PICKED_H

#include "stream/items.h"

struct picked_event {
    struct item item;
    uint64_t moves; /* item_moves() */
    struct buf head;
    size_t tag_at;  /* in the head */
    size_t rest_at; /* in the event */
};

void picked_fini(struct picked_event *e);
/* Of the next item nothing is there. */
static inline void picked_forget(struct picked_event *e)
{
    e->head.n = 0;
}
/* Fills two of iov (borrowed until the backlog changes). */
void picked_give(struct picked_event *e, struct item item, const struct shape *shape,
                 struct slice tag, struct iovec *iov);
/* It was given; now another reader is to get the same. */
static inline void picked_put_tag(struct picked_event *e, struct slice tag)
{
    memcpy(e->head.p + e->tag_at, tag.p, PROGRESS_TAG);
}
/* So many bytes of it were sent, but not all: keeps the others in an empty rest. */
void picked_keep_rest(const struct picked_event *e, size_t sent, struct rest *rest);

#endif

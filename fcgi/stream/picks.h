/* picks - the live side of readers that select: what comes is picked out of the backlog for them.
 *
 * A reader has a pick for each key that it selects.  A record asks the index once who wants its
 * key; a pick that waits for nothing yet then waits for that event, and finds the newer ones of its
 * key chained behind it.  So who keeps up costs nothing until something comes for him, and who is
 * slow a place in the backlog for each of his keys.
 *
 *     index:   a -> pick(r1), pick(r2)        b -> pick(r2)
 *     backlog: [ a1 . b1 . a2 ]               a1 -> a2: of one key
 *                ^    ^
 *                |    r2's second pick        a picker's picks that wait are in the events' order
 *                r1's, r2's first
 *
 * The bytes stay shared: only the first of them, up to the tag, are made for each reader. */
#ifndef SKF_STREAM_PICKS_H
#define SKF_STREAM_PICKS_H

#include "select/index.h"
#include "select/selection.h"
#include "stream/items.h"

enum { PICKS_BATCH = 8 }; /* events that are given at a time */

struct reader;
struct pick;
struct picker; /* of a reader that is up to date but for what waits for it here */

/* An event as it is sent to those who select: a head that is each reader's own, for the tag in it,
 * and the shared rest. */
struct picked_event {
    struct item item;
    struct buf head;
    size_t tag_at;     /* in the head */
    struct slice rest; /* of the event */
    size_t rest_at;    /* where in it */
};

/* What was given last, and not sent yet. */
struct picked {
    struct pick *pick;
    struct picked_event event;
    size_t end; /* among all that was given */
};

struct picks {
    struct index *index;
    void (*on_due)(void *arg, struct reader *reader); /* something waits for it now */
    void *arg;
    struct picked batch[PICKS_BATCH]; /* their events stay, for the next reader */
    int n;
};

void picks_init(struct picks *p, void (*on_due)(void *arg, struct reader *reader), void *arg);
void picks_fini(struct picks *p);

/* The event that was just added to the backlog is for those who want that key; `moves` is what
 * picker_sent() tells. */
void picks_come(struct picks *p, struct want *want, struct backlog *backlog, uint64_t moves);

/* From now on; the selection's keys are copied. */
struct picker *picker_new(struct picks *p, struct reader *reader, const struct selection *s);
/* With the same selection. */
void picker_free(struct picks *p, struct picker *picker, const struct selection *s);
/* The first of those for whom an event of that block is the first that waits; NULL: none. */
struct reader *picks_first_in(struct block *block);

/* Something waits; the first in that block. */
bool picker_waits(const struct picker *picker);
bool picker_is_in(const struct picker *picker, const struct block *block);
/* Where the reader is, if something waits: before that. */
void picker_place(const struct picker *picker, uint64_t *number, struct progress *at);

/* What waits, in order: fills at most `max` of iov (2 at least; borrowed until the backlog changes
 * or this is called again), returns how many. */
int picker_next(struct picks *p, struct picker *picker, const struct shape *shape, struct slice tag,
                struct iovec *iov, int max);
/* So many bytes of that were sent: what was not begun waits again, and what is left of the event
 * under way is kept in `rest` (empty before).  Returns how many events were begun, and where in all
 * moves the last of them stands. */
int picker_sent(struct picks *p, size_t sent, struct rest *rest, uint64_t *moves);

#endif

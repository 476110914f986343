/* picks - the live side of readers that select: what comes is picked out of the backlog for them.
 *
 * A reader has a pick for each key that it selects.  A record asks the index once who wants its
 * key; a pick that waits for nothing yet then waits for that event, and finds the newer ones of its
 * key chained behind it.  So who keeps up costs nothing until something comes for him, and who is
 * slow a place in the backlog for each of his keys.
 *
 * Readers of one key alone are not even looked at then: the key is due, and in the next round they
 * are served one after the other; only those that cannot take it at once wait for it.  (With
 * several keys the events of each must stay in order with those of the others.)
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
#include "stream/due.h"
#include "stream/picked.h"

enum { PICKS_BATCH = 8 }; /* events that are given at a time */

struct reader;
struct pick;
struct picker; /* of a reader that is up to date but for what waits for it here */

/* What was given last, and not sent yet. */
struct picked {
    struct pick *pick;
    struct picked_event event;
    size_t end; /* among all that was given */
};

/* The key that is being served. */
struct serving {
    struct want *want;
    struct item first; /* of its events that are due */
    struct wish *next; /* NULL: all were */
    struct iovec iov[2 * PICKS_BATCH];
    int n;            /* of iov; 0: to be made */
    struct item more; /* than the batch has room for */
};

struct picks {
    struct index *index;
    void (*on_due)(void *arg, struct reader *reader); /* something waits for it now */
    void *arg;
    struct due due;
    size_t soles_due; /* since the round began, readers of wants that became due */
    uint32_t until;   /* the round serves those that were due before */
    struct serving serving;
    struct picked batch[PICKS_BATCH]; /* their events stay, for the next reader */
    int n;
};

void picks_init(struct picks *p, void (*on_due)(void *arg, struct reader *reader), void *arg);
void picks_fini(struct picks *p);

/* The event that was just added to the backlog is for those who want that key; `moves` is what
 * picker_sent() tells. */
void picks_come(struct picks *p, struct want *want, struct backlog *backlog, uint64_t moves);

/* The block is about to go: those to whom something in it is due wait for it from now on. */
void picks_await_block(struct picks *p, const struct block *block);

/* A round begins, of what is due by now: for so many readers, more or less. */
size_t picks_begin_round(struct picks *p);
/* Has at most `max` more readers of the round served: serve(reader, arg) asks picker_next_due() or
 * picker_await_due().  Returns how many. */
size_t picks_serve(struct picks *p, size_t max, void (*serve)(struct reader *reader, void *arg),
                   void *arg);

/* From now on, `moves` being the source's; the selection's keys are copied. */
struct picker *picker_new(struct picks *p, struct reader *reader, const struct selection *s,
                          uint64_t moves);
/* With the same selection. */
void picker_free(struct picks *p, struct picker *picker, const struct selection *s);
/* The first of those for whom an event of that block is the first that waits; NULL: none. */
struct reader *picks_first_in(struct block *block);

/* Something waits; the first in that block. */
bool picker_waits(const struct picker *picker);
bool picker_is_in(const struct picker *picker, const struct block *block);
/* Something waits or is due to it. */
bool picker_has_any(const struct picks *p, const struct picker *picker);
/* Where the reader is then: before that.  False: it has everything. */
bool picker_place(const struct picks *p, const struct picker *picker, uint64_t *number,
                  struct progress *at);

/* What is due to a reader that is being served, for which nothing waits: *iov is as in
 * picker_next(), all of it is for this reader.  0: nothing, or it waits from now on. */
int picker_next_due(struct picks *p, struct picker *picker, const struct shape *shape,
                    struct slice tag, struct iovec **iov);
/* What is due to it waits from now on. */
void picker_await_due(struct picks *p, struct picker *picker);
/* What waits, in order: fills at most `max` of iov (2 at least; borrowed until the backlog changes
 * or this is called again), returns how many. */
int picker_next(struct picks *p, struct picker *picker, const struct shape *shape, struct slice tag,
                struct iovec *iov, int max);
/* So many bytes of that (something) were sent: what was not begun waits again, and what is left of
 * the event under way is kept in `rest` (empty before).  Returns how many events were begun, and
 * where in all moves the last of them stands. */
int picker_sent(struct picks *p, struct picker *picker, size_t sent, struct rest *rest,
                uint64_t *moves);

#endif

/* move - from one selection to another, without a reset: what a reader that has some keys' records
 * is sent until it has those of others.
 *
 * First it *leaves*: it gets a delete for each key that it has and is to have no longer.  Then it
 * goes through the cache as in any replay, but what is new to it is sent from the cache's beginning
 * on, and all else from its place on.
 *
 *     cache   [ . a . b . . c . . | . a . d ]     from {a, b} to {a, c}: delete b; c, a
 *                                 its place, `base`
 *
 * Until all of that is sent it has neither selection: ids carry the old tag and one more `~`, which
 * leads to a reset wherever they come back.  Pure. */
#ifndef SKF_STREAM_MOVE_H
#define SKF_STREAM_MOVE_H

#include "select/selection.h"
#include "stream/replay.h"
#include "topic/progress.h"

struct move {
    struct selection *from; /* what it has; NULL: everything */
    uint64_t base;          /* records with a lower number it has, of `from` */
    uint64_t began;         /* records with a lower number were there when it began */
    int32_t partitions;     /* likewise */
    bool leaving;
    bool begun; /* something was sent */
    uint8_t tag_size;
    uint8_t tag[PROGRESS_TAG + 1];
};

/* To begin when its reader does. */
struct move *move_new(struct selection *from);
void move_free(struct move *m);
/* The reader is where the replay is. */
void move_begin(struct move *m, struct replay *r, const struct cache *c);
struct slice move_tag(const struct move *m);

/* Puts deletes for what leaves into the chunk; true if there are more. */
bool move_leave(const struct move *m, struct replay *r, const struct replay_scope *scope,
                size_t room, struct chunk *chunk);
/* All that was to be sent now was sent; false: it has arrived. */
bool move_goes_on(struct move *m, struct replay *r);
/* It is to go elsewhere, amid its way to `to`: from what the reader has by now.  False: that cannot
 * be told. */
bool move_turn(struct move *m, struct replay *r, const struct cache *c, const struct selection *to);

/* Nothing was sent, and it is to stay where it is: true, the replay is where it was. */
bool move_undo(const struct move *m, struct replay *r, const struct selection *to);

/* Has the reader nothing of that key yet?  m NULL: it does not move. */
static inline bool move_is_new(const struct move *m, struct slice key)
{
    return m != NULL && m->from != NULL && !selection_passes(m->from, key);
}
/* Has it that record, if its key is not new? */
static inline bool move_has(const struct move *m, uint64_t number)
{
    return m != NULL && number < m->base;
}

#endif

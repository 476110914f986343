/* replay - one stream's way through the cache, until it is where the backlog goes on.
 *
 * A fresh stream gets the newest record of each key; one that resumes, what it has not seen of
 * that, deletes included; one that fell behind likewise.  No sockets here: chunks of bytes come
 * out, and the caller says how much of one was sent. */
#ifndef SKF_STREAM_REPLAY_H
#define SKF_STREAM_REPLAY_H

#include "topic/cache.h"
#include "topic/event.h"

struct replay;

/* Whole events, with where each of them ends.  The caller owns the struct and uses it for one
 * replay after the other; `{0}` is an empty one. */
struct chunk {
    struct buf bytes;
    struct progress start;
    struct chunk_mark *marks;
    size_t n, cap;
    unsigned gaps;   /* `gap` events among them */
    unsigned events; /* all of them */
};
void chunk_fini(struct chunk *chunk);

/* From the beginning, without the deletes of before. */
struct replay *replay_fresh(const struct cache *c);
/* From where an id says (copied); the caller has judged it by the delete horizon. */
struct replay *replay_resumed(const struct cache *c, const struct progress *from);
/* From the record of that number on, with the progress before it (copied).  `no_deletes` is what
 * the reader's replay before this one had. */
struct replay *replay_behind(uint64_t number, const struct progress *at, uint64_t no_deletes);
void replay_free(struct replay *r);

/* The progress so far. */
const struct progress *replay_progress(const struct replay *r);
/* A reader that began fresh has nothing that a delete with a lower number deletes; 0: it did not.
 * It holds for as long as the reader lives: a partition may be hidden when it begins. */
uint64_t replay_no_deletes(const struct replay *r);

/* True if deletes were forgotten that this reader has not passed, in partitions of which it is
 * shown all: it must start anew. */
bool replay_lost_deletes(const struct replay *r, const struct cache *c,
                         const struct progress *shown);

/* True if it has seen more than `end`, which happens where nobody could be asked: its own progress
 * then tells what is new to it. */
bool replay_is_ahead(const struct replay *r, const struct progress *end);

/* What was hidden of a partition, from that number on; a reader that is not beyond offset `start`
 * has been given nothing of it. */
struct replay_hidden {
    int32_t partition;
    int64_t start;
    uint64_t number;
};
/* Goes back for it, which is `shown` by now; of the other partitions it has seen what stands there.
 * False if it cannot: deletes that it has not seen are no longer known, and it must start anew. */
bool replay_return(struct replay *r, const struct cache *c, const struct progress *shown,
                   const struct replay_hidden *hidden);

/* True if replay_fill() will look for gaps: then it must know with replay_bound() the progress at
 * the stream's place in the backlog (copied), for what comes from there is not lost. */
bool replay_looks_for_gaps(const struct replay *r, const struct cache *c);
void replay_bound(struct replay *r, const struct progress *at);

/* Fills the chunk with what comes next below number `limit`, a little over `room` bytes at most but
 * for one large event, a `gap` first if records were lost.  Nothing beyond `shown` (NULL: the
 * cache's progress) is looked at.  False if there is nothing left below `limit`, whatever the chunk
 * holds. */
bool replay_fill(struct replay *r, const struct cache *c, const struct progress *shown,
                 enum event_id form, uint64_t limit, size_t room, struct chunk *chunk);

/* Only `sent` bytes of the chunk were sent: the replay goes on behind the event under way, whose
 * unsent rest (borrowed from the chunk) is returned.  The events behind it are none of the chunk's
 * any more. */
struct slice replay_cut(struct replay *r, struct chunk *chunk, size_t sent);

#endif

/* replay - a reader's way through the cache, until it is where the backlog goes on for it.
 *
 * A fresh reader gets the newest record of each key; one that resumes, what it has not seen of
 * that, deletes included; one that fell behind likewise.  Chunks of whole events come out, and the
 * reader (stream/reader.h) says how much of one was sent. */
#ifndef SKF_STREAM_REPLAY_H
#define SKF_STREAM_REPLAY_H

#include "select/from.h"
#include "select/selection.h"
#include "stream/backlog.h"
#include "stream/chunk.h"
#include "topic/cache.h"

struct move;
struct replay;

/* Of one that has no id.  `ends`: of the topic when it came; NULL: not known. */
struct replay *replay_fresh(const struct cache *c, const struct progress *shown,
                            const struct from *from, const struct progress *ends);
/* From where an id says (copied); the caller has judged it by the delete horizon. */
struct replay *replay_resumed(const struct cache *c, const struct progress *from);
/* From where the place in the backlog is, behind the event under way. */
struct replay *replay_behind(const struct place *at);
/* From the record of that number on, with that progress (copied) before it. */
struct replay *replay_from(uint64_t number, const struct progress *at);
void replay_free(struct replay *r);

/* The progress so far. */
const struct progress *replay_progress(const struct replay *r);

/* Up to where in the backlog it goes: its reader's to choose; no block: that has not been done. */
struct place *replay_until(struct replay *r);

/* The number that it goes on with. */
uint64_t replay_number(const struct replay *r);

/* It has not begun. */
bool replay_is_new(const struct replay *r);

/* It goes back for where it begins: until then replay_fill() puts nothing into the chunk. */
bool replay_finds(const struct replay *r);

/* True if deletes were forgotten that this reader has not passed, with number `no_deletes` (see
 * struct replay_scope) or above, in partitions of which it is shown all: it must start anew. */
bool replay_lost_deletes(const struct replay *r, const struct cache *c,
                         const struct progress *shown, uint64_t no_deletes);

/* True if it has seen, or passed over, all up to `end`. */
bool replay_is_at(const struct replay *r, const struct progress *end);
/* True if it has seen more than `end`, which happens where nobody could be asked: its own progress
 * then tells what is new to it. */
bool replay_is_ahead(const struct replay *r, const struct progress *end);

/* What was hidden of a partition, in the cache from that number on; `start` is where it began. */
struct hidden {
    int32_t partition;
    int64_t start;
    uint64_t number;
};
/* Goes back for what was hidden, which is `shown` by now; of the other partitions it has seen what
 * stands there.  False if it cannot: deletes that it has not seen are no longer known, and it must
 * start anew. */
bool replay_return(struct replay *r, const struct cache *c, const struct progress *shown,
                   uint64_t no_deletes, const struct hidden *hidden);

/* What it goes through, and how. */
struct replay_scope {
    const struct cache *cache;
    const struct progress *shown; /* nothing beyond is looked at; NULL: the cache's progress */
    const struct place *until;    /* of the backlog: what follows is sent from there; NULL: it goes
                                     through all of the cache */
    const struct selection *selection; /* NULL: it gets everything */
    const struct move *move;           /* NULL: it has selected that from its start */
    struct slice tag;                  /* of its ids; empty: none */
    uint64_t no_deletes; /* a delete with a lower number deletes nothing that it has */
    const struct shape *shape;
    bool first; /* nothing of a document was sent yet */
};

/* Puts an event that is no record's, with the replay's progress as its id, into the chunk. */
void replay_add_notice(const struct replay *r, const struct replay_scope *scope, const char *type,
                       const char *json, struct chunk *chunk);

/* Puts the replay's place into it, as a keep-alive that is an event. */
void replay_add_keepalive(const struct replay *r, const struct replay_scope *scope,
                          struct chunk *chunk);

/* Puts the replay's place into it, as an id alone. */
void replay_add_place(const struct replay *r, const struct replay_scope *scope,
                      struct chunk *chunk);

/* Puts into the chunk (cleared, but for notices) what comes next, a little over `room` bytes at
 * most but for one large event, a `gap` first if records were lost.  True if there may be more
 * before scope->until, or for one that selects, before the cache's end. */
bool replay_fill(struct replay *r, const struct replay_scope *scope, size_t room,
                 struct chunk *chunk);

/* Only `sent` bytes of the chunk were sent: the replay goes on behind the event under way, whose
 * unsent rest (borrowed from the chunk) is returned.  The events behind it are none of the chunk's
 * any more. */
struct slice replay_cut(struct replay *r, struct chunk *chunk, size_t sent);

#endif

/* reader - what one stream is to get next, and how far it is.
 *
 * A reader is pulled: whoever has room asks for the next bytes and says how many of them went.  It
 * gives, in this order: the rest of the event that is under way; a `reset` if it had to start over;
 * a `gap` if records are lost to it; what it has not seen of the cache; then the backlog.
 *
 *     WAITING --begin--> REPLAY ------> LIVE
 *                          |  ^          |        the backlog has moved on past it, or what was
 *                          |  +----------+        hidden of a partition is shown
 *                          +--> AHEAD ---^        it has seen more than others are shown: only the
 *                                                 cache can skip that, until they are there, too
 *     any --void, put back--> WAITING    any --stop--> STOPPED
 *
 * One that selects is PICKING in place of LIVE: it has no place in the backlog, what comes for it
 * is picked out of it (stream/picks.h).
 *
 * One that is told to select something else moves there (stream/move.h): in REPLAY, from wherever
 * it is.
 *
 * One that keeps up costs a place in the backlog; all that it keeps besides while it is slow is the
 * rest of one event.  Pure: no descriptor, no loop, no clock. */
#ifndef SKF_STREAM_READER_H
#define SKF_STREAM_READER_H

#include "stream/resume.h"
#include "stream/source.h"

enum reader_at {
    READER_WAITING, /* `resume` says where it wants to go on */
    READER_REPLAY,  /* in the cache, up to a place in the backlog */
    READER_AHEAD,   /* in the cache alone, as far as it goes */
    READER_LIVE,    /* in the backlog, at `place` */
    READER_PICKING, /* what comes for it is picked for it by `picker` */
    READER_STOPPED, /* gets no more than the rest */
};

/* What is to be told besides records. */
enum reader_tells {
    READER_TELLS_PLACE = 1,     /* first, the place */
    READER_TELLS_KEEPALIVE = 2, /* the keep-alive as an event */
    READER_TELLS_OVER = 4,      /* one when the replay is over */
    READER_TELLS_IS_OVER = 8,   /* it is */
    READER_TELLS_START = 16,    /* the place whenever it begins */
    READER_HAS_NOTHING = 32,    /* the place, before which it has nothing */
};

struct reader {
    uint8_t at; /* enum reader_at */
    bool paused;
    bool more;             /* see reader_next() */
    uint8_t reset;         /* enum reset: to be told first */
    uint8_t tells;         /* enum reader_tells, of any */
    uint8_t from_kind : 7; /* enum from_kind: where it starts without an id */
    bool first : 1;        /* of a document it was given nothing yet */
    uint16_t request_id;   /* events are framed for request 1; another gets copies of them */
    struct rest rest;
    union { /* by `at`; STOPPED: none of them */
        struct {
            union {
                struct resume *resume; /* WAITING; NULL: from the beginning */
                struct replay *replay; /* REPLAY and AHEAD: where in the cache */
            };
            struct move *move; /* REPLAY, or WAITING with an id: from another selection */
        };
        struct place place;    /* LIVE: where in the backlog */
        struct picker *picker; /* PICKING */
    };
    union {
        uint64_t counted; /* LIVE: this event of the backlog was the last to be counted */
        uint64_t told;    /* of one that selects: which of the source's moves its last id has */
    };
    uint64_t no_deletes;         /* a delete with a lower number deletes nothing that it has */
    struct selection *selection; /* counted; NULL: it gets everything */
    int64_t from_value;          /* see struct from */
};

/* One that waits, to go on at that event id (p NULL: from the beginning).  The selection (NULL: it
 * gets everything) gets a reference. */
void reader_init(struct reader *r, uint16_t request_id, struct slice last_event_id,
                 struct selection *selection);
/* Where it starts without an id, in place of the earliest. */
static inline void reader_set_from(struct reader *r, const struct from *from)
{
    r->from_kind = from->kind & 0x7f;
    r->from_value = from->value;
}
/* It cannot see comments: it is given events in their place, and one when its replay is over. */
static inline void reader_set_keepalive(struct reader *r)
{
    r->tells |= READER_TELLS_KEEPALIVE | READER_TELLS_OVER;
}
/* From wherever it is; the source must be there still. */
void reader_fini(struct reader *r, struct source *src);

/* It waits no longer.  The caller has seen to it that its id is not ahead of the cache, or that
 * nobody can say whether it is (stream/resume.h).  `ends`: those of the topic when it came; NULL:
 * it is not known which they were, and those of now are taken. */
void reader_begin(struct reader *r, struct source *src, const struct progress *ends);
/* All that it was given is void: it waits again, but for the rest, and will be reset. */
void reader_void(struct reader *r, struct source *src, enum reset why);
/* The cache will be filled anew: it waits again, to go on from its place. */
void reader_put_back(struct reader *r, struct source *src);
/* It is reset, and gets what a fresh one would. */
void reader_start_over(struct reader *r, struct source *src, enum reset why);
/* It selects something else: it is reset as well, if it was given anything or has an id. */
void reader_select(struct reader *r, struct source *src, struct selection *selection);
/* Likewise, but without a reset: it is sent what differs.  NULL: it gets everything from now on.
 * (reader_narrow.c) */
void reader_narrow(struct reader *r, struct source *src, struct selection *selection);
/* Gets the rest, and never anything again. */
void reader_stop(struct reader *r, struct source *src);
/* While it is paused it gets no more than the rest. */
static inline void reader_pause(struct reader *r, bool pause)
{
    r->paused = pause;
}

/* It leaves the backlog for the cache: before the backlog begins anew. */
void reader_leave(struct reader *r, struct source *src);
/* That block of the backlog is about to go.  True if the reader was on it, or picks, and its first
 * event is there. */
bool reader_drop(struct reader *r, struct source *src, const struct block *block);
/* What was hidden is shown: it goes back for that. */
void reader_return(struct reader *r, struct source *src, const struct hidden *hidden);

/* What it is to get next: fills at most `max` of iov (borrowed until the source changes or another
 * reader is pulled), returns how many; 0: nothing for now.  Sets `more` if there may be more at
 * once: of the backlog; or of the cache, when the other readers have had their share. */
int reader_next(struct reader *r, struct source *src, struct iovec *iov, int max);
/* For one that picks and is served in a round (picks_serve()): nothing is under way, nothing waits
 * and it is not paused.  Gives what is due to it, all at once: *iov is not the caller's.  0: it is
 * nothing, or is to be pulled. */
int reader_next_due(struct reader *r, struct source *src, struct iovec **iov);
/* Otherwise: what is due to it is to be pulled. */
void reader_await_due(struct reader *r, struct source *src);
/* So many bytes of what was given last were sent. */
void reader_sent(struct reader *r, struct source *src, size_t n);

/* It is paused, or keeps a rest: that is to be sent first. */
static inline bool reader_is_owed(const struct reader *r)
{
    return r->paused || r->rest.block != NULL;
}
/* The rest of the event that is under way (borrowed): none between events. */
struct iovec reader_rest(const struct reader *r);
/* It gets what comes, in one way or the other. */
static inline bool reader_is_live(const struct reader *r)
{
    return r->at == READER_LIVE || r->at == READER_PICKING;
}
/* What it is given when it was silent, in place of a comment: a keep-alive as an event; or one that
 * picks and has moved on, past what is not for it, since it was given an id, its place as an id
 * alone.  False: nothing of that. */
bool reader_add_place(struct reader *r, struct source *src, struct buf *out);
/* How far it is, while it is in REPLAY or AHEAD. */
static inline const struct progress *reader_progress(const struct reader *r)
{
    return replay_progress(r->replay);
}
/* It has, or will have, a place in the backlog, from where it gets what comes.  A reader of a
 * document has none: it gets the cache, and then nothing more. */
static inline bool reader_has_place(const struct reader *r, const struct source *src)
{
    return r->selection == NULL && src->shape.framing != FRAMING_DOCUMENT;
}
/* What a document waits for will be told to one that selects (struct source_owner, on_due). */
void reader_watch(struct reader *r, struct source *src);

#endif

/* stream - one open response, as those see it who decide about it: the front, sessions, the drain.
 *
 * A stream is a reader (stream/reader.h: what it is to get next) and a sink (stream/sink.h: where
 * that goes).  It is opened by fanout_open(). */
#ifndef SKF_STREAM_STREAM_H
#define SKF_STREAM_STREAM_H

#include "base/fcgi_record.h"
#include "select/from.h"
#include "topic/shape.h"

struct stream;
struct stream_owner;
struct selection;

/* What a finite response turns out to be. */
enum finite_outcome {
    FINITE_DOCUMENT,
    FINITE_SAME,       /* nothing new has come */
    FINITE_MISSING,    /* there is no such topic now */
    FINITE_NOT_LOADED, /* what there is was not read in time */
    FINITE_BROKEN,     /* it was ended before it could begin */
    FINITE_TOKEN_OVER, /* likewise, by the end of its token */
};

/* What a finite response is opened with, besides: one that ends when all that there is now was
 * sent. */
struct finite_opening {
    struct slice unless; /* the place that the client has: if nothing has come since, that is said
                            and no more; p NULL: it has none */
    int64_t wait_ms;     /* with `unless` or an id: something new is waited for; 0: it is not */
    bool head_only;
    /* The owner is told once what it turns out to be: appends the head of the response to `text`,
     * and all of it unless a document follows, which begins at `place`. */
    void (*on_outcome)(struct stream_owner *owner, enum finite_outcome outcome, struct slice place,
                       struct buf *text);
};

/* What a stream is opened with; borrowed. */
struct opening {
    struct slice head;           /* what it sends first, as STDOUT records made with id 1 */
    struct slice last_event_id;  /* where it wants to resume; p NULL: nowhere */
    struct selection *selection; /* NULL: it gets everything; else it gets a reference */
    struct from from;            /* without an id that can be honoured */
    uint32_t connection;   /* a hash of which client's it is: streams of one are flushed together */
    enum framing framing;  /* how its events are written */
    bool enveloped;        /* see struct shape */
    struct naming naming;  /* likewise; what it refers to stays there */
    bool keepalive_events; /* in place of comments, and when its replay is over */
    bool tells_place;      /* it is given its place before any event */
    const struct finite_opening *finite; /* of a document, and of no other */
    struct stream_owner *owner;          /* NULL: nobody; it is there until the stream ends */
};

/* Why a stream has ended. */
enum stream_end {
    STREAM_END_CLIENT,   /* it left */
    STREAM_END_TOKEN,    /* its token is over */
    STREAM_END_AGE,      /* it has reached its greatest age */
    STREAM_END_DRAIN,    /* the process stops */
    STREAM_END_WHOLE,    /* it was finite, and all was sent */
    STREAM_END_REPLACED, /* another stream has its handle */
    STREAM_ENDS,
};

/* Who is told of a stream's end, whatever ended it: a member of what its owner keeps of it. */
struct stream_owner {
    void (*on_end)(struct stream_owner *owner);
};

/* What has come of the front's records behind the request (copied). */
void stream_set_input(struct stream *s, const struct fcgi_input *input);

/* How its events are written: what is said to it must be likewise. */
enum framing stream_framing(const struct stream *s);

/* Sends what stands outside of events (STDOUT records made with id 1; copied) after the event that
 * is under way; a document has no place for that.  May end the stream. */
void stream_say(struct stream *s, struct slice records);

/* While it is held, a stream begins no event: the rest of the one under way follows.  Let go again,
 * it goes on without loss.  May end the stream. */
void stream_hold(struct stream *s, bool hold);

/* It selects something else from now on: it is reset, and gets what a fresh one would.  It must
 * have selected before. */
void stream_select(struct stream *s, struct selection *selection);

/* It selects something else from now on (NULL: nothing), and is sent what differs, without a reset.
 */
void stream_narrow(struct stream *s, struct selection *selection);

/* Begins no event any more: the rest of the one under way may follow for two seconds, then the
 * stream ends. */
void stream_finish(struct stream *s, enum stream_end why);

#endif

/* streams - the open streams: what each of them is, and lists of them by state and by silence.
 *
 * For the files of this room that move streams; others see stream/stream.h. */
#ifndef SKF_STREAM_STREAMS_H
#define SKF_STREAM_STREAMS_H

#include <sys/queue.h>

#include "base/loop.h"
#include "stream/finite.h"
#include "stream/reader.h"
#include "stream/sink.h"
#include "stream/sources.h"
#include "stream/stream.h"

enum stream_state {
    STREAM_OPENED,    /* waits for the next mark of the topic's end */
    STREAM_WAITING,   /* waits for the cache to reach the mark */
    STREAM_AHEAD,     /* its id is beyond the cache: waits for one of the two to give way */
    STREAM_REPLAYING, /* gets the cache */
    STREAM_READY,     /* has all that there was when it was last pumped, or something came for it */
    STREAM_QUIET,     /* selects, and has all that came for it: nobody looks at it */
    STREAM_BLOCKED,   /* one of these two, but its socket is full or it is held */
    STREAM_FINISHING, /* gets no more than the rest of the event that was under way */
    STREAM_STATES,
};

struct stream {
    TAILQ_ENTRY(stream) link;  /* among those of its state */
    TAILQ_ENTRY(stream) quiet; /* by the time of the last write */
    struct streams *all;
    struct source *source; /* what its reader reads */
    struct watch *watch;
    struct sink sink;
    struct reader reader;
    int64_t wrote_at_ms;
    union {
        int64_t unsaid_at_ms;    /* a comment was due, and it was held; 0: never */
        struct timer *last_call; /* FINISHING */
        struct finite *finite;   /* of one that ends by itself */
    };
    uint8_t state;              /* enum stream_state */
    uint8_t why;                /* enum stream_end */
    uint32_t connection;        /* of its client: see struct opening */
    struct stream_owner *owner; /* NULL: nobody */
};

TAILQ_HEAD(stream_list, stream);

struct streams {
    struct loop *loop;
    struct sources *sources;
    struct stream_list in[STREAM_STATES];
    size_t count[STREAM_STATES];
    size_t unanswered;        /* finite ones that wait for the topic */
    struct stream_list quiet; /* all, the longest silent first */
    struct stream_list ended; /* to be freed at the end of the turn */
    struct task reap;
    struct task *replays; /* a round of those that are REPLAYING */
    bool mixed;           /* some have become READY since they were put in order (stream/order.h) */
    int64_t ordered_at_ms;
    uint64_t opened, opened_as[SHAPE_KINDS], ended_by[STREAM_ENDS];
    size_t open_as[SHAPE_KINDS];
    uint64_t bytes; /* sent, the framing included */
};

/* `replays` (borrowed) is deferred whenever a stream is REPLAYING. */
void streams_init(struct streams *all, struct loop *loop, struct sources *sources,
                  struct task *replays);
/* No stream may be open. */
void streams_fini(struct streams *all);

/* All; those that were not told to finish, and one of these (NULL: none). */
size_t streams_count(const struct streams *all);
size_t streams_staying(const struct streams *all);
struct stream *streams_first(const struct streams *all);
/* Visits each that was started and still reads; `visit` may change its state, or end it. */
void streams_each_started(struct streams *all, void (*visit)(struct stream *s, void *arg),
                          void *arg);
/* Likewise, but for the QUIET. */
void streams_each_busy(struct streams *all, void (*visit)(struct stream *s, void *arg), void *arg);

/* It ends by itself (stream/finite.h). */
static inline bool stream_is_finite(const struct stream *s)
{
    return s->source->shape.framing == FRAMING_DOCUMENT;
}

/* The stream of that reader. */
static inline struct stream *stream_of(struct reader *r)
{
    return (struct stream *)(void *)((char *)r - offsetof(struct stream, reader));
}
/* Something came for it (struct source_owner). */
void streams_due(struct reader *r);

/* Puts it at the end of the list of its new state; the same state: at the end of its list. */
void streams_set_state(struct stream *s, enum stream_state state);
/* Moves all of one state to another. */
void streams_move(struct streams *all, enum stream_state from, enum stream_state to);
/* Its reader has gone back to the cache. */
void streams_replay(struct stream *s);
/* It has just written. */
void streams_touch(struct stream *s, int64_t now_ms);
/* Takes it off the lists; it is freed at the end of the turn. */
void streams_remove(struct stream *s);

/* -- stream.c: the life of one -- */

/* See fanout_open(); its source (sources_get()) is taken over. */
struct stream *stream_open(struct streams *all, struct source *source, int fd, uint16_t id,
                           const struct opening *opening);
/* Sends what there is for a started stream, of the cache a turn's share. */
void stream_pump(struct stream *s, int64_t now_ms);
/* Something is due to it (picks_serve()): sends that, or leaves it to the next stream_pump(). */
void stream_serve(struct stream *s, int64_t now_ms);
/* Sends what its reader gave.  False: not all of it, for its socket is full, or it has ended. */
bool stream_give(struct stream *s, struct iovec *iov, int64_t now_ms);
/* See stream_say(); of a finite one, too. */
void stream_put(struct stream *s, struct slice records);
/* A comment, or in place of it where it is, if it selects and has moved on; unless the stream is
 * silent only because it is slow.  One that is held gets it when it is let go. */
void stream_comment(struct stream *s, int64_t now_ms);
/* Ends it at once.  The struct stays until the end of the turn. */
void stream_end(struct stream *s);

#endif

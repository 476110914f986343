/* stream - one open response: bytes go out without ever blocking, and never inside an event.
 *
 * A stream sends, in this order: what is `pending` for it alone (the head, the rest of an event
 * that was under way, notices), its replay from the cache, then the shared backlog from its place
 * on.  A reader that is slow costs that much and no more.  The fan-out owns the streams and
 * decides; the functions here move bytes. */
#ifndef SKF_STREAM_STREAM_H
#define SKF_STREAM_STREAM_H

#include <sys/queue.h>

#include "base/fcgi_record.h"
#include "base/loop.h"
#include "stream/backlog.h"
#include "stream/replay.h"
#include "stream/resume.h"

enum stream_state {
    STREAM_OPENED,    /* waits for the next mark of the topic's end */
    STREAM_WAITING,   /* waits for the cache to reach the mark */
    STREAM_AHEAD,     /* its id is beyond the cache: waits for one of the two to give way */
    STREAM_REPLAYING, /* gets the cache */
    STREAM_READY,     /* gets the backlog */
    STREAM_BLOCKED,   /* either of these two, but its socket is full */
    STREAM_FINISHING, /* gets no more than the rest of the event that was under way */
    STREAM_STATES,
};

struct fanout;

/* What went to the front, of all streams together. */
struct traffic {
    uint64_t events, bytes;
};

/* Who is told of a stream's end, whatever ended it. */
struct stream_owner {
    void (*on_end)(void *arg);
    void *arg;
};

struct stream {
    TAILQ_ENTRY(stream) link;  /* among those of its state */
    TAILQ_ENTRY(stream) quiet; /* by the time of the last write */
    struct fanout *fanout;
    struct watch *watch;
    struct replay *replay; /* NULL: it is on the backlog */
    struct place place;    /* where the backlog goes on for it; once started */
    uint64_t event;        /* of the backlog: up to here they are counted */
    uint64_t no_deletes;   /* of the last replay */
    struct traffic *traffic;
    struct buf pending;
    size_t pending_sent;
    int64_t wrote_at_ms;
    int fd;
    uint16_t request_id;
    uint8_t state; /* enum stream_state */
    bool held;     /* gets nothing new for now; BLOCKED, once it is started */
    bool follows;  /* it began ahead of the cache in some partition: only a replay can skip there
                      what it has, so it gets live events from the cache, too */
    uint8_t why;   /* enum stream_end */
    struct fcgi_input input;
    struct resume *resume;   /* NULL: a fresh stream, or judged by now */
    enum reset reset;        /* it has to be reset before it goes on; RESET_NONE: it has not */
    struct timer *last_call; /* while FINISHING */
    struct stream_owner owner;
};

enum stream_result {
    STREAM_DONE, /* all was sent */
    STREAM_FULL, /* the socket takes no more now */
    STREAM_GONE, /* the front has closed */
};

/* What has come of the front's records behind the request. */
static inline void stream_set_input(struct stream *s, const struct fcgi_input *input)
{
    s->input = *input;
}

/* Whole records made with id 1, for this stream alone and before all else (copied). */
void stream_put(struct stream *s, struct slice records);
enum stream_result stream_send_pending(struct stream *s);
/* Sends a whole chunk of the replay or keeps the rest of the event under way as pending. */
enum stream_result stream_send_chunk(struct stream *s, struct chunk *chunk);
/* Sends the backlog from the stream's place on. */
enum stream_result stream_send_backlog(struct stream *s);

/* The backlog goes on for it from that place; `{0}`: it has none. */
void stream_move(struct stream *s, struct place to);

/* Makes the rest of an event that is under way in the backlog pending, so that its place is at an
 * event's start. */
void stream_settle(struct stream *s);

/* What has arrived from the front; true if it ends the request or has gone. */
bool stream_input_ends(struct stream *s);

/* Best effort: the rest of the event under way, END_REQUEST; then closes the descriptor. */
void stream_close(struct stream *s);

#endif

/* flush - rounds over the streams: those to whom something is due get that, then all that are ready
 * get what has come, at a pace; those that are replaying take turns.  A round is cut into pieces,
 * between which the loop sees to everything else.
 */
#ifndef SKF_STREAM_FLUSH_H
#define SKF_STREAM_FLUSH_H

#include "stream/delays.h"
#include "stream/pace.h"
#include "stream/streams.h"

struct flush {
    struct streams *streams;
    struct pace pace;
    struct delays delays;
    struct task round, replays;
    struct timer *timer;
    bool serves;             /* the round under way is still with those to whom something is due */
    size_t left;             /* streams of it that are READY */
    void (*done)(void *arg); /* after each round */
    void *arg;
};

/* `replays` is what streams_init() wants. */
void flush_init(struct flush *f, struct streams *streams, int64_t interval_ms,
                void (*done)(void *arg), void *arg);
void flush_fini(struct flush *f);

/* Sees to it that what has come (pace_add()) is flushed in its time. */
void flush_schedule(struct flush *f);

#endif

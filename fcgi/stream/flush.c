#include "stream/flush.h"

#include "stream/order.h"

enum {
    FLUSH_STREAMS = 256, /* between two looks at everything else */
    REPLAY_STREAMS = 16,
};

void flush_schedule(struct flush *f)
{
    if (f->pace.waiting == 0 || f->serves || f->left > 0 || f->round.queued)
        return;
    int64_t wait = pace_wait_ms(&f->pace, loop_now_ms());
    if (wait == 0)
        loop_defer(f->streams->loop, &f->round);
    else if (!timer_running(f->timer))
        timer_start(f->timer, wait);
}

static void on_timer(void *arg)
{
    struct flush *f = arg;

    loop_defer(f->streams->loop, &f->round);
}

/* The first of that state goes to the end of its list and gets what there is for it; false: there
 * is none. */
static bool flush_first(struct flush *f, enum stream_state state, int64_t now_ms)
{
    struct stream *s = TAILQ_FIRST(&f->streams->in[state]);

    if (s == NULL)
        return false;
    streams_set_state(s, state);
    stream_pump(s, now_ms);
    return true;
}

static void round_begin(struct flush *f, int64_t now_ms)
{
    size_t due = sources_begin_round(f->streams->sources);

    order_ready(f->streams, now_ms);
    f->serves = due > 0;
    f->left = f->streams->count[STREAM_READY];
    pace_begin(&f->pace, due + f->left, now_ms);
    delays_begin(&f->delays, due + f->left > 0);
}

static void serve(struct reader *reader, void *now_ms)
{
    stream_serve(stream_of(reader), *(const int64_t *)now_ms);
}

static void run_round(void *arg)
{
    struct flush *f = arg;
    int64_t now = loop_now_ms();
    size_t n = 0;

    if (!f->serves && f->left == 0)
        round_begin(f, now);
    if (f->serves) {
        n = sources_serve(f->streams->sources, FLUSH_STREAMS, serve, &now);
        f->serves = n == FLUSH_STREAMS;
        f->left = f->streams->count[STREAM_READY];
    }
    for (; n < FLUSH_STREAMS && f->left > 0; n++)
        f->left = flush_first(f, STREAM_READY, now) ? f->left - 1 : 0;
    if (f->serves || f->left > 0) {
        loop_defer(f->streams->loop, &f->round);
        return;
    }
    pace_end(&f->pace);
    delays_end(&f->delays, loop_wall_ms());
    f->done(f->arg);
    flush_schedule(f);
}

static void run_replays(void *arg)
{
    struct flush *f = arg;
    const size_t *count = &f->streams->count[STREAM_REPLAYING];
    int64_t now = loop_now_ms();

    for (size_t n = *count < REPLAY_STREAMS ? *count : REPLAY_STREAMS; n > 0; n--)
        if (!flush_first(f, STREAM_REPLAYING, now))
            return;
    if (*count > 0)
        loop_defer(f->streams->loop, &f->replays);
}

void flush_init(struct flush *f, struct streams *streams, int64_t interval_ms,
                void (*done)(void *arg), void *arg)
{
    *f = (struct flush){
        .streams = streams,
        .pace.interval_ms = interval_ms,
        .round = {.run = run_round, .arg = f},
        .replays = {.run = run_replays, .arg = f},
        .timer = timer_new(streams->loop, on_timer, f),
        .done = done,
        .arg = arg,
    };
}

void flush_fini(struct flush *f)
{
    loop_cancel(f->streams->loop, &f->round);
    loop_cancel(f->streams->loop, &f->replays);
    timer_free(f->timer);
}

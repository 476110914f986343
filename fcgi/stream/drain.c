#include "stream/drain.h"

#include <stdlib.h>

#include "base/fcgi_record.h"
#include "base/mem.h"
#include "stream/fanout.h"
#include "topic/sse.h"

enum { TICK_MS = 20, TICK_STREAMS = 256 };

struct drain {
    struct drain_config config;
    struct fanout *fanout;
    struct timer *timer;
    int64_t began_ms;
    size_t streams; /* when it began */
};

static void end_stream(const struct drain *d, struct stream *s)
{
    struct buf retry = {0};
    size_t mark = fcgi_stdout_begin(&retry);

    sse_add_retry(&retry, d->config.retry_ms);
    fcgi_stdout_end(&retry, mark, 1);
    stream_say(s, buf_slice(&retry));
    stream_finish(s, STREAM_END_DRAIN);
    buf_fini(&retry);
}

/* How many streams may stay for now, when the ends are evenly spread. */
static size_t quota(const struct drain *d)
{
    int64_t left = d->began_ms + d->config.drain_ms - loop_now_ms();

    return left <= 0 ? 0 : (size_t)((int64_t)d->streams * left / d->config.drain_ms);
}

static void on_tick(void *arg)
{
    struct drain *d = arg;
    size_t wanted = quota(d), n = fanout_staying(d->fanout);
    struct stream *s;

    for (int i = 0; i < TICK_STREAMS && n > wanted && (s = fanout_first(d->fanout)) != NULL;
         i++, n--)
        end_stream(d, s);
    if (fanout_count(d->fanout) == 0)
        d->config.done(d->config.arg);
    else
        timer_start(d->timer, n > wanted ? 0 : TICK_MS);
}

struct drain *drain_new(struct loop *loop, struct fanout *fanout, const struct drain_config *config)
{
    struct drain *d = mem_zero(sizeof *d);

    d->config = *config;
    d->fanout = fanout;
    d->began_ms = loop_now_ms();
    d->streams = fanout_count(fanout);
    d->timer = timer_new(loop, on_tick, d);
    timer_start(d->timer, 0);
    return d;
}

void drain_free(struct drain *d)
{
    if (d == NULL)
        return;
    timer_free(d->timer);
    free(d);
}

#include "stream/drain.h"

#include <stdlib.h>

#include "base/fcgi_record.h"
#include "base/mem.h"
#include "stream/fanouts.h"
#include "topic/sse.h"

enum { TICK_MS = 20, TICK_STREAMS = 256 };

struct drain {
    struct drain_config config;
    const struct fanouts *fanouts;
    struct timer *timer;
    int64_t began_ms;
    size_t streams; /* when it began */
};

static void tell_retry(const struct drain *d, struct stream *s)
{
    struct buf retry = {0};
    size_t mark = fcgi_stdout_begin(&retry);

    sse_add_retry(&retry, d->config.retry_ms);
    fcgi_stdout_end(&retry, mark, 1);
    stream_say(s, buf_slice(&retry));
    buf_fini(&retry);
}

static void end_stream(const struct drain *d, struct stream *s)
{
    if (stream_framing(s) == FRAMING_SSE)
        tell_retry(d, s);
    stream_finish(s, STREAM_END_DRAIN);
}

/* Of those that were not told to finish: how many there are, and one of them (NULL: none). */
static size_t drain_staying(const struct drain *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->fanouts->n; i++)
        n += fanout_staying(d->fanouts->at[i]);
    return n;
}

static struct stream *drain_first(const struct drain *d)
{
    struct stream *s = NULL;

    for (size_t i = 0; i < d->fanouts->n && s == NULL; i++)
        s = fanout_first(d->fanouts->at[i]);
    return s;
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
    size_t wanted = quota(d), n = drain_staying(d);
    struct stream *s;

    for (int i = 0; i < TICK_STREAMS && n > wanted && (s = drain_first(d)) != NULL; i++, n--)
        end_stream(d, s);
    if (fanouts_count(d->fanouts) == 0)
        d->config.done(d->config.arg);
    else
        timer_start(d->timer, n > wanted ? 0 : TICK_MS);
}

struct drain *drain_new(struct loop *loop, const struct fanouts *fanouts,
                        const struct drain_config *config)
{
    struct drain *d = mem_zero(sizeof *d);

    d->config = *config;
    d->fanouts = fanouts;
    d->began_ms = loop_now_ms();
    d->streams = fanouts_count(fanouts);
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

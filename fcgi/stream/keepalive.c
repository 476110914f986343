#include "stream/keepalive.h"

enum { COMMENT_STREAMS = 256 }; /* between two looks at everything else */

void keepalive_schedule(struct keepalive *k)
{
    const struct stream *s = TAILQ_FIRST(&k->streams->quiet);

    if (s != NULL && !timer_running(k->timer))
        timer_start(k->timer, s->wrote_at_ms + k->after_ms - loop_now_ms());
}

static void on_timer(void *arg)
{
    struct keepalive *k = arg;
    int64_t now = loop_now_ms();

    for (int i = 0; i < COMMENT_STREAMS; i++) { /* after a stall they are all due at once */
        struct stream *s = TAILQ_FIRST(&k->streams->quiet);
        if (s == NULL || s->wrote_at_ms + k->after_ms > now)
            break;
        stream_comment(s, now);
    }
    keepalive_schedule(k);
}

void keepalive_init(struct keepalive *k, struct streams *streams, int64_t after_ms)
{
    *k = (struct keepalive){
        .streams = streams,
        .after_ms = after_ms,
        .timer = timer_new(streams->loop, on_timer, k),
    };
}

void keepalive_fini(struct keepalive *k)
{
    timer_free(k->timer);
}

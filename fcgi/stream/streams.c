#include "stream/streams.h"

#include <stdlib.h>

static void streams_reap(void *arg)
{
    struct streams *all = arg;
    struct stream *s;

    while ((s = TAILQ_FIRST(&all->ended)) != NULL) {
        TAILQ_REMOVE(&all->ended, s, link);
        sources_put(all->sources, s->source);
        free(s);
    }
}

void streams_init(struct streams *all, struct loop *loop, struct sources *sources,
                  struct task *replays)
{
    *all = (struct streams){.loop = loop, .sources = sources, .replays = replays};
    all->reap = (struct task){.run = streams_reap, .arg = all};
    for (int i = 0; i < STREAM_STATES; i++)
        TAILQ_INIT(&all->in[i]);
    TAILQ_INIT(&all->quiet);
    TAILQ_INIT(&all->ended);
}

void streams_fini(struct streams *all)
{
    loop_cancel(all->loop, &all->reap);
    streams_reap(all);
}

size_t streams_count(const struct streams *all)
{
    size_t n = 0;

    for (int i = 0; i < STREAM_STATES; i++)
        n += all->count[i];
    return n;
}

size_t streams_staying(const struct streams *all)
{
    return streams_count(all) - all->count[STREAM_FINISHING];
}

struct stream *streams_first(const struct streams *all)
{
    for (int i = 0; i < STREAM_FINISHING; i++)
        if (!TAILQ_EMPTY(&all->in[i]))
            return TAILQ_FIRST(&all->in[i]);
    return NULL;
}

static void visit_all(struct streams *all, enum stream_state state,
                      void (*visit)(struct stream *s, void *arg), void *arg)
{
    struct stream *s, *next;

    for (s = TAILQ_FIRST(&all->in[state]); s != NULL; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->reader.at != READER_STOPPED)
            visit(s, arg);
    }
}

/* A visit may take one from READY or QUIET to REPLAYING, which is not to be visited again. */
void streams_each_busy(struct streams *all, void (*visit)(struct stream *s, void *arg), void *arg)
{
    visit_all(all, STREAM_REPLAYING, visit, arg);
    visit_all(all, STREAM_BLOCKED, visit, arg);
    visit_all(all, STREAM_READY, visit, arg);
}

void streams_each_started(struct streams *all, void (*visit)(struct stream *s, void *arg),
                          void *arg)
{
    streams_each_busy(all, visit, arg);
    visit_all(all, STREAM_QUIET, visit, arg);
}

void streams_set_state(struct stream *s, enum stream_state state)
{
    struct streams *all = s->all;

    TAILQ_REMOVE(&all->in[s->state], s, link);
    all->count[s->state]--;
    s->state = (uint8_t)state;
    TAILQ_INSERT_TAIL(&all->in[state], s, link);
    all->count[state]++;
}

void streams_move(struct streams *all, enum stream_state from, enum stream_state to)
{
    while (!TAILQ_EMPTY(&all->in[from]))
        streams_set_state(TAILQ_FIRST(&all->in[from]), to);
}

void streams_replay(struct stream *s)
{
    if (s->state == STREAM_READY || s->state == STREAM_QUIET)
        streams_set_state(s, STREAM_REPLAYING);
    loop_defer(s->all->loop, s->all->replays);
}

void streams_due(struct reader *r)
{
    struct stream *s = stream_of(r);

    if (s->state == STREAM_QUIET)
        streams_set_state(s, STREAM_READY);
}

void streams_touch(struct stream *s, int64_t now_ms)
{
    s->wrote_at_ms = now_ms;
    TAILQ_REMOVE(&s->all->quiet, s, quiet);
    TAILQ_INSERT_TAIL(&s->all->quiet, s, quiet);
}

void streams_remove(struct stream *s)
{
    struct streams *all = s->all;

    all->ended_by[s->why]++;
    all->open_as[shape_kind(&s->source->shape)]--;
    TAILQ_REMOVE(&all->quiet, s, quiet);
    TAILQ_REMOVE(&all->in[s->state], s, link);
    all->count[s->state]--;
    TAILQ_INSERT_TAIL(&all->ended, s, link);
    loop_defer(all->loop, &all->reap);
}

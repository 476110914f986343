#include "stream/starting.h"

static void starting_begin(struct stream *s, const struct progress *ends)
{
    reader_begin(&s->reader, s->source, ends);
    streams_set_state(s, STREAM_REPLAYING);
    streams_replay(s); /* thousands may begin at once */
}

static void starting_begin_or_ask(struct starting *st, struct stream *s)
{
    struct resume *resume = s->reader.resume;

    if (resume == NULL || !resume_is_ahead(resume, st->streams->sources->cache)) {
        starting_begin(s, &st->mark.end);
        return;
    }
    resume_await(resume, consumer_ask(st->consumer));
    streams_set_state(s, STREAM_AHEAD);
}

void starting_run(struct starting *st)
{
    struct streams *all = st->streams;
    int32_t n = cache_progress(all->sources->cache)->n;

    for (;;) {
        if (!st->mark.set && all->count[STREAM_OPENED] > 0) {
            mark_set(&st->mark, st->consumer, n);
            streams_move(all, STREAM_OPENED, STREAM_WAITING);
        }
        if (!st->mark.set || !mark_reached(&st->mark, st->consumer))
            return;
        st->mark.set = false;
        while (!TAILQ_EMPTY(&all->in[STREAM_WAITING]))
            starting_begin_or_ask(st, TAILQ_FIRST(&all->in[STREAM_WAITING]));
    }
}

/* -- again -- */

static void starting_void(struct stream *s, void *why)
{
    if (stream_is_finite(s) && finite_void(s))
        return;
    reader_void(&s->reader, s->source, *(const enum reset *)why);
    streams_set_state(s, STREAM_OPENED);
}

static void starting_put_back(struct stream *s, void *arg)
{
    (void)arg;
    if (stream_is_finite(s))
        finite_put_back(s);
    reader_put_back(&s->reader, s->source);
    streams_set_state(s, STREAM_OPENED);
}

static void starting_wait(struct starting *st)
{
    streams_move(st->streams, STREAM_AHEAD, STREAM_OPENED);
    streams_move(st->streams, STREAM_WAITING, STREAM_OPENED);
    st->mark.set = false;
}

void starting_over(struct starting *st, enum reset why)
{
    streams_each_started(st->streams, starting_void, &why);
    starting_wait(st);
}

void starting_again(struct starting *st)
{
    streams_each_started(st->streams, starting_put_back, NULL);
    starting_wait(st);
}

/* -- ahead of the cache -- */

void starting_judge_ahead(struct starting *st)
{
    struct stream *s, *next;

    for (s = TAILQ_FIRST(&st->streams->in[STREAM_AHEAD]); s != NULL; s = next) {
        next = TAILQ_NEXT(s, link);
        if (resume_decide(s->reader.resume, st->streams->sources->cache, st->consumer,
                          st->answered))
            starting_begin(s, NULL);
    }
}

static void starting_refute(struct stream *s, void *arg)
{
    const struct starting *st = arg;

    if (s->reader.at != READER_AHEAD ||
        !resume_is_refuted(reader_progress(&s->reader), s->source->cache, st->consumer))
        return;
    reader_start_over(&s->reader, s->source, RESET_ID_BEYOND_END);
    streams_replay(s);
}

void starting_surveyed(struct starting *st, uint64_t ticket)
{
    st->answered = ticket;
    if (sources_any_ahead(st->streams->sources))
        streams_each_started(st->streams, starting_refute, st);
    starting_judge_ahead(st);
}

void starting_init(struct starting *st, struct streams *streams, struct consumer *consumer)
{
    *st = (struct starting){.streams = streams, .consumer = consumer};
}

void starting_fini(struct starting *st)
{
    mark_fini(&st->mark);
}

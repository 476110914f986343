#include "stream/finite.h"

#include <stdlib.h>

#include "base/mem.h"
#include "stream/streams.h"
#include "topic/document.h"

enum {
    FINITE_PATIENCE = 16,    /* passes that become no shorter */
    FINITE_KEPT = 96 * 1024, /* a large value is sent from where it is shared */
};

enum finite_at { FINITE_LOADS, FINITE_LOOKS, FINITE_WAITS, FINITE_WRITES, FINITE_WHOLE };

struct finite {
    enum finite_at at;
    enum finite_outcome lack; /* why it was ended before it could begin */
    bool head_only;
    void (*on_outcome)(struct stream_owner *owner, enum finite_outcome outcome, struct slice place,
                       struct buf *text);
    bool resumes;      /* from an id, and not only unless something is new */
    struct buf unless; /* the place that the client has; empty: none */
    struct buf since;  /* where to look from: that, or the id; empty: nowhere */
    int64_t wait_ms;
    struct timer *timer; /* until the topic is read, then until something comes */
    struct replay *news; /* LOOKS and WAITS: what was looked at */
    bool awaits;         /* counted as one that any record wakes */
    enum reset reset;    /* the id could not be honoured */
    uint64_t until;      /* WRITES: when that number is reached, a pass is over */
    uint64_t pass;       /* how many numbers it has */
    int stalled;         /* so many passes were no shorter than the one before */
};

/* -- the answer -- */

static void add_place(struct buf *out, const struct stream *s)
{
    progress_add_tagged(out, source_shown(s->source), selection_tag(s->reader.selection));
}

/* Appends the response's head, and the document's beginning. */
static void finite_add_answer(struct buf *out, const struct stream *s, enum finite_outcome outcome)
{
    const struct finite *f = s->finite;
    struct buf place = {0}, text = {0};
    size_t mark = fcgi_stdout_begin(out);

    if (outcome == FINITE_SAME)
        buf_add_slice(&place, buf_slice(&f->unless));
    else
        add_place(&place, s);
    f->on_outcome(s->owner, outcome, buf_slice(&place), &text);
    buf_add_slice(out, buf_slice(&text));
    fcgi_stdout_end(out, mark, 1);
    if (outcome == FINITE_DOCUMENT && !f->head_only)
        document_add_begin(out, f->reset != RESET_NONE ? reset_code(f->reset) : NULL);
    buf_fini(&text);
    buf_fini(&place);
}

/* It waits for nothing any more. */
static void finite_stop_waiting(struct stream *s)
{
    struct finite *f = s->finite;

    timer_stop(f->timer);
    s->source->awaited -= f->awaits;
    f->awaits = false;
}

/* `records` is the last of it. */
static void finite_end(struct stream *s, struct buf *records)
{
    s->finite->at = FINITE_WHOLE;
    reader_stop(&s->reader, s->source); /* what happens from now on is not for it */
    s->why = STREAM_END_WHOLE;
    fcgi_end_add(records, 1, FCGI_STATUS_COMPLETE); /* a full socket would not take it later */
    stream_put(s, buf_slice(records));
    buf_fini(records);
    if (s->sink.fd >= 0 && s->state != STREAM_BLOCKED)
        stream_end(s);
}

static void finite_answer_same(struct stream *s)
{
    struct buf records = {0};

    finite_stop_waiting(s);
    finite_add_answer(&records, s, FINITE_SAME);
    finite_end(s, &records);
}

/* -- the document -- */

/* All that there is was given to it: nothing stands before what is shown. */
static void finite_pass_all(const struct stream *s, struct progress *at)
{
    const struct progress *shown = source_shown(s->source);

    for (int32_t i = 0; i < at->n; i++)
        if (progress_get(shown, i) > at->next[i])
            at->next[i] = progress_get(shown, i);
}

/* `chunk` is all that is left: it is kept until it is sent, and so the place is that of now. */
static void finite_finish(struct stream *s, struct slice chunk)
{
    struct progress at = {0};
    struct buf records = {0};

    buf_add_slice(&records, chunk);
    if (chunk.n > 0)
        reader_sent(&s->reader, s->source, chunk.n);
    progress_copy(&at, reader_progress(&s->reader));
    finite_pass_all(s, &at);
    document_add_end(&records, &at, selection_tag(s->reader.selection));
    finite_end(s, &records);
    progress_fini(&at);
}

/* A key that is written again and again stands where the client has not come yet.  So it must come
 * to the end for once, which it does not if more is written than it takes. */
static bool finite_is_hopeless(struct stream *s)
{
    struct finite *f = s->finite;
    uint64_t number = replay_number(s->reader.replay), end = cache_end(s->source->cache);

    if (f->until == 0) { /* the first pass */
        f->until = end;
        f->pass = cache_count(s->source->cache);
    }
    if (number < f->until)
        return false;
    f->stalled = end - number < f->pass ? 0 : f->stalled + 1;
    f->pass = end - number;
    f->until = end;
    return f->stalled > FINITE_PATIENCE;
}

static void finite_go_on(struct stream *s)
{
    if (s->state != STREAM_REPLAYING)
        streams_set_state(s, STREAM_REPLAYING);
    loop_defer(s->all->loop, s->all->replays);
}

static void finite_write(struct stream *s, int64_t now_ms)
{
    struct iovec iov = {0};

    if (finite_is_hopeless(s) || s->reader.reset != RESET_NONE) {
        stream_end(s); /* without its last bracket */
        return;
    }
    int n = reader_next(&s->reader, s->source, &iov, 1);
    if (s->reader.reset != RESET_NONE)
        stream_end(s);
    else if (!s->reader.more && iov.iov_len <= FINITE_KEPT)
        finite_finish(s, slice_of(iov.iov_base, iov.iov_len));
    else if (n == 0 || stream_give(s, &iov, now_ms))
        finite_go_on(s);
}

/* There is something: from the id on, or all. */
static void finite_begin_document(struct stream *s, int64_t now_ms)
{
    struct finite *f = s->finite;
    struct source *source = s->source;
    struct buf records = {0};

    finite_stop_waiting(s);
    finite_look_again(s);
    reader_leave(&s->reader, source);
    f->reset = f->resumes ? s->reader.reset : RESET_NONE;
    if (!f->resumes && f->unless.n > 0)
        reader_start_over(&s->reader, source, RESET_NONE);
    source->counts.resets[f->reset] += f->reset != RESET_NONE;
    s->reader.reset = RESET_NONE;
    s->reader.tells = false;
    finite_add_answer(&records, s, FINITE_DOCUMENT);
    if (f->head_only) {
        finite_end(s, &records);
        return;
    }
    f->at = FINITE_WRITES;
    stream_put(s, buf_slice(&records));
    buf_fini(&records);
    if (s->sink.fd >= 0 && s->state != STREAM_BLOCKED)
        finite_write(s, now_ms);
}

/* -- is there something new? -- */

/* From the place that the client has; NULL: nobody knows what has come since. */
static struct replay *finite_news(const struct stream *s)
{
    struct slice since = buf_slice(&s->finite->since);
    struct resume *resume = resume_new(since, selection_tag(s->reader.selection));
    struct progress from = {0};
    struct replay *news = NULL;

    if (resume_judge(resume, s->source->cache, &from) == RESET_NONE)
        news = replay_resumed(s->source->cache, &from);
    progress_fini(&from);
    resume_free(resume);
    return news;
}

/* Looks at some more of the cache; *more: there is more. */
static bool finite_finds(const struct stream *s, bool *more)
{
    struct source *source = s->source;
    struct replay *news = s->finite->news;
    const struct replay_scope scope = {
        .cache = source->cache,
        .shown = source->catchup->hidden > 0 ? source_shown(source) : NULL,
        .selection = s->reader.selection,
        .shape = &source->shape,
    };

    if (replay_lost_deletes(news, source->cache, source_shown(source), 0))
        return true;
    chunk_clear(source->chunk);
    *more = replay_fill(news, &scope, 1, source->chunk);
    chunk_give_back(source->chunk);
    return source->chunk->events > 0;
}

/* It has seen more of a partition than others are shown here: its place is its replay's. */
static bool finite_is_ahead(const struct stream *s)
{
    const struct reader *r = &s->reader;

    return r->replay != NULL && replay_is_ahead(r->replay, source_shown(s->source));
}

/* Nothing is new so far. */
static void finite_wait(struct stream *s)
{
    struct finite *f = s->finite;

    if (f->wait_ms == 0) {
        finite_answer_same(s);
        return;
    }
    if (f->at == FINITE_LOOKS)
        timer_start(f->timer, f->wait_ms);
    f->at = FINITE_WAITS;
    if (s->reader.selection != NULL && !finite_is_ahead(s)) { /* its keys wake it */
        reader_watch(&s->reader, s->source);
        streams_set_state(s, STREAM_QUIET);
        return;
    }
    s->source->awaited += !f->awaits;
    f->awaits = true;
    streams_set_state(s, STREAM_READY); /* looks again with each flush */
}

static void finite_look(struct stream *s, int64_t now_ms)
{
    struct finite *f = s->finite;
    bool more = false;

    if (s->reader.at == READER_PICKING && !picker_has_any(&s->source->picks, s->reader.picker)) {
        streams_set_state(s, STREAM_QUIET);
        return;
    }
    if (f->news == NULL)
        f->news = finite_news(s);
    if (s->reader.reset != RESET_NONE || f->news == NULL || finite_finds(s, &more))
        finite_begin_document(s, now_ms);
    else if (more)
        finite_go_on(s);
    else
        finite_wait(s);
}

void finite_look_again(struct stream *s)
{
    replay_free(s->finite->news);
    s->finite->news = NULL;
}

/* -- what happens to the topic -- */

bool finite_void(struct stream *s)
{
    if (s->finite->at < FINITE_WRITES) {
        finite_look_again(s);
        return false;
    }
    stream_end(s); /* without its last bracket */
    return true;
}

void finite_put_back(struct stream *s)
{
    finite_look_again(s);
    s->finite->until = 0;
}

static void finite_refuse(struct stream *s, enum finite_outcome why)
{
    s->finite->lack = why;
    s->why = STREAM_END_WHOLE;
    stream_end(s);
}

static void finites_refuse_in(struct streams *all, enum stream_state state)
{
    struct stream *s, *next;

    for (s = TAILQ_FIRST(&all->in[state]); s != NULL; s = next) {
        next = TAILQ_NEXT(s, link);
        if (stream_is_finite(s))
            finite_refuse(s, FINITE_MISSING);
    }
}

void finites_refuse(struct streams *all)
{
    if (all->unanswered == 0)
        return;
    finites_refuse_in(all, STREAM_OPENED);
    finites_refuse_in(all, STREAM_WAITING);
    finites_refuse_in(all, STREAM_AHEAD);
}

/* -- life -- */

static void finite_on_timer(void *arg)
{
    enum { HELD_MS = 100 };
    struct stream *s = arg;
    struct finite *f = s->finite;

    if (s->state == STREAM_FINISHING)
        stream_end(s);
    else if (s->reader.at == READER_WAITING)
        finite_refuse(s, FINITE_NOT_LOADED);
    else if (f->at != FINITE_WAITS)
        return; /* it has begun just now */
    else if (s->reader.paused)
        timer_start(f->timer, HELD_MS);
    else if (f->unless.n > 0)
        finite_answer_same(s);
    else
        finite_begin_document(s, loop_now_ms());
}

void finite_call_last(struct stream *s, int64_t ms)
{
    timer_start(s->finite->timer, ms);
}

void finite_pump(struct stream *s, int64_t now_ms)
{
    struct finite *f = s->finite;

    if (s->state == STREAM_BLOCKED)
        streams_set_state(s, STREAM_REPLAYING);
    switch (f->at) {
    case FINITE_LOADS:
        s->all->unanswered--;
        timer_stop(f->timer);
        f->at = FINITE_LOOKS;
        if (f->since.n > 0 && !(f->resumes && s->reader.reset != RESET_NONE))
            finite_look(s, now_ms);
        else
            finite_begin_document(s, now_ms);
        break;
    case FINITE_LOOKS:
    case FINITE_WAITS:
        finite_look(s, now_ms);
        break;
    case FINITE_WRITES:
        finite_write(s, now_ms);
        break;
    case FINITE_WHOLE:
        stream_end(s);
        break;
    }
}

void finite_init(struct stream *s, const struct opening *opening)
{
    struct finite *f = mem_zero(sizeof *f);
    const struct finite_opening *finite = opening->finite;

    s->finite = f;
    f->on_outcome = finite->on_outcome;
    s->all->unanswered++;
    f->lack = FINITE_BROKEN;
    f->head_only = finite->head_only;
    f->resumes = opening->last_event_id.p != NULL;
    f->wait_ms = finite->wait_ms;
    buf_add_slice(&f->unless, finite->unless);
    if (finite->unless.p != NULL)
        buf_add_slice(&f->since, finite->unless);
    else if (f->wait_ms > 0)
        buf_add_slice(&f->since, opening->last_event_id);
    f->timer = timer_new(s->all->loop, finite_on_timer, s);
    timer_start(f->timer, FINITE_LOAD_MS);
}

bool finite_fini(struct stream *s)
{
    struct finite *f = s->finite;
    struct buf records = {0};
    bool whole = f->at == FINITE_WHOLE;

    finite_stop_waiting(s);
    s->all->unanswered -= f->at == FINITE_LOADS;
    if (f->at < FINITE_WRITES && s->why != STREAM_END_CLIENT) {
        finite_add_answer(&records, s, s->why == STREAM_END_TOKEN ? FINITE_TOKEN_OVER : f->lack);
        sink_put(&s->sink, s->reader.request_id, buf_slice(&records));
        buf_fini(&records);
    }
    finite_look_again(s);
    timer_free(f->timer);
    buf_fini(&f->unless);
    buf_fini(&f->since);
    free(f);
    return whole;
}

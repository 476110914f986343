#include "stream/fanout.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "stream/catchup.h"
#include "stream/mark.h"
#include "stream/stream.h"
#include "topic/cache.h"

enum {
    BACKLOG_BYTES = 4 * 1024 * 1024,
    FLUSH_BYTES = 64 * 1024,  /* enough to be worth a flush before its time */
    REPLAY_BYTES = 64 * 1024, /* of one stream in one turn */
    FLUSH_STREAMS = 256,      /* between two looks at everything else */
    REPLAY_STREAMS = 16,
    COMMENT_STREAMS = 256,
    FLUSH_US = 30, /* of each stream: half of what one lighttpd can pass on */
    FLUSH_MAX_MS = 100,
    FLUSHES_SAVED = 3, /* intervals that were not used, to be used at once */
    TIDY_MS = 1000,
    LAST_CALL_MS = 2000,
};

TAILQ_HEAD(streams, stream);

struct fanout {
    struct loop *loop;
    struct fanout_config config;
    struct consumer *consumer;
    struct cache *cache;
    struct backlog *backlog;
    struct chunk chunk; /* one for all replays, one at a time */
    struct streams in[STREAM_STATES];
    size_t count[STREAM_STATES];
    struct streams quiet;
    struct streams ended; /* to be freed at the end of the turn */
    struct task reap;
    size_t following; /* streams that do */
    bool topic_known; /* or known not to be there: another one that comes is made again */

    struct mark mark; /* what the WAITING wait for */
    struct catchup catchup;
    uint64_t answered; /* the last ticket of on_survey() */
    struct fanout_stats stats;
    struct traffic traffic;

    struct task start, flush, replay, tidy;
    struct timer *flush_timer, *keepalive_timer, *tidy_timer;
    size_t flush_left;    /* streams of the round under way */
    int64_t flush_due_ms; /* not before that */
    uint64_t unflushed;   /* bytes since the last round began */
    uint64_t flushing;    /* bytes of the round under way */
};

/* -- lists -- */

static void set_state(struct stream *s, enum stream_state state)
{
    struct fanout *f = s->fanout;

    TAILQ_REMOVE(&f->in[s->state], s, link);
    f->count[s->state]--;
    s->state = (uint8_t)state;
    TAILQ_INSERT_TAIL(&f->in[state], s, link);
    f->count[state]++;
}

enum { STARTED_STATES = 3 };
static const enum stream_state started[STARTED_STATES] = {STREAM_READY, STREAM_REPLAYING,
                                                          STREAM_BLOCKED};

static bool any_started(const struct fanout *f)
{
    return f->count[STREAM_REPLAYING] + f->count[STREAM_READY] + f->count[STREAM_BLOCKED] > 0;
}

size_t fanout_count(const struct fanout *f)
{
    size_t n = 0;

    for (int i = 0; i < STREAM_STATES; i++)
        n += f->count[i];
    return n;
}

size_t fanout_staying(const struct fanout *f)
{
    return fanout_count(f) - f->count[STREAM_FINISHING];
}

struct fanout_stats fanout_stats(const struct fanout *f)
{
    struct fanout_stats stats = f->stats;

    stats.sent_events = f->traffic.events;
    stats.sent_bytes = f->traffic.bytes;
    stats.cache_records = cache_count(f->cache);
    stats.cache_keys = cache_keys(f->cache);
    stats.cache_bytes = cache_bytes(f->cache);
    stats.cache_overflowed = cache_overflowed(f->cache);
    return stats;
}

struct stream *fanout_first(struct fanout *f)
{
    for (int i = 0; i < STREAM_FINISHING; i++)
        if (!TAILQ_EMPTY(&f->in[i]))
            return TAILQ_FIRST(&f->in[i]);
    return NULL;
}

static void reap(void *arg)
{
    struct fanout *f = arg;
    struct stream *s;

    while ((s = TAILQ_FIRST(&f->ended)) != NULL) {
        TAILQ_REMOVE(&f->ended, s, link);
        free(s);
    }
}

/* NULL: it goes on from the backlog. */
static void set_replay(struct stream *s, struct replay *replay)
{
    if (s->replay != NULL)
        s->no_deletes = replay_no_deletes(s->replay);
    replay_free(s->replay);
    s->replay = replay;
    s->fanout->following -= s->follows;
    s->follows = false;
}

/* It has seen more of some partition than streams are shown: only a replay can skip that, so the
 * replay takes the place of the backlog. */
static void follow(struct stream *s)
{
    s->fanout->following += !s->follows;
    s->follows = true;
}

/* Ends a stream.  The struct stays until the end of the turn. */
static void end(struct stream *s)
{
    struct fanout *f = s->fanout;

    if (s->fd < 0)
        return;
    watch_free(s->watch);
    timer_free(s->last_call);
    stream_close(s);
    set_replay(s, NULL);
    resume_free(s->resume);
    f->stats.ended[s->why]++;
    TAILQ_REMOVE(&f->quiet, s, quiet);
    TAILQ_REMOVE(&f->in[s->state], s, link);
    f->count[s->state]--;
    TAILQ_INSERT_TAIL(&f->ended, s, link);
    loop_defer(f->loop, &f->reap);
    if (s->owner.on_end != NULL)
        s->owner.on_end(s->owner.arg);
}

/* -- keep-alive -- */

static void touch(struct stream *s, int64_t now_ms)
{
    s->wrote_at_ms = now_ms;
    TAILQ_REMOVE(&s->fanout->quiet, s, quiet);
    TAILQ_INSERT_TAIL(&s->fanout->quiet, s, quiet);
}

static void start_keepalive(struct fanout *f)
{
    const struct stream *s = TAILQ_FIRST(&f->quiet);

    if (s != NULL && !timer_running(f->keepalive_timer))
        timer_start(f->keepalive_timer, s->wrote_at_ms + f->config.keepalive_ms - loop_now_ms());
}

/* -- sending -- */

static void block(struct stream *s)
{
    if (s->state == STREAM_REPLAYING || s->state == STREAM_READY)
        set_state(s, STREAM_BLOCKED);
    watch_change(s->watch, LOOP_READ | LOOP_WRITE);
}

/* One round of what the stream can be sent; false if it blocked or ended. */
static bool sent(struct stream *s, enum stream_result result, int64_t now_ms)
{
    if (result == STREAM_GONE) {
        end(s);
        return false;
    }
    touch(s, now_ms);
    if (result == STREAM_FULL) {
        block(s);
        return false;
    }
    return true;
}

/* The reset that the stream needs, with the place where its replay begins. */
static void put_reset(struct stream *s)
{
    struct buf event = {0}, json = {0};

    s->fanout->stats.resets++;
    s->fanout->traffic.events++;
    buf_printf(&json, "{\"reason\":\"%s\",\"detail\":\"%s\"}", reset_reason(s->reset),
               reset_detail(s->reset));
    buf_add_byte(&json, 0);
    event_encode_notice(&event, s->fanout->config.event_id, replay_progress(s->replay), "reset",
                        (const char *)json.p);
    stream_put(s, buf_slice(&event));
    buf_fini(&event);
    buf_fini(&json);
    s->reset = RESET_NONE;
}

/* It is to be reset, and to get what a fresh stream would. */
static void start_over(struct stream *s, enum reset why)
{
    set_replay(s, replay_fresh(s->fanout->cache));
    if (s->reset == RESET_NONE) /* else it has not been told yet */
        s->reset = why;
    stream_move(s, backlog_end(s->fanout->backlog));
}

/* How far streams may be. */
static const struct progress *shown(const struct fanout *f)
{
    return catchup_shown(&f->catchup, f->cache);
}

/* A turn's share of the replay; false if the stream has blocked or ended.  *more: there is more
 * now. */
static bool pump_replay(struct stream *s, int64_t now_ms, bool *more)
{
    struct fanout *f = s->fanout;

    if (replay_lost_deletes(s->replay, f->cache, shown(f)))
        start_over(s, RESET_DELETES_UNKNOWN);
    if (s->reset != RESET_NONE)
        put_reset(s);
    if (s->follows)
        stream_move(s, backlog_end(f->backlog));
    if (s->pending.n > 0 && !sent(s, stream_send_pending(s), now_ms))
        return false;
    if (replay_looks_for_gaps(s->replay, f->cache)) {
        struct progress at = {0};
        backlog_progress(&s->place, &at);
        replay_bound(s->replay, &at);
        progress_fini(&at);
    }
    *more = replay_fill(s->replay, f->cache, f->catchup.hidden ? shown(f) : NULL,
                        f->config.event_id, backlog_number(&s->place), REPLAY_BYTES, &f->chunk);
    f->stats.gaps += f->chunk.gaps;
    enum stream_result result = stream_send_chunk(s, &f->chunk);
    if (!*more && result == STREAM_DONE && !replay_is_ahead(s->replay, shown(f)))
        set_replay(s, NULL);
    return f->chunk.bytes.n == 0 || sent(s, result, now_ms);
}

/* Sends what there is for a started stream. */
static void pump(struct stream *s, int64_t now_ms)
{
    struct fanout *f = s->fanout;
    bool more = false;

    if (s->pending.n > 0 && !sent(s, stream_send_pending(s), now_ms))
        return;
    if (s->held) {
        if (s->state != STREAM_BLOCKED)
            set_state(s, STREAM_BLOCKED);
        return;
    }
    if (s->replay != NULL && !pump_replay(s, now_ms, &more))
        return;
    if (s->replay != NULL && !more && !s->follows) {
        follow(s);
        more = true; /* what stands in the backlog from its place on */
    }
    if (more) {
        if (s->state != STREAM_REPLAYING)
            set_state(s, STREAM_REPLAYING);
        loop_defer(f->loop, &f->replay);
        return;
    }
    if (!backlog_at_end(f->backlog, &s->place) && !sent(s, stream_send_backlog(s), now_ms))
        return;
    if (s->state != STREAM_READY)
        set_state(s, STREAM_READY);
}

static void run_replays(void *arg)
{
    struct fanout *f = arg;
    int64_t now = loop_now_ms();
    size_t n = f->count[STREAM_REPLAYING];

    for (n = n < REPLAY_STREAMS ? n : REPLAY_STREAMS; n > 0; n--) {
        struct stream *s = TAILQ_FIRST(&f->in[STREAM_REPLAYING]);
        if (s == NULL)
            return;
        set_state(s, STREAM_REPLAYING); /* to the end of the queue */
        pump(s, now);
    }
    if (f->count[STREAM_REPLAYING] > 0)
        loop_defer(f->loop, &f->replay);
}

/* Streams that keep up must not fall out of the backlog because records come in faster than the
 * flush gets round. */
static bool is_behind(const struct fanout *f)
{
    return f->unflushed + f->flushing > BACKLOG_BYTES / 2;
}

static void hold_if_behind(struct fanout *f)
{
    consumer_hold(f->consumer, is_behind(f));
}

/* A flush of all who are ready begins: when may the next one?  By itself the interval grows with
 * the streams, and limits the mean only: at a low rate nothing ever waits for it, however the
 * records fall. */
static void set_flush_due(struct fanout *f, int64_t now)
{
    int64_t interval = f->config.flush_ms, saved = 0;

    if (interval < 0) {
        interval = (int64_t)f->count[STREAM_READY] * FLUSH_US / 1000;
        if (interval > FLUSH_MAX_MS)
            interval = FLUSH_MAX_MS;
        saved = FLUSHES_SAVED * interval;
    }
    if (f->flush_due_ms > now) /* so much had come that it went early */
        f->flush_due_ms = now;
    if (f->flush_due_ms < now - saved)
        f->flush_due_ms = now - saved;
    f->flush_due_ms += interval;
}

/* The first event after a quiet time goes at once; in a stream of them, one flush in a while. */
static void schedule_flush(struct fanout *f)
{
    if (f->unflushed == 0 || f->flush_left > 0 || f->flush.queued)
        return;
    int64_t wait = f->flush_due_ms - loop_now_ms();
    if (wait <= 0 || f->unflushed >= FLUSH_BYTES)
        loop_defer(f->loop, &f->flush);
    else if (!timer_running(f->flush_timer))
        timer_start(f->flush_timer, wait);
}

static void run_flush(void *arg)
{
    struct fanout *f = arg;
    int64_t now = loop_now_ms();

    if (f->flush_left == 0) {
        f->flush_left = f->count[STREAM_READY];
        f->flushing = f->unflushed;
        f->unflushed = 0;
        set_flush_due(f, now);
    }
    for (int i = 0; i < FLUSH_STREAMS && f->flush_left > 0; i++, f->flush_left--) {
        struct stream *s = TAILQ_FIRST(&f->in[STREAM_READY]);
        if (s == NULL) {
            f->flush_left = 0;
            break;
        }
        set_state(s, STREAM_READY); /* to the end of the queue */
        pump(s, now);
    }
    if (f->flush_left > 0) {
        loop_defer(f->loop, &f->flush);
        return;
    }
    f->flushing = 0;
    hold_if_behind(f);
    if (cache_untidy(f->cache))
        loop_defer(f->loop, &f->tidy);
    schedule_flush(f);
}

static void on_flush_timer(void *arg)
{
    struct fanout *f = arg;
    loop_defer(f->loop, &f->flush);
}

static void on_keepalive(void *arg)
{
    struct fanout *f = arg;
    int64_t now = loop_now_ms();
    struct stream *s;
    struct buf comment = {0};

    size_t mark = fcgi_stdout_begin(&comment);
    buf_add_str(&comment, ":\n"); /* no blank line: some libraries make an event of it */
    fcgi_stdout_end(&comment, mark, 1);
    for (int i = 0; i < COMMENT_STREAMS; i++) { /* after a stall they are all due at once */
        s = TAILQ_FIRST(&f->quiet);
        if (s == NULL || s->wrote_at_ms + f->config.keepalive_ms > now)
            break;
        touch(s, now);
        if (s->state >= STREAM_BLOCKED || s->state == STREAM_REPLAYING || s->pending.n > 0)
            continue; /* not silent, but slow */
        stream_put(s, buf_slice(&comment));
        sent(s, stream_send_pending(s), now);
    }
    buf_fini(&comment);
    start_keepalive(f);
}

/* A record that is in the cache by now goes to the streams, unless its partition is hidden. */
static void publish(struct fanout *f, uint64_t number, const struct record *r)
{
    uint64_t had = backlog_added(f->backlog);

    if (f->catchup.hidden > 0 && !catchup_pass(&f->catchup, r->partition, record_next(r)))
        return;
    if (!any_started(f))
        return;
    backlog_add(f->backlog, f->config.event_id, number, shown(f), r);
    f->unflushed += backlog_added(f->backlog) - had;
}

/* What the cache has put off, a piece in each turn. */
static void tidy(void *arg)
{
    struct fanout *f = arg;
    uint64_t number = cache_end(f->cache);
    struct record r;

    if (is_behind(f))
        return; /* run_flush() comes back to it */
    bool more = cache_tidy(f->cache, loop_now_ms());
    struct cache_walk aged = cache_walk(f->cache, number, cache_end(f->cache));
    while (cache_walk_next(&aged, &r, &number))
        publish(f, number, &r);
    schedule_flush(f);
    if (more)
        loop_defer(f->loop, &f->tidy);
}

static void on_tidy_timer(void *arg)
{
    struct fanout *f = arg;

    loop_defer(f->loop, &f->tidy);
    timer_start(f->tidy_timer, TIDY_MS);
}

/* -- starting -- */

static void begin(struct stream *s)
{
    struct fanout *f = s->fanout;

    if (!any_started(f)) /* nobody was there to encode for */
        backlog_reset(f->backlog, cache_end(f->cache), shown(f));
    set_replay(s, resume_replay(s->resume, f->cache, &s->reset));
    if (replay_is_ahead(s->replay, shown(f)))
        follow(s);
    stream_move(s, backlog_end(f->backlog));
    resume_free(s->resume);
    s->resume = NULL;
    set_state(s, STREAM_REPLAYING);
    loop_defer(f->loop, &f->replay); /* thousands may begin at once */
}

static void start(struct stream *s)
{
    struct fanout *f = s->fanout;

    if (s->resume == NULL || !resume_is_ahead(s->resume, f->cache)) {
        begin(s);
        return;
    }
    resume_await(s->resume, consumer_ask(f->consumer));
    set_state(s, STREAM_AHEAD);
}

static void judge_ahead(struct fanout *f)
{
    struct stream *s, *next;

    for (s = TAILQ_FIRST(&f->in[STREAM_AHEAD]); s != NULL; s = next) {
        next = TAILQ_NEXT(s, link);
        if (resume_decide(s->resume, f->cache, f->consumer, f->answered))
            begin(s);
    }
}

/* Streams that began ahead of a partition that nobody could be asked about: its log may end below
 * their place. */
static void judge_following(struct fanout *f)
{
    struct stream *s, *next;

    for (size_t i = 0; f->following > 0 && i < STARTED_STATES; i++)
        for (s = TAILQ_FIRST(&f->in[started[i]]); s != NULL; s = next) {
            next = TAILQ_NEXT(s, link);
            if (!s->follows ||
                !resume_is_refuted(replay_progress(s->replay), f->cache, f->consumer))
                continue;
            start_over(s, RESET_ID_BEYOND_END);
            if (s->state == STREAM_READY)
                set_state(s, STREAM_REPLAYING);
            loop_defer(f->loop, &f->replay);
        }
}

/* The stream goes on from the cache; its place in the backlog is to be set anew. */
static void leave_backlog(struct stream *s)
{
    struct fanout *f = s->fanout;

    if (s->replay == NULL) {
        struct progress at = {0};
        uint64_t number = backlog_number(&s->place);
        backlog_progress(&s->place, &at);
        stream_settle(s);
        set_replay(s, replay_behind(number, &at, s->no_deletes));
        progress_fini(&at);
    }
    if (s->state == STREAM_READY)
        set_state(s, STREAM_REPLAYING);
    loop_defer(f->loop, &f->replay);
}

static void leave_backlog_all(struct fanout *f)
{
    struct stream *s, *next;

    for (size_t i = 0; i < STARTED_STATES; i++)
        for (s = TAILQ_FIRST(&f->in[started[i]]); s != NULL; s = next) {
            next = TAILQ_NEXT(s, link);
            leave_backlog(s);
        }
}

/* The partition's end has been reached: all streams go back for what they were not shown. */
static void show_partition(struct fanout *f, int32_t partition)
{
    struct stream *s;
    struct replay_hidden hidden;

    bool any = catchup_show(&f->catchup, partition, f->cache, &hidden);
    if (!any_started(f))
        return;
    if (!any) {
        backlog_pass(f->backlog, partition, progress_get(cache_progress(f->cache), partition));
        return;
    }
    leave_backlog_all(f);
    backlog_reset(f->backlog, cache_end(f->cache), shown(f));
    for (size_t i = 0; i < STARTED_STATES; i++)
        TAILQ_FOREACH(s, &f->in[started[i]], link)
        {
            stream_move(s, backlog_end(f->backlog));
            if (!replay_return(s->replay, f->cache, shown(f), &hidden))
                start_over(s, RESET_DELETES_UNKNOWN);
        }
}

static void catch_up(struct fanout *f)
{
    bool had = f->stats.caught_up;
    int32_t partition;

    while ((partition = catchup_due(&f->catchup, f->consumer)) >= 0)
        show_partition(f, partition);
    f->stats.caught_up = catchup_done(&f->catchup, f->consumer);
    if (f->stats.caught_up && !had)
        malloc_trim(0); /* what librdkafka has freed of a large topic would stay ours for ever */
}

static void start_waiting(void *arg)
{
    struct fanout *f = arg;
    int32_t n = cache_progress(f->cache)->n;

    if (!consumer_ready(f->consumer) || n == 0)
        return;
    if (f->catchup.hidden > 0 || !f->stats.caught_up)
        catch_up(f);
    if (!f->stats.caught_up)
        return;
    for (;;) {
        if (!f->mark.set && f->count[STREAM_OPENED] > 0) {
            mark_set(&f->mark, f->consumer, n);
            while (!TAILQ_EMPTY(&f->in[STREAM_OPENED]))
                set_state(TAILQ_FIRST(&f->in[STREAM_OPENED]), STREAM_WAITING);
        }
        if (!f->mark.set || !mark_reached(&f->mark, f->consumer))
            return;
        f->mark.set = false;
        while (!TAILQ_EMPTY(&f->in[STREAM_WAITING]))
            start(TAILQ_FIRST(&f->in[STREAM_WAITING]));
    }
}

/* -- from the consumer -- */

/* The oldest events go: whoever still stands there goes on from the cache. */
static void on_backlog_drop(void *arg, struct block *block)
{
    struct fanout *f = arg;
    struct stream *s, *next;

    for (size_t i = 0; i < STARTED_STATES; i++) {
        for (s = TAILQ_FIRST(&f->in[started[i]]); s != NULL; s = next) {
            next = TAILQ_NEXT(s, link);
            if (s->place.block != block)
                continue;
            f->stats.conflations += s->replay == NULL;
            leave_backlog(s);
            stream_move(s, backlog_end(f->backlog));
        }
    }
}

/* Its id, if it has one, leads nowhere any more. */
static void forget_id(struct stream *s, enum reset why)
{
    resume_free(s->resume);
    s->resume = resume_none(why);
}

/* What was shown is void: all who have been shown something wait for another beginning. */
static void reopen_started(struct fanout *f, enum reset why)
{
    struct stream *s;

    for (size_t i = 0; i < STARTED_STATES; i++)
        while ((s = TAILQ_FIRST(&f->in[started[i]])) != NULL) {
            stream_settle(s);
            set_replay(s, NULL);
            stream_move(s, (struct place){0});
            forget_id(s, s->reset == RESET_NONE ? why : s->reset);
            set_state(s, STREAM_OPENED);
        }
    while (!TAILQ_EMPTY(&f->in[STREAM_AHEAD]))
        set_state(TAILQ_FIRST(&f->in[STREAM_AHEAD]), STREAM_OPENED);
    while (!TAILQ_EMPTY(&f->in[STREAM_WAITING]))
        set_state(TAILQ_FIRST(&f->in[STREAM_WAITING]), STREAM_OPENED);
    f->mark.set = f->stats.caught_up = false;
}

static void on_topic(void *arg, bool compacted, int64_t delete_retention_ms)
{
    struct fanout *f = arg;
    struct stream *s;

    reopen_started(f, RESET_TOPIC_NEW);
    TAILQ_FOREACH(s, &f->in[STREAM_OPENED], link)
    {
        if (f->topic_known && s->resume != NULL)
            forget_id(s, RESET_TOPIC_NEW);
    }
    f->topic_known = true;
    catchup_fini(&f->catchup);
    cache_reset(f->cache, compacted, delete_retention_ms);
    backlog_reset(f->backlog, cache_end(f->cache), shown(f));
}

static void on_missing(void *arg)
{
    struct fanout *f = arg;
    f->topic_known = true;
}

static void on_retention(void *arg, int64_t delete_retention_ms)
{
    struct fanout *f = arg;
    cache_set_retention(f->cache, delete_retention_ms);
}

static void on_partitions(void *arg, int32_t n)
{
    struct fanout *f = arg;
    int32_t had = cache_progress(f->cache)->n;

    cache_set_partitions(f->cache, n);
    for (int32_t i = had; i < n; i++)
        catchup_hide(&f->catchup, i, f->cache);
}

static void on_given_up(void *arg, int32_t partition)
{
    struct fanout *f = arg;
    catchup_hide(&f->catchup, partition, f->cache);
}

/* What the cache holds may have been deleted long ago.  Only the log can say; ids that were not
 * judged yet will be, for it is the same topic. */
static void read_anew(struct fanout *f)
{
    reopen_started(f, RESET_DELETES_UNKNOWN);
    f->topic_known = false;
    consumer_read_anew(f->consumer, "a partition was away for longer than delete.retention.ms, "
                                    "its deletes may have been missed");
}

/* The broker has deleted what was not read here yet: nobody can be given it, so everybody is told,
 * by a gap, or by a reset where deletes may be among it. */
static void lose_unread(struct fanout *f, int32_t partition, int64_t offset)
{
    struct stream *s;

    leave_backlog_all(f);
    cache_set_origin(f->cache, partition, offset);
    if (f->catchup.hidden > 0)
        catchup_pass(&f->catchup, partition, offset);
    backlog_reset(f->backlog, cache_end(f->cache), shown(f));
    for (size_t i = 0; i < STARTED_STATES; i++)
        TAILQ_FOREACH(s, &f->in[started[i]], link)
        {
            stream_move(s, backlog_end(f->backlog));
            if (cache_compacted(f->cache))
                start_over(s, RESET_DELETES_UNKNOWN);
        }
}

static void on_origin(void *arg, int32_t partition, int64_t offset)
{
    struct fanout *f = arg;
    int64_t next = progress_get(cache_progress(f->cache), partition);
    bool loses = next >= 0 && offset > next;

    if (loses && !catchup_is_hidden(&f->catchup, partition)) {
        lose_unread(f, partition, offset);
        return;
    }
    catchup_begin(&f->catchup, partition, offset);
    if (loses)
        catchup_pass(&f->catchup, partition, offset); /* it is told when it is shown */
    cache_set_origin(f->cache, partition, offset);
}

static void on_record(void *arg, const struct record *r)
{
    struct fanout *f = arg;
    f->stats.records++;
    uint64_t number = cache_append(f->cache, r, loop_now_ms(), loop_wall_ms());

    if (cache_outdated(f->cache)) {
        read_anew(f);
        return;
    }
    publish(f, number, r);
    if (f->unflushed >= FLUSH_BYTES) {
        schedule_flush(f);
        hold_if_behind(f);
    }
}

static void on_position(void *arg, int32_t partition, int64_t next)
{
    struct fanout *f = arg;
    bool moves = next > progress_get(cache_progress(f->cache), partition);

    cache_advance(f->cache, partition, next, loop_now_ms(), loop_wall_ms());
    if (cache_outdated(f->cache)) {
        read_anew(f);
        return;
    }
    if (!moves || catchup_is_hidden(&f->catchup, partition))
        return;
    if (f->catchup.hidden > 0)
        catchup_pass(&f->catchup, partition, next);
    if (any_started(f))
        backlog_pass(f->backlog, partition, next);
}

static void on_end(void *arg, int32_t partition, int64_t at_ms)
{
    struct fanout *f = arg;
    cache_ended(f->cache, partition, at_ms);
}

static void on_survey(void *arg, uint64_t ticket)
{
    struct fanout *f = arg;

    if (!consumer_ready(f->consumer))
        return;
    f->answered = ticket;
    judge_following(f);
    judge_ahead(f);
}

static void on_settled(void *arg)
{
    struct fanout *f = arg;

    if (f->count[STREAM_AHEAD] > 0 && consumer_ready(f->consumer))
        judge_ahead(f);
    start_waiting(f);
    schedule_flush(f);
    start_keepalive(f);
    if (cache_untidy(f->cache))
        loop_defer(f->loop, &f->tidy);
}

struct consumer_handler fanout_handler(struct fanout *f)
{
    return (struct consumer_handler){
        .arg = f,
        .partitions_max = EVENT_ID_PARTITIONS,
        .on_topic = on_topic,
        .on_missing = on_missing,
        .on_retention = on_retention,
        .on_partitions = on_partitions,
        .on_origin = on_origin,
        .on_record = on_record,
        .on_position = on_position,
        .on_end = on_end,
        .on_given_up = on_given_up,
        .on_survey = on_survey,
        .on_settled = on_settled,
    };
}

void fanout_attach(struct fanout *f, struct consumer *consumer)
{
    f->consumer = consumer;
}

/* -- from the front -- */

static void on_io(void *arg, int what)
{
    struct stream *s = arg;

    if ((what & LOOP_READ) && stream_input_ends(s)) {
        end(s);
        return;
    }
    if (!(what & LOOP_WRITE))
        return;
    watch_change(s->watch, LOOP_READ);
    if (s->state == STREAM_BLOCKED)
        pump(s, loop_now_ms());
    else if (sent(s, stream_send_pending(s), loop_now_ms()) && s->state == STREAM_FINISHING)
        end(s);
}

struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, struct slice head,
                           struct slice last_event_id, const struct stream_owner *owner)
{
    struct stream *s = mem_zero(sizeof *s);

    f->stats.opened++;
    s->fanout = f;
    s->traffic = &f->traffic;
    s->fd = fd;
    s->request_id = id;
    if (owner != NULL)
        s->owner = *owner;
    s->watch = watch_new(f->loop, fd, LOOP_READ, on_io, s);
    s->state = STREAM_OPENED;
    TAILQ_INSERT_TAIL(&f->in[STREAM_OPENED], s, link);
    f->count[STREAM_OPENED]++;
    TAILQ_INSERT_TAIL(&f->quiet, s, quiet);
    s->resume = last_event_id.p ? resume_new(last_event_id) : NULL;
    stream_put(s, head);
    if (sent(s, stream_send_pending(s), loop_now_ms()))
        loop_defer(f->loop, &f->start); /* once for all that come in a turn */
    start_keepalive(f);
    return s->fd < 0 ? NULL : s;
}

void fanout_say(struct stream *s, struct slice records)
{
    if (s->fd < 0 || s->state == STREAM_FINISHING)
        return;
    stream_settle(s);
    stream_put(s, records);
    if (s->state != STREAM_BLOCKED)
        sent(s, stream_send_pending(s), loop_now_ms());
}

void fanout_hold(struct stream *s, bool hold)
{
    if (s->fd < 0 || s->state == STREAM_FINISHING || s->held == hold)
        return;
    s->held = hold;
    if (hold)
        stream_settle(s);
    if (s->state == STREAM_BLOCKED ? !hold
                                   : s->state == STREAM_READY || s->state == STREAM_REPLAYING)
        pump(s, loop_now_ms());
}

static void on_last_call(void *arg)
{
    end(arg);
}

void fanout_finish(struct stream *s, enum stream_end why)
{
    struct fanout *f = s->fanout;

    if (s->fd < 0 || s->state == STREAM_FINISHING)
        return;
    s->why = (uint8_t)why;
    stream_settle(s);
    set_replay(s, NULL);
    stream_move(s, (struct place){0});
    bool full = s->pending.n > 0 && stream_send_pending(s) == STREAM_FULL;
    if (!full) {
        end(s);
        return;
    }
    set_state(s, STREAM_FINISHING);
    watch_change(s->watch, LOOP_READ | LOOP_WRITE);
    s->last_call = timer_new(f->loop, on_last_call, s);
    timer_start(s->last_call, LAST_CALL_MS);
}

/* -- life -- */

struct fanout *fanout_new(struct loop *loop, const struct fanout_config *config)
{
    struct fanout *f = mem_zero(sizeof *f);

    f->loop = loop;
    f->config = *config;
    for (int i = 0; i < STREAM_STATES; i++)
        TAILQ_INIT(&f->in[i]);
    TAILQ_INIT(&f->quiet);
    TAILQ_INIT(&f->ended);
    f->cache = cache_new(config->cache_bytes);
    f->backlog = backlog_new(BACKLOG_BYTES, on_backlog_drop, f);
    f->reap = (struct task){.run = reap, .arg = f};
    f->start = (struct task){.run = start_waiting, .arg = f};
    f->flush = (struct task){.run = run_flush, .arg = f};
    f->replay = (struct task){.run = run_replays, .arg = f};
    f->tidy = (struct task){.run = tidy, .arg = f};
    f->flush_timer = timer_new(loop, on_flush_timer, f);
    f->keepalive_timer = timer_new(loop, on_keepalive, f);
    f->tidy_timer = timer_new(loop, on_tidy_timer, f);
    timer_start(f->tidy_timer, TIDY_MS);
    return f;
}

void fanout_free(struct fanout *f)
{
    if (f == NULL)
        return;
    for (int i = 0; i < STREAM_STATES; i++)
        while (!TAILQ_EMPTY(&f->in[i]))
            end(TAILQ_FIRST(&f->in[i]));
    loop_cancel(f->loop, &f->reap);
    loop_cancel(f->loop, &f->start);
    loop_cancel(f->loop, &f->flush);
    loop_cancel(f->loop, &f->replay);
    loop_cancel(f->loop, &f->tidy);
    reap(f);
    timer_free(f->flush_timer);
    timer_free(f->keepalive_timer);
    timer_free(f->tidy_timer);
    chunk_fini(&f->chunk);
    mark_fini(&f->mark);
    catchup_fini(&f->catchup);
    backlog_free(f->backlog);
    cache_free(f->cache);
    free(f);
}

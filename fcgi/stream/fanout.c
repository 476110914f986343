#include "stream/fanout.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stream/flush.h"
#include "stream/keepalive.h"
#include "stream/source.h"
#include "stream/starting.h"
#include "stream/streams.h"

enum {
    BACKLOG_BYTES = 4 * 1024 * 1024,
    TIDY_MS = 1000,
};

struct fanout {
    struct loop *loop;
    struct consumer *consumer;
    struct source source;
    struct streams streams;
    struct starting starting;
    struct flush flush;
    struct keepalive keepalive;
    bool topic_known; /* or known not to be there: another one that comes is made again */
    bool caught_up;
    uint64_t records;
    struct task start, tidy;
    struct timer *tidy_timer;
};

/* -- to the streams -- */

static bool is_behind(const struct fanout *f)
{
    return pace_is_behind(&f->flush.pace, BACKLOG_BYTES);
}

/* A record that is in the cache by now. */
static void publish(struct fanout *f, uint64_t number, const struct record *r)
{
    pace_add(&f->flush.pace,
             source_publish(&f->source, number, r, streams_any_started(&f->streams)));
}

static void on_flushed(void *arg)
{
    struct fanout *f = arg;

    consumer_hold(f->consumer, is_behind(f));
    if (cache_untidy(f->source.cache))
        loop_defer(f->loop, &f->tidy);
}

/* What the cache has put off, a piece in each turn. */
static void tidy(void *arg)
{
    struct fanout *f = arg;
    struct cache *cache = f->source.cache;
    uint64_t number = cache_end(cache);
    struct record r;

    if (is_behind(f))
        return; /* on_flushed() comes back to it */
    bool more = cache_tidy(cache, loop_now_ms());
    struct cache_walk aged = cache_walk(cache, number, cache_end(cache));
    while (cache_walk_next(&aged, &r, &number))
        publish(f, number, &r);
    flush_schedule(&f->flush);
    if (more)
        loop_defer(f->loop, &f->tidy);
}

static void on_tidy_timer(void *arg)
{
    struct fanout *f = arg;

    loop_defer(f->loop, &f->tidy);
    timer_start(f->tidy_timer, TIDY_MS);
}

/* -- readers that leave the backlog -- */

struct drop_visit {
    struct source *source;
    const struct block *block;
};

static void drop_block(struct stream *s, void *arg)
{
    const struct drop_visit *visit = arg;

    if (reader_drop(&s->reader, visit->source, visit->block))
        streams_replay(s);
}

/* The oldest events go: whoever still stands there goes on from the cache. */
static void on_backlog_drop(void *arg, struct block *block)
{
    struct fanout *f = arg;
    struct drop_visit visit = {&f->source, block};

    streams_each_started(&f->streams, drop_block, &visit);
}

static void leave_backlog(struct stream *s, void *arg)
{
    reader_leave(&s->reader, arg);
    streams_replay(s);
}

static void start_over(struct stream *s, void *arg)
{
    reader_start_over(&s->reader, arg, RESET_DELETES_UNKNOWN);
}

/* -- partitions that are caught up with -- */

struct return_visit {
    struct source *source;
    struct hidden hidden;
};

static void return_for_hidden(struct stream *s, void *arg)
{
    const struct return_visit *visit = arg;

    reader_return(&s->reader, visit->source, &visit->hidden);
    streams_replay(s);
}

/* The partition's end has been reached: all streams go back for what they were not shown. */
static void show_partition(struct fanout *f, int32_t partition)
{
    struct source *source = &f->source;
    struct return_visit visit = {.source = source};

    bool any = catchup_show(&source->catchup, partition, source->cache, &visit.hidden);
    if (!streams_any_started(&f->streams))
        return;
    if (!any) {
        backlog_pass(source->backlog, partition,
                     progress_get(cache_progress(source->cache), partition));
        return;
    }
    streams_each_started(&f->streams, return_for_hidden, &visit);
    source_restart_backlog(source);
}

static void catch_up(struct fanout *f)
{
    struct catchup *catchup = &f->source.catchup;
    bool had = f->caught_up;
    int32_t partition;

    while ((partition = catchup_due(catchup, f->consumer)) >= 0)
        show_partition(f, partition);
    f->caught_up = catchup_done(catchup, f->consumer);
    if (f->caught_up && !had)
        malloc_trim(0); /* what librdkafka has freed of a large topic would stay ours for ever */
}

static bool is_caught_up(const struct fanout *f)
{
    return f->caught_up && f->source.catchup.hidden == 0;
}

static void start_streams(void *arg)
{
    struct fanout *f = arg;

    if (!consumer_ready(f->consumer) || cache_progress(f->source.cache)->n == 0)
        return;
    if (!is_caught_up(f))
        catch_up(f);
    if (f->caught_up)
        starting_run(&f->starting);
}

/* -- from the consumer -- */

static void on_topic(void *arg, bool compacted, int64_t delete_retention_ms)
{
    struct fanout *f = arg;
    struct stream *s;

    starting_over(&f->starting, RESET_TOPIC_NEW);
    f->caught_up = false;
    TAILQ_FOREACH(s, &f->streams.in[STREAM_OPENED], link)
    {
        if (f->topic_known && s->reader.resume != NULL)
            reader_void(&s->reader, &f->source, RESET_TOPIC_NEW);
    }
    f->topic_known = true;
    catchup_fini(&f->source.catchup);
    cache_reset(f->source.cache, compacted, delete_retention_ms);
    source_restart_backlog(&f->source);
}

static void on_missing(void *arg)
{
    struct fanout *f = arg;

    f->topic_known = true;
}

static void on_retention(void *arg, int64_t delete_retention_ms)
{
    struct fanout *f = arg;

    cache_set_retention(f->source.cache, delete_retention_ms);
}

static void on_partitions(void *arg, int32_t n)
{
    struct fanout *f = arg;
    struct source *source = &f->source;
    int32_t had = cache_progress(source->cache)->n;

    cache_set_partitions(source->cache, n);
    for (int32_t i = had; i < n; i++)
        catchup_hide(&source->catchup, i, source->cache);
}

static void on_given_up(void *arg, int32_t partition)
{
    struct fanout *f = arg;

    catchup_hide(&f->source.catchup, partition, f->source.cache);
}

/* What the cache holds may have been deleted long ago.  Only the log can say; ids that were not
 * judged yet will be, for it is the same topic. */
static void read_anew(struct fanout *f)
{
    starting_over(&f->starting, RESET_DELETES_UNKNOWN);
    f->caught_up = f->topic_known = false;
    consumer_read_anew(f->consumer, "a partition was away for longer than delete.retention.ms, "
                                    "its deletes may have been missed");
}

/* The broker has deleted what was not read here yet: nobody can be given it, so everybody is told,
 * by a gap, or by a reset where deletes may be among it. */
static void lose_unread(struct fanout *f, int32_t partition, int64_t offset)
{
    struct source *source = &f->source;

    streams_each_started(&f->streams, leave_backlog, source);
    cache_set_origin(source->cache, partition, offset);
    if (source->catchup.hidden > 0)
        catchup_pass(&source->catchup, partition, offset);
    source_restart_backlog(source);
    if (cache_compacted(source->cache))
        streams_each_started(&f->streams, start_over, source);
}

static void on_origin(void *arg, int32_t partition, int64_t offset)
{
    struct fanout *f = arg;
    struct source *source = &f->source;
    int64_t next = progress_get(cache_progress(source->cache), partition);
    bool loses = next >= 0 && offset > next;

    if (loses && !catchup_is_hidden(&source->catchup, partition)) {
        lose_unread(f, partition, offset);
        return;
    }
    catchup_begin(&source->catchup, partition, offset);
    if (loses)
        catchup_pass(&source->catchup, partition, offset); /* it is told when it is shown */
    cache_set_origin(source->cache, partition, offset);
}

static void on_record(void *arg, const struct record *r)
{
    struct fanout *f = arg;
    struct cache *cache = f->source.cache;

    f->records++;
    uint64_t number = cache_append(cache, r, loop_now_ms(), loop_wall_ms());
    if (cache_outdated(cache)) {
        read_anew(f);
        return;
    }
    publish(f, number, r);
    if (pace_is_much(&f->flush.pace)) {
        flush_schedule(&f->flush);
        consumer_hold(f->consumer, is_behind(f));
    }
}

static void on_position(void *arg, int32_t partition, int64_t next)
{
    struct fanout *f = arg;
    struct cache *cache = f->source.cache;
    bool moves = next > progress_get(cache_progress(cache), partition);

    cache_advance(cache, partition, next, loop_now_ms(), loop_wall_ms());
    if (cache_outdated(cache)) {
        read_anew(f);
        return;
    }
    if (moves)
        source_pass(&f->source, partition, next, streams_any_started(&f->streams));
}

static void on_end(void *arg, int32_t partition, int64_t at_ms)
{
    struct fanout *f = arg;

    cache_ended(f->source.cache, partition, at_ms);
}

static void on_survey(void *arg, uint64_t ticket)
{
    struct fanout *f = arg;

    if (consumer_ready(f->consumer))
        starting_surveyed(&f->starting, ticket);
}

static void on_settled(void *arg)
{
    struct fanout *f = arg;

    if (f->streams.count[STREAM_AHEAD] > 0 && consumer_ready(f->consumer))
        starting_judge_ahead(&f->starting);
    if (!is_caught_up(f) || starting_any(&f->starting))
        start_streams(f);
    flush_schedule(&f->flush);
    keepalive_schedule(&f->keepalive);
    if (cache_untidy(f->source.cache))
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
    f->consumer = f->starting.consumer = consumer;
}

/* -- from the front -- */

struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, struct slice head,
                           struct slice last_event_id, const struct stream_owner *owner)
{
    struct stream *s = stream_open(&f->streams, fd, id, head, last_event_id, owner);

    if (s != NULL)
        loop_defer(f->loop, &f->start); /* once for all that come in a turn */
    keepalive_schedule(&f->keepalive);
    return s;
}

size_t fanout_count(const struct fanout *f)
{
    return streams_count(&f->streams);
}

size_t fanout_staying(const struct fanout *f)
{
    return streams_staying(&f->streams);
}

struct stream *fanout_first(struct fanout *f)
{
    return streams_first(&f->streams);
}

struct fanout_stats fanout_stats(const struct fanout *f)
{
    const struct source *source = &f->source;
    struct fanout_stats stats = {
        .opened = f->streams.opened,
        .records = f->records,
        .conflations = source->counts.conflations,
        .gaps = source->counts.gaps,
        .resets = source->counts.resets,
        .sent_events = source->counts.events,
        .sent_bytes = f->streams.bytes,
        .cache_records = cache_count(source->cache),
        .cache_keys = cache_keys(source->cache),
        .cache_bytes = cache_bytes(source->cache),
        .cache_overflowed = cache_overflowed(source->cache),
        .caught_up = f->caught_up,
    };

    for (int i = 0; i < STREAM_ENDS; i++)
        stats.ended[i] = f->streams.ended_by[i];
    return stats;
}

/* -- life -- */

struct fanout *fanout_new(struct loop *loop, const struct fanout_config *config)
{
    struct fanout *f = mem_zero(sizeof *f);

    f->loop = loop;
    source_init(&f->source, config->event_id, config->cache_bytes, BACKLOG_BYTES, on_backlog_drop,
                f);
    streams_init(&f->streams, loop, &f->source, &f->flush.replays);
    starting_init(&f->starting, &f->streams, NULL);
    flush_init(&f->flush, &f->streams, config->flush_ms, on_flushed, f);
    keepalive_init(&f->keepalive, &f->streams, config->keepalive_ms);
    f->start = (struct task){.run = start_streams, .arg = f};
    f->tidy = (struct task){.run = tidy, .arg = f};
    f->tidy_timer = timer_new(loop, on_tidy_timer, f);
    timer_start(f->tidy_timer, TIDY_MS);
    return f;
}

void fanout_free(struct fanout *f)
{
    if (f == NULL)
        return;
    for (int i = 0; i < STREAM_STATES; i++)
        while (!TAILQ_EMPTY(&f->streams.in[i]))
            stream_end(TAILQ_FIRST(&f->streams.in[i]));
    loop_cancel(f->loop, &f->start);
    loop_cancel(f->loop, &f->tidy);
    timer_free(f->tidy_timer);
    keepalive_fini(&f->keepalive);
    flush_fini(&f->flush);
    starting_fini(&f->starting);
    streams_fini(&f->streams);
    source_fini(&f->source);
    free(f);
}

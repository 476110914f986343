#include "stream/intake.h"

#include <malloc.h>

#include "base/log.h"
#include "stream/regroup.h"

enum { TIDY_MS = 1000 };

/* -- to the streams -- */

static bool is_behind(const struct intake *in)
{
    return pace_is_behind(&in->flush->pace, INTAKE_BACKLOG_BYTES);
}

/* A record that is in the cache by now; false: it is for nobody, or hidden. */
static bool publish(struct intake *in, uint64_t number, const struct record *r)
{
    size_t bytes = sources_publish(in->sources, number, r);

    pace_add(&in->flush->pace, bytes);
    return bytes > 0;
}

/* What the cache has put off, a piece in each turn. */
static void tidy(void *arg)
{
    struct intake *in = arg;
    struct cache *cache = in->sources->cache;
    uint64_t number = cache_end(cache);
    struct record r;

    if (is_behind(in))
        return; /* intake_flushed() comes back to it */
    bool more = cache_tidy(cache, loop_now_ms());
    struct cache_walk aged = cache_walk(cache, number, cache_end(cache));
    while (cache_walk_next(&aged, &r, &number))
        publish(in, number, &r);
    flush_schedule(in->flush);
    if (more)
        loop_defer(in->streams->loop, &in->tidy);
}

static void look_if_full(struct intake *in)
{
    const struct cache *cache = in->sources->cache;
    bool full = cache_overflowed(cache);

    if (full && !in->told_full)
        log_error("cache: %zu bytes are not enough for topic %s: its oldest records are dropped, "
                  "streams are told of gaps; raise --cache-bytes, or its share",
                  cache_limit(cache), consumer_topic(in->consumer));
    in->told_full = full;
}

static void on_tidy_timer(void *arg)
{
    struct intake *in = arg;

    look_if_full(in);
    cache_look(in->sources->cache, loop_now_ms());
    loop_defer(in->streams->loop, &in->tidy);
    timer_start(in->tidy_timer, TIDY_MS);
}

/* -- partitions that are caught up with -- */

static void catch_up(struct intake *in)
{
    struct catchup *catchup = &in->sources->catchup;
    bool had = in->caught_up;
    int32_t partition;

    while ((partition = catchup_due(catchup, in->consumer)) >= 0)
        regroup_show(in->streams, partition);
    in->caught_up = catchup_done(catchup, in->consumer);
    if (in->caught_up && !had)
        malloc_trim(0); /* what librdkafka has freed of a large topic would stay ours for ever */
}

static bool is_caught_up(const struct intake *in)
{
    return in->caught_up && in->sources->catchup.hidden == 0;
}

static void start_streams(void *arg)
{
    struct intake *in = arg;

    if (!consumer_ready(in->consumer) || cache_progress(in->sources->cache)->n == 0) {
        if (in->streams->unanswered > 0 && consumer_stats(in->consumer).trouble == TROUBLE_MISSING)
            finites_refuse(in->streams);
        return;
    }
    if (!is_caught_up(in))
        catch_up(in);
    if (in->caught_up)
        starting_run(&in->starting);
}

/* -- from the consumer -- */

static void on_topic(void *arg, bool compacted, int64_t delete_retention_ms)
{
    struct intake *in = arg;
    bool same = in->reads_anew && compacted == cache_compacted(in->sources->cache);
    struct stream *s;

    starting_over(&in->starting, RESET_TOPIC_NEW);
    in->caught_up = false;
    TAILQ_FOREACH(s, &in->streams->in[STREAM_OPENED], link)
    {
        if (in->topic_known && !same && s->reader.resume != NULL)
            reader_void(&s->reader, s->source, RESET_TOPIC_NEW);
    }
    in->topic_known = true;
    in->reads_anew = false;
    catchup_fini(&in->sources->catchup);
    cache_reset(in->sources->cache, compacted, delete_retention_ms);
    sources_restart(in->sources);
}

static void on_missing(void *arg)
{
    struct intake *in = arg;

    in->topic_known = true;
    in->reads_anew = false;
}

static void on_retention(void *arg, int64_t delete_retention_ms)
{
    struct intake *in = arg;

    cache_set_retention(in->sources->cache, delete_retention_ms, loop_now_ms());
}

static void on_partitions(void *arg, int32_t n)
{
    struct intake *in = arg;
    struct sources *sources = in->sources;
    int32_t had = cache_progress(sources->cache)->n;

    cache_set_partitions(sources->cache, n);
    for (int32_t i = had; i < n; i++)
        catchup_hide(&sources->catchup, i, sources->cache);
}

static void on_given_up(void *arg, int32_t partition)
{
    struct intake *in = arg;

    catchup_hide(&in->sources->catchup, partition, in->sources->cache);
}

/* What the cache holds may have been deleted long ago.  Only the log can say.  It is the same
 * topic: the places of the streams are judged by what it says then, as ids are. */
static void read_anew(struct intake *in)
{
    starting_again(&in->starting);
    in->caught_up = false;
    in->reads_anew = true;
    consumer_read_anew(in->consumer, "a partition was away for longer than delete.retention.ms, "
                                     "its deletes may have been missed");
}

static void on_origin(void *arg, int32_t partition, int64_t offset)
{
    struct intake *in = arg;
    struct sources *sources = in->sources;
    int64_t next = progress_get(cache_progress(sources->cache), partition);
    bool hidden = catchup_is_hidden(&sources->catchup, partition);
    bool loses = offset > (next >= 0 ? next : 0);

    if (loses && !hidden && next >= 0) {
        regroup_lose(in->streams, partition, offset);
        return;
    }
    if (next < 0)
        sources_begin(sources, partition, offset);
    if (loses && hidden)
        catchup_pass(&sources->catchup, partition, offset); /* it is told when it is shown */
    cache_set_origin(sources->cache, partition, offset);
}

static void on_record(void *arg, const struct record *r)
{
    struct intake *in = arg;
    struct cache *cache = in->sources->cache;

    in->records++;
    uint64_t number = cache_append(cache, r, loop_now_ms(), loop_wall_ms());
    if (cache_outdated(cache)) {
        read_anew(in);
        return;
    }
    if (publish(in, number, r))
        delays_add(&in->flush->delays, r->timestamp_ms);
    if (pace_is_much(&in->flush->pace)) {
        flush_schedule(in->flush);
        consumer_hold(in->consumer, is_behind(in));
    }
}

static void on_position(void *arg, int32_t partition, int64_t next)
{
    struct intake *in = arg;
    struct cache *cache = in->sources->cache;
    bool moves = next > progress_get(cache_progress(cache), partition);

    cache_advance(cache, partition, next, loop_now_ms(), loop_wall_ms());
    if (cache_outdated(cache)) {
        read_anew(in);
        return;
    }
    if (moves)
        sources_pass(in->sources, partition, next);
}

static void on_end(void *arg, int32_t partition, int64_t at_ms)
{
    struct intake *in = arg;

    cache_ended(in->sources->cache, partition, at_ms);
}

static void on_survey(void *arg, uint64_t ticket)
{
    struct intake *in = arg;

    if (consumer_ready(in->consumer))
        starting_surveyed(&in->starting, ticket);
}

static void on_settled(void *arg)
{
    struct intake *in = arg;

    if (in->streams->count[STREAM_AHEAD] > 0 && consumer_ready(in->consumer))
        starting_judge_ahead(&in->starting);
    if (!is_caught_up(in) || starting_any(&in->starting))
        start_streams(in);
    flush_schedule(in->flush);
    if (cache_untidy(in->sources->cache))
        loop_defer(in->streams->loop, &in->tidy);
}

struct consumer_handler intake_handler(struct intake *in)
{
    return (struct consumer_handler){
        .arg = in,
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

void intake_attach(struct intake *in, struct consumer *consumer)
{
    in->consumer = in->starting.consumer = consumer;
}

/* -- from the streams -- */

void intake_start(struct intake *in)
{
    loop_defer(in->streams->loop, &in->start);
}

void intake_flushed(void *arg)
{
    struct intake *in = arg;

    consumer_hold(in->consumer, is_behind(in));
    if (cache_untidy(in->sources->cache))
        loop_defer(in->streams->loop, &in->tidy);
}

/* -- life -- */

void intake_init(struct intake *in, struct streams *streams, struct flush *flush)
{
    *in = (struct intake){
        .streams = streams,
        .sources = streams->sources,
        .flush = flush,
        .start = {.run = start_streams, .arg = in},
        .tidy = {.run = tidy, .arg = in},
        .tidy_timer = timer_new(streams->loop, on_tidy_timer, in),
    };
    starting_init(&in->starting, streams, NULL);
    cache_look(in->sources->cache, loop_now_ms());
    timer_start(in->tidy_timer, TIDY_MS);
}

void intake_fini(struct intake *in)
{
    loop_cancel(in->streams->loop, &in->start);
    loop_cancel(in->streams->loop, &in->tidy);
    timer_free(in->tidy_timer);
    starting_fini(&in->starting);
}

#include "stream/regroup.h"

static void drop_block(struct stream *s, void *arg)
{
    if (reader_drop(&s->reader, s->source, arg))
        streams_replay(s);
}

void regroup_drop(struct streams *all, const struct source *source, struct block *block)
{
    struct reader *r;

    if (source->followers > 0)
        streams_each_busy(all, drop_block, block);
    while ((r = picks_first_in(block)) != NULL)
        drop_block(stream_of(r), block);
}

static void leave_backlog(struct stream *s, void *arg)
{
    (void)arg;
    reader_leave(&s->reader, s->source);
    streams_replay(s);
}

static void return_for_hidden(struct stream *s, void *arg)
{
    reader_return(&s->reader, s->source, arg);
    if (stream_is_finite(s))
        finite_look_again(s);
    streams_replay(s);
}

void regroup_show(struct streams *all, int32_t partition)
{
    struct sources *sources = all->sources;
    struct hidden hidden;

    if (!catchup_any(&sources->catchup, partition)) {
        catchup_show(&sources->catchup, partition, sources->cache, &hidden);
        sources_pass(sources, partition, progress_get(cache_progress(sources->cache), partition));
        return;
    }
    streams_each_started(all, leave_backlog, NULL); /* from where they are now */
    catchup_show(&sources->catchup, partition, sources->cache, &hidden);
    streams_each_started(all, return_for_hidden, &hidden);
    sources_restart(sources);
}

static void start_over(struct stream *s, void *arg)
{
    (void)arg;
    reader_start_over(&s->reader, s->source, RESET_DELETES_UNKNOWN);
}

void regroup_lose(struct streams *all, int32_t partition, int64_t offset)
{
    struct sources *sources = all->sources;

    streams_each_started(all, leave_backlog, NULL);
    cache_set_origin(sources->cache, partition, offset);
    if (sources->catchup.hidden > 0)
        catchup_pass(&sources->catchup, partition, offset);
    sources_restart(sources);
    if (cache_compacted(sources->cache))
        streams_each_started(all, start_over, NULL);
}

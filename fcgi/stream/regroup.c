#include "stream/regroup.h"

static void drop_block(struct stream *s, void *arg)
{
    if (reader_drop(&s->reader, s->all->source, arg))
        streams_replay(s);
}

void regroup_drop(struct streams *all, struct block *block)
{
    struct reader *r;

    if (all->source->followers > 0)
        streams_each_busy(all, drop_block, block);
    while ((r = picks_first_in(block)) != NULL)
        drop_block(stream_of(r), block);
}

static void leave_backlog(struct stream *s, void *arg)
{
    (void)arg;
    reader_leave(&s->reader, s->all->source);
    streams_replay(s);
}

static void return_for_hidden(struct stream *s, void *arg)
{
    reader_return(&s->reader, s->all->source, arg);
    streams_replay(s);
}

void regroup_show(struct streams *all, int32_t partition)
{
    struct source *source = all->source;
    struct hidden hidden;

    if (!catchup_any(&source->catchup, partition)) {
        catchup_show(&source->catchup, partition, source->cache, &hidden);
        source_pass(source, partition, progress_get(cache_progress(source->cache), partition));
        return;
    }
    streams_each_started(all, leave_backlog, NULL); /* from where they are now */
    catchup_show(&source->catchup, partition, source->cache, &hidden);
    streams_each_started(all, return_for_hidden, &hidden);
    source_restart_backlog(source);
}

static void start_over(struct stream *s, void *arg)
{
    (void)arg;
    reader_start_over(&s->reader, s->all->source, RESET_DELETES_UNKNOWN);
}

void regroup_lose(struct streams *all, int32_t partition, int64_t offset)
{
    struct source *source = all->source;

    streams_each_started(all, leave_backlog, NULL);
    cache_set_origin(source->cache, partition, offset);
    if (source->catchup.hidden > 0)
        catchup_pass(&source->catchup, partition, offset);
    source_restart_backlog(source);
    if (cache_compacted(source->cache))
        streams_each_started(all, start_over, NULL);
}

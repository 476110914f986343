#include "stream/regroup.h"

static void drop_block(struct stream *s, void *arg)
{
    if (reader_drop(&s->reader, s->all->source, arg))
        streams_replay(s);
}

void regroup_drop(struct streams *all, const struct block *block)
{
    streams_each_started(all, drop_block, (void *)block);
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

    bool any = catchup_show(&source->catchup, partition, source->cache, &hidden);
    if (!streams_any_started(all))
        return;
    if (!any) {
        backlog_pass(source->backlog, partition,
                     progress_get(cache_progress(source->cache), partition));
        return;
    }
    streams_each_started(all, return_for_hidden, &hidden);
    source_restart_backlog(source);
}

static void leave_backlog(struct stream *s, void *arg)
{
    (void)arg;
    reader_leave(&s->reader, s->all->source);
    streams_replay(s);
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

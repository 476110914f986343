#include "stream/source.h"

void source_init(struct source *s, const struct source_config *config,
                 void (*on_drop)(void *arg, struct block *block), void *arg)
{
    *s = (struct source){
        .form = config->form,
        .cache = cache_new(config->cache_bytes),
        .backlog = backlog_new(config->together, config->backlog_bytes, on_drop, arg),
    };
}

void source_fini(struct source *s)
{
    chunk_fini(&s->chunk);
    catchup_fini(&s->catchup);
    backlog_free(s->backlog);
    cache_free(s->cache);
}

void source_restart_backlog(struct source *s)
{
    backlog_reset(s->backlog, cache_end(s->cache), source_shown(s));
}

size_t source_publish(struct source *s, uint64_t number, const struct record *r, bool readers)
{
    if (s->catchup.hidden > 0 && !catchup_pass(&s->catchup, r->partition, record_next(r)))
        return 0;
    if (!readers)
        return 0;
    uint64_t had = backlog_added(s->backlog);
    backlog_add(s->backlog, s->form, number, source_shown(s), r);
    return backlog_added(s->backlog) - had;
}

void source_begin(struct source *s, int32_t partition, int64_t start, bool readers)
{
    catchup_begin(&s->catchup, partition, start);
    if (readers)
        backlog_pass(s->backlog, partition, start);
}

void source_pass(struct source *s, int32_t partition, int64_t next, bool readers)
{
    if (catchup_is_hidden(&s->catchup, partition))
        return;
    if (s->catchup.hidden > 0)
        catchup_pass(&s->catchup, partition, next);
    if (readers)
        backlog_pass(s->backlog, partition, next);
}

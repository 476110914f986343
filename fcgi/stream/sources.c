#include "stream/sources.h"

#include <stdlib.h>

#include "base/mem.h"

void sources_init(struct sources *s, const struct sources_config *config,
                  const struct source_owner *owner)
{
    *s = (struct sources){
        .cache = cache_new(config->cache_bytes), .config = *config, .owner = *owner};
    LIST_INIT(&s->all);
}

void sources_fini(struct sources *s)
{
    chunk_fini(&s->chunk);
    catchup_fini(&s->catchup);
    cache_free(s->cache);
}

/* -- which there are -- */

static struct source *sources_find(const struct sources *s, const struct shape *shape)
{
    struct source *source;

    LIST_FOREACH(source, &s->all, link)
    {
        if (shape_equal(&source->shape, shape))
            return source;
    }
    return NULL;
}

static struct source *sources_add(struct sources *s, const struct shape *shape)
{
    const struct source_config config = {
        .cache = s->cache,
        .catchup = &s->catchup,
        .chunk = &s->chunk,
        .shape = *shape,
        .backlog_bytes = s->config.backlog_bytes,
        .together = s->config.together,
    };
    struct source *source = mem_alloc(sizeof *source);

    source_init(source, &config, &s->owner);
    LIST_INSERT_HEAD(&s->all, source, link);
    return source;
}

struct source *sources_get(struct sources *s, const struct shape *shape)
{
    struct source *source = sources_find(s, shape);

    if (source == NULL)
        source = sources_add(s, shape);
    source->streams++;
    return source;
}

static void add_counts(struct source_counts *to, const struct source_counts *from)
{
    to->events += from->events;
    to->gaps += from->gaps;
    for (int i = 0; i < RESETS; i++)
        to->resets[i] += from->resets[i];
    to->conflations += from->conflations;
}

void sources_put(struct sources *s, struct source *source)
{
    if (--source->streams > 0) {
        if (source->readers == 0 && backlog_bytes(source->backlog) > 0)
            source_restart_backlog(source); /* nobody reads it */
        return;
    }
    LIST_REMOVE(source, link);
    add_counts(&s->gone, &source->counts);
    source_fini(source);
    free(source);
}

/* -- what comes -- */

static void sources_move(struct sources *s, int32_t partition, int64_t next)
{
    struct source *source;

    LIST_FOREACH(source, &s->all, link)
    {
        source_move(source, partition, next);
    }
}

void sources_begin(struct sources *s, int32_t partition, int64_t start)
{
    catchup_begin(&s->catchup, partition, start);
    sources_move(s, partition, start);
}

void sources_pass(struct sources *s, int32_t partition, int64_t next)
{
    if (catchup_is_hidden(&s->catchup, partition))
        return;
    if (s->catchup.hidden > 0)
        catchup_pass(&s->catchup, partition, next);
    sources_move(s, partition, next);
}

void sources_restart(struct sources *s)
{
    struct source *source;

    LIST_FOREACH(source, &s->all, link)
    {
        source_restart_backlog(source);
    }
}

/* -- to those to whom something is due -- */

size_t sources_begin_round(struct sources *s)
{
    struct source *source;
    size_t n = 0;

    LIST_FOREACH(source, &s->all, link)
    {
        n += picks_begin_round(&source->picks);
    }
    return n;
}

size_t sources_serve(struct sources *s, size_t max, void (*serve)(struct reader *reader, void *arg),
                     void *arg)
{
    struct source *source;
    size_t n = 0;

    LIST_FOREACH(source, &s->all, link)
    {
        n += picks_serve(&source->picks, max - n, serve, arg);
    }
    return n;
}

/* -- what is known of them -- */

bool sources_any_ahead(const struct sources *s)
{
    const struct source *source;

    LIST_FOREACH(source, &s->all, link)
    {
        if (source->ahead > 0)
            return true;
    }
    return false;
}

struct source_counts sources_counts(const struct sources *s)
{
    struct source_counts counts = s->gone;
    const struct source *source;

    LIST_FOREACH(source, &s->all, link)
    {
        add_counts(&counts, &source->counts);
    }
    return counts;
}

size_t sources_backlog_bytes(const struct sources *s)
{
    const struct source *source;
    size_t bytes = 0;

    LIST_FOREACH(source, &s->all, link)
    {
        bytes += backlog_bytes(source->backlog);
    }
    return bytes;
}

size_t sources_index_keys(const struct sources *s)
{
    const struct source *source;
    size_t keys = 0;

    LIST_FOREACH(source, &s->all, link)
    {
        keys += index_count(source->picks.index);
    }
    return keys;
}

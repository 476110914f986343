#include "stream/source.h"

void source_init(struct source *s, const struct source_config *config,
                 const struct source_owner *owner)
{
    *s = (struct source){
        .form = config->form,
        .cache = cache_new(config->cache_bytes),
        .backlog = backlog_new(config->together, config->backlog_bytes, owner->on_drop, owner->arg),
        .moves = 1, /* 0: a reader was told nothing yet */
    };
    picks_init(&s->picks, owner->on_due, owner->arg);
}

void source_fini(struct source *s)
{
    picks_fini(&s->picks);
    chunk_fini(&s->chunk);
    catchup_fini(&s->catchup);
    backlog_free(s->backlog);
    cache_free(s->cache);
}

void source_restart_backlog(struct source *s)
{
    backlog_reset(s->backlog, cache_end(s->cache), source_shown(s));
    s->skipped = false;
    s->moves++;
}

void source_enter(struct source *s, bool selects)
{
    if (s->readers == 0) {
        source_restart_backlog(s); /* nobody was there to encode for */
    } else if (s->skipped && !selects) {
        backlog_skip(s->backlog, cache_end(s->cache), source_shown(s));
        s->skipped = false;
    }
}

/* One that picks is at the place that is shown, so that moves with all that comes. */
static void source_move(struct source *s, int32_t partition, int64_t next)
{
    s->moves++;
    if (s->readers > 0)
        backlog_pass(s->backlog, partition, next);
}

size_t source_publish(struct source *s, uint64_t number, const struct record *r)
{
    if (s->catchup.hidden > 0 && !catchup_pass(&s->catchup, r->partition, record_next(r)))
        return 0;
    struct want *want = index_find(s->picks.index, r->key);
    if (want == NULL && s->followers == 0) {
        source_move(s, r->partition, record_next(r));
        s->skipped = true;
        s->counts.unwanted += s->readers > 0;
        return 0;
    }
    uint64_t had = backlog_added(s->backlog);
    s->moves++;
    backlog_add(s->backlog, s->form, number, source_shown(s), r);
    if (want != NULL)
        picks_come(&s->picks, want, s->backlog, s->moves);
    backlog_trim(s->backlog); /* may move those away for whom it was */
    return backlog_added(s->backlog) - had;
}

void source_begin(struct source *s, int32_t partition, int64_t start)
{
    catchup_begin(&s->catchup, partition, start);
    source_move(s, partition, start);
}

void source_pass(struct source *s, int32_t partition, int64_t next)
{
    if (catchup_is_hidden(&s->catchup, partition))
        return;
    if (s->catchup.hidden > 0)
        catchup_pass(&s->catchup, partition, next);
    source_move(s, partition, next);
}

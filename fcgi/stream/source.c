#include "stream/source.h"

static void source_drop(void *arg, struct block *block)
{
    struct source *s = arg;

    picks_await_block(&s->picks, block);
    s->owner->on_drop(s->owner->arg, s, block);
}

void source_init(struct source *s, const struct source_config *config,
                 const struct source_owner *owner)
{
    *s = (struct source){
        .cache = config->cache,
        .catchup = config->catchup,
        .chunk = config->chunk,
        .shape = config->shape,
        .backlog = backlog_new(config->together, config->backlog_bytes, source_drop, s),
        .owner = owner,
        .moves = 1, /* 0: a reader was told nothing yet */
    };
    event_encode_comment(&s->comment, &s->shape);
    picks_init(&s->picks, owner->on_due, owner->arg);
}

void source_fini(struct source *s)
{
    picks_fini(&s->picks);
    buf_fini(&s->comment);
    backlog_free(s->backlog);
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

size_t source_publish(struct source *s, uint64_t number, const struct record *r)
{
    struct want *want = index_find(s->picks.index, r->key);
    if (want == NULL && s->followers == 0) {
        source_move(s, r->partition, record_next(r));
        s->skipped = true;
        return s->awaited > 0; /* something is to be flushed */
    }
    s->moves++;
    size_t bytes = backlog_add(s->backlog, &s->shape, number, source_shown(s), r);
    if (want != NULL)
        picks_come(&s->picks, want, s->backlog, s->moves);
    backlog_trim(s->backlog); /* may move those away for whom it was */
    return bytes;
}

#include "stream/reader_inside.h"

/* -- to where it waits -- */

void reader_void(struct reader *r, struct source *src, enum reset why)
{
    reader_move(r, src, READER_WAITING, NULL);
    r->resume = resume_none(r->reset == RESET_NONE ? why : r->reset);
    r->reset = RESET_NONE;
}

void reader_watch(struct reader *r, struct source *src)
{
    reader_move(r, src, READER_PICKING, NULL);
}

uint64_t reader_picked(const struct reader *r, const struct source *src, struct progress *at)
{
    uint64_t number = cache_end(src->cache);

    if (!picker_place(&src->picks, r->picker, &number, at))
        progress_copy(at, source_shown(src));
    return number;
}

static struct resume *reader_place(const struct reader *r, const struct source *src)
{
    struct progress at = {0};

    if (r->reset != RESET_NONE || reader_moves(r))
        return resume_none(r->reset != RESET_NONE ? r->reset : RESET_SELECTION);
    if (!reader_is_live(r) && r->no_deletes > 0 && replay_is_new(r->replay))
        return NULL; /* it was given nothing */
    if (r->at == READER_LIVE)
        backlog_progress(&r->place, &at);
    else if (r->at == READER_PICKING)
        reader_picked(r, src, &at);
    else
        progress_copy(&at, replay_progress(r->replay));
    struct resume *place = resume_held(&at, src->cache);
    progress_fini(&at);
    return place;
}

void reader_put_back(struct reader *r, struct source *src)
{
    struct resume *place = reader_place(r, src);

    reader_move(r, src, READER_WAITING, NULL);
    r->resume = place;
    r->reset = RESET_NONE;
}

/* -- to the cache -- */

/* From where one is that picks. */
static struct replay *reader_behind_picks(const struct reader *r, const struct source *src)
{
    struct progress at = {0};
    uint64_t number = reader_picked(r, src, &at);

    struct replay *replay = replay_from(number, &at);
    progress_fini(&at);
    return replay;
}

void reader_leave(struct reader *r, struct source *src)
{
    if (r->at == READER_LIVE)
        reader_move(r, src, READER_REPLAY, replay_behind(&r->place));
    else if (r->at == READER_PICKING)
        reader_move(r, src, READER_REPLAY, reader_behind_picks(r, src));
    else if (reader_is_replaying(r))
        *replay_until(r->replay) = (struct place){0};
}

/* It is on that block of the backlog, or will be. */
static bool reader_is_on(const struct reader *r, const struct block *block)
{
    if (reader_is_replaying(r))
        return replay_until(r->replay)->block == block;
    if (r->at == READER_PICKING)
        return picker_is_in(r->picker, block);
    return r->at == READER_LIVE && r->place.block == block;
}

bool reader_drop(struct reader *r, struct source *src, const struct block *block)
{
    if (!reader_is_on(r, block))
        return false;
    src->counts.conflations += reader_is_live(r);
    reader_leave(r, src);
    return true;
}

void reader_return(struct reader *r, struct source *src, const struct hidden *hidden)
{
    reader_leave(r, src);
    if (r->move != NULL)
        reader_start_over(r, src, RESET_SELECTION);
    else if (!replay_return(r->replay, src->cache, source_shown(src), r->no_deletes, hidden))
        reader_start_over(r, src, RESET_DELETES_UNKNOWN);
}

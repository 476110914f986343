#include "stream/reader_inside.h"

void reader_select(struct reader *r, struct source *src, struct selection *selection)
{
    bool waits = r->at == READER_WAITING;

    if (!waits)
        reader_start_over(r, src, RESET_SELECTION); /* it picks no longer */
    else if (r->resume != NULL)
        reader_void(r, src, RESET_SELECTION);
    reader_set_selection(r, src, selection);
}

/* -- from one selection to another -- */

void reader_begin_move(struct reader *r, struct source *src, struct move *move)
{
    bool compacted = cache_compacted(src->cache);

    r->tells |= READER_TELLS_PLACE;
    if (compacted && !replay_is_ahead(r->replay, source_shown(src))) {
        move_begin(move, r->replay, src->cache);
        r->move = move;
        return;
    }
    move_free(move);
    if (compacted) /* what it has beyond the cache is not known */
        reader_start_over(r, src, RESET_SELECTION);
}

static void reader_end_move(struct reader *r)
{
    move_free(r->move);
    r->move = NULL;
    r->tells |= READER_TELLS_PLACE; /* by the id with the new tag a client can come back */
}

void reader_go_on_moving(struct reader *r)
{
    if (!move_goes_on(r->move, r->replay))
        reader_end_move(r);
}

/* It will be judged by the id that it came with, and moves then. */
static void narrow_waiting(struct reader *r, const struct selection *to)
{
    if (r->move == NULL && r->resume != NULL)
        r->move = move_new(r->selection);
    if (r->move == NULL || !selection_equal(r->move->from, to))
        return;
    move_free(r->move);
    r->move = NULL;
}

static bool was_given_nothing(const struct reader *r)
{
    return r->reset != RESET_NONE || (r->no_deletes > 0 && replay_is_new(r->replay)) ||
           (r->tells & READER_HAS_NOTHING);
}

static void narrow_moving(struct reader *r, struct source *src, struct selection *to)
{
    if (!move_turn(r->move, r->replay, src->cache, r->selection)) {
        reader_select(r, src, to);
        return;
    }
    reader_set_selection(r, src, to);
    if (move_undo(r->move, r->replay, to))
        reader_end_move(r);
}

static void narrow_begun(struct reader *r, struct source *src, struct selection *to)
{
    struct move *move = NULL;

    if (!was_given_nothing(r))
        move = move_new(r->selection);
    reader_set_selection(r, src, to);
    if (move != NULL)
        reader_begin_move(r, src, move);
}

void reader_narrow(struct reader *r, struct source *src, struct selection *selection)
{
    if (r->at == READER_STOPPED || selection_equal(r->selection, selection))
        return;
    if (r->at == READER_WAITING) {
        narrow_waiting(r, selection);
        reader_set_selection(r, src, selection);
        return;
    }
    reader_leave(r, src);
    source_enter(src, selection != NULL); /* it may be the first that is to get everything */
    if (r->move != NULL)
        narrow_moving(r, src, selection);
    else
        narrow_begun(r, src, selection);
}

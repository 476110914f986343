#include "stream/reader.h"

#include <assert.h>

#include "base/fcgi_record.h"
#include "stream/move.h"
#include "stream/reader_inside.h"

enum {
    SHARED_REQUEST_ID = 1,
    REPLAY_BYTES = 64 * 1024, /* of one reader at a time */
};

/* -- where it is -- */

void reader_init(struct reader *r, uint16_t request_id, struct slice last_event_id,
                 struct selection *selection)
{
    struct slice tag = selection_tag(selection);

    *r = (struct reader){
        .at = READER_WAITING,
        .request_id = request_id,
        .resume = last_event_id.p ? resume_new(last_event_id, tag) : NULL,
        .selection = selection_ref(selection),
        .first = true,
    };
}

static void reader_set_at(struct reader *r, struct source *src, enum reader_at at)
{
    static const struct {
        bool begun, ahead;
    } is[] = {
        [READER_WAITING] = {false, false}, [READER_REPLAY] = {true, false},
        [READER_AHEAD] = {true, true},     [READER_LIVE] = {true, false},
        [READER_PICKING] = {true, false},  [READER_STOPPED] = {false, false},
    };
    size_t begun = (size_t)is[at].begun - is[r->at].begun;
    size_t ahead = (size_t)is[at].ahead - is[r->at].ahead;

    src->readers += begun;
    src->ahead += ahead;
    if (src->shape.framing != FRAMING_DOCUMENT) /* it has all from the cache */
        src->followers += r->selection == NULL ? begun : ahead;
    r->at = (uint8_t)at;
}

void reader_set_selection(struct reader *r, struct source *src, struct selection *selection)
{
    if (r->at == READER_REPLAY && src->shape.framing != FRAMING_DOCUMENT)
        src->followers += (size_t)(selection == NULL) - (size_t)(r->selection == NULL);
    selection_unref(r->selection);
    r->selection = selection_ref(selection);
}

void reader_move(struct reader *r, struct source *src, enum reader_at at, struct replay *replay)
{
    if (r->at == READER_WAITING)
        resume_free(r->resume);
    else if (reader_is_replaying(r))
        replay_free(r->replay);
    else if (r->at == READER_LIVE)
        backlog_keep_rest(&r->place, &r->rest);
    else if (r->at == READER_PICKING)
        picker_free(&src->picks, r->picker, r->selection);
    if (reader_moves(r))
        move_free(r->move);
    reader_set_at(r, src, at);
    r->replay = replay;
    r->move = NULL;
    if (at == READER_PICKING)
        r->picker = picker_new(&src->picks, r, r->selection, src->moves);
}

void reader_stop(struct reader *r, struct source *src)
{
    if (r->at != READER_STOPPED)
        reader_move(r, src, READER_STOPPED, NULL);
}

void reader_fini(struct reader *r, struct source *src)
{
    reader_stop(r, src);
    rest_fini(&r->rest);
    selection_unref(r->selection);
}

static void reader_tell_place(struct reader *r, bool fresh, bool latest)
{
    r->tells &= (uint8_t) ~(READER_TELLS_PLACE | READER_HAS_NOTHING);
    if (latest || (r->tells & READER_TELLS_START))
        r->tells |= READER_TELLS_PLACE | (fresh ? READER_HAS_NOTHING : 0);
}

/* If it wants to know when its replay is over, one begins. */
static void reader_tell_over(struct reader *r)
{
    r->tells &= (uint8_t)~READER_TELLS_IS_OVER;
    if (r->tells & READER_TELLS_KEEPALIVE)
        r->tells |= READER_TELLS_OVER;
}

/* `ends`: see reader_begin(). */
static void reader_begin_fresh(struct reader *r, struct source *src, const struct progress *ends)
{
    const struct from from = {r->from_kind, r->from_value};
    bool latest = from.kind == FROM_LATEST;

    r->no_deletes = latest ? 0 : cache_end(src->cache);
    reader_tell_place(r, true, latest);
    reader_tell_over(r);
    reader_move(r, src, READER_REPLAY, replay_fresh(src->cache, source_shown(src), &from, ends));
}

void reader_begin(struct reader *r, struct source *src, const struct progress *ends)
{
    struct progress from = {0};

    assert(r->at == READER_WAITING);
    source_enter(src, !reader_has_place(r, src));
    r->reset = (uint8_t)(r->resume ? resume_judge(r->resume, src->cache, &from) : RESET_NONE);
    if (r->reset == RESET_TOPIC_NEW)
        r->from_kind = FROM_EARLIEST;
    if (r->resume == NULL || r->reset != RESET_NONE) {
        reader_begin_fresh(r, src, ends);
        return;
    }
    struct replay *replay = replay_resumed(src->cache, &from);
    struct move *move = r->move;
    bool ahead = replay_is_ahead(replay, source_shown(src));
    r->no_deletes = 0;
    reader_tell_place(r, false, false);
    r->move = NULL;
    reader_move(r, src, ahead ? READER_AHEAD : READER_REPLAY, replay);
    progress_fini(&from);
    if (move != NULL)
        reader_begin_move(r, src, move);
}

void reader_start_over(struct reader *r, struct source *src, enum reset why)
{
    reader_begin_fresh(r, src, NULL);
    if (r->reset == RESET_NONE) /* else it has not been told yet */
        r->reset = (uint8_t)why;
}

/* -- from the cache -- */

static void reader_add_reset(struct reader *r, const struct replay_scope *scope, struct source *src)
{
    char json[RESET_JSON];

    reset_json(r->reset, json);
    replay_add_notice(r->replay, scope, "reset", json, src->chunk);
    src->counts.resets[r->reset]++;
    r->reset = RESET_NONE;
}

/* It has all of the cache: from here on it gets what comes. */
static void reader_join(struct reader *r, struct source *src)
{
    struct place place = *replay_until(r->replay);

    if (r->selection != NULL) {
        reader_move(r, src, READER_PICKING, NULL);
        return;
    }
    reader_move(r, src, READER_LIVE, NULL);
    r->place = place;
    r->counted = backlog_event(&place);
    r->more = true; /* what has come to the backlog since */
}

/* The whole chunk was sent. */
static void reader_chunk_done(struct reader *r, struct source *src)
{
    if (src->chunk->events > 0)
        r->told = src->chunk->whole ? src->moves : 0;
    if (r->more || src->shape.framing == FRAMING_DOCUMENT)
        return;
    if (r->move != NULL) {
        r->more = true;
        reader_go_on_moving(r);
        return;
    }
    if (r->tells & READER_TELLS_OVER) {
        r->tells ^= READER_TELLS_OVER | READER_TELLS_IS_OVER;
        r->more = true;
        return;
    }
    if (!replay_is_ahead(r->replay, source_shown(src))) {
        reader_join(r, src);
    } else if (r->at == READER_REPLAY) {
        reader_set_at(r, src, READER_AHEAD);
        r->more = true; /* what stands in the backlog from its place on */
    }
}

static void reader_fill_chunk(struct reader *r, struct source *src)
{
    const struct replay_scope scope = {
        .cache = src->cache,
        .shown = src->catchup->hidden > 0 ? source_shown(src) : NULL,
        .until = reader_has_place(r, src) ? replay_until(r->replay) : NULL,
        .selection = r->selection,
        .move = r->move,
        .tag = r->move ? move_tag(r->move) : selection_tag(r->selection),
        .no_deletes = r->no_deletes,
        .shape = &src->shape,
        .first = r->first,
    };

    chunk_clear(src->chunk);
    if (replay_finds(r->replay)) { /* nothing is told of a place that is not known yet */
        r->more = replay_fill(r->replay, &scope, REPLAY_BYTES, src->chunk);
        return;
    }
    if (r->reset != RESET_NONE)
        reader_add_reset(r, &scope, src);
    else if ((r->tells & READER_TELLS_PLACE) && r->move == NULL)
        replay_add_place(r->replay, &scope, src->chunk);
    else if (r->tells & READER_TELLS_IS_OVER)
        replay_add_keepalive(r->replay, &scope, src->chunk);
    if (r->tells & (READER_TELLS_PLACE | READER_TELLS_IS_OVER))
        r->told = replay_is_at(r->replay, source_shown(src)) ? src->moves : 0;
    r->tells &= (uint8_t) ~(READER_TELLS_PLACE | READER_HAS_NOTHING | READER_TELLS_IS_OVER);
    r->more = replay_fill(r->replay, &scope, REPLAY_BYTES, src->chunk);
    src->counts.gaps += src->chunk->gaps;
}

static int reader_next_of_cache(struct reader *r, struct source *src, struct iovec *iov)
{
    struct buf *bytes = &src->chunk->bytes;

    if (replay_lost_deletes(r->replay, src->cache, source_shown(src), r->no_deletes))
        reader_start_over(r, src, RESET_DELETES_UNKNOWN);
    if (r->reset != RESET_NONE && src->shape.framing == FRAMING_DOCUMENT)
        return 0;
    struct place *until = replay_until(r->replay);
    if (reader_has_place(r, src) && (r->at == READER_AHEAD || until->block == NULL))
        *until = backlog_end(src->backlog);
    reader_fill_chunk(r, src);
    if (bytes->n == 0) {
        reader_chunk_done(r, src);
        return 0;
    }
    if (r->request_id != SHARED_REQUEST_ID)
        fcgi_set_id(bytes->p, bytes->n, r->request_id);
    *iov = (struct iovec){bytes->p, bytes->n};
    return 1;
}

static void reader_sent_of_cache(struct reader *r, struct source *src, size_t n)
{
    struct chunk *chunk = src->chunk;

    if (r->move != NULL)
        r->move->begun = true;
    if (n == chunk->bytes.n) {
        reader_chunk_done(r, src);
    } else {
        rest_share(&r->rest, replay_cut(r->replay, chunk, n), &chunk->shared);
        r->told = 0;
    }
    src->counts.events += chunk->events;
    r->first = r->first && chunk->events == 0;
    chunk_give_back(chunk);
}

/* -- from the backlog -- */

static int reader_next_of_backlog(struct reader *r, struct source *src, struct iovec *iov, int max)
{
    struct buf *copy = &src->chunk->bytes;

    int n = backlog_iov(&r->place, iov, r->request_id == SHARED_REQUEST_ID ? max : 1);
    r->more = n > 0;
    if (n == 0 || r->request_id == SHARED_REQUEST_ID)
        return n;
    chunk_clear(src->chunk);
    buf_add(copy, iov->iov_base, iov->iov_len);
    fcgi_set_id(copy->p, copy->n, r->request_id);
    iov->iov_base = copy->p;
    return 1;
}

static void reader_count(struct reader *r, struct source *src)
{
    uint64_t event = backlog_event(&r->place);

    src->counts.events += event - r->counted;
    r->counted = event;
}

/* A copy was sent, maybe in part: the rest of the event under way is in the copy. */
static void reader_sent_of_copy(struct reader *r, struct source *src, size_t n)
{
    backlog_advance(&r->place, n);
    struct slice rest = backlog_rest(&r->place);
    rest_share(&r->rest, slice_of(src->chunk->bytes.p + n, rest.n), &src->chunk->shared);
    backlog_advance(&r->place, rest.n);
    chunk_give_back(src->chunk);
    reader_count(r, src);
}

/* -- picked -- */

/* All of it as one copy, of another request's id. */
static int reader_copy_picked(const struct reader *r, struct source *src, struct iovec *iov, int n)
{
    struct buf *copy = &src->chunk->bytes;

    chunk_clear(src->chunk);
    for (int i = 0; i < n; i++)
        buf_add(copy, iov[i].iov_base, iov[i].iov_len);
    fcgi_set_id(copy->p, copy->n, r->request_id);
    iov[0] = (struct iovec){copy->p, copy->n};
    return 1;
}

static int reader_next_picked(struct reader *r, struct source *src, struct iovec *iov, int max)
{
    int n = picker_next(&src->picks, r->picker, &src->shape, selection_tag(r->selection), iov, max);

    r->more = picker_waits(r->picker);
    return n > 0 && r->request_id != SHARED_REQUEST_ID ? reader_copy_picked(r, src, iov, n) : n;
}

static __attribute__((noinline)) void reader_sent_picked(struct reader *r, struct source *src,
                                                         size_t n)
{
    int begun = picker_sent(&src->picks, r->picker, n, &r->rest, &r->told);

    if (r->rest.block != NULL && r->request_id != SHARED_REQUEST_ID) {
        size_t rest = rest_slice(&r->rest).n;
        rest_fini(&r->rest); /* its header is of the shared id */
        rest_share(&r->rest, slice_of(src->chunk->bytes.p + n, rest), &src->chunk->shared);
    }
    if (r->request_id != SHARED_REQUEST_ID)
        chunk_give_back(src->chunk);
    src->counts.events += (uint64_t)begun;
}

void reader_await_due(struct reader *r, struct source *src)
{
    picker_await_due(&src->picks, r->picker);
}

int reader_next_due(struct reader *r, struct source *src, struct iovec **iov)
{
    if (r->request_id != SHARED_REQUEST_ID) {
        reader_await_due(r, src);
        return 0;
    }
    return picker_next_due(&src->picks, r->picker, &src->shape, selection_tag(r->selection), iov);
}

static void reader_add_keepalive(const struct reader *r, const struct source *src, struct buf *out)
{
    struct progress at = {0};

    if (r->at == READER_LIVE)
        backlog_progress(&r->place, &at);
    else
        reader_picked(r, src, &at);
    event_encode_keepalive(out, &src->shape, &at, selection_tag(r->selection));
    progress_fini(&at);
}

bool reader_add_place(struct reader *r, struct source *src, struct buf *out)
{
    if ((r->tells & READER_TELLS_KEEPALIVE) && reader_is_live(r)) {
        reader_add_keepalive(r, src, out);
        return true;
    }
    if (r->at != READER_PICKING || r->told == src->moves || picker_has_any(&src->picks, r->picker))
        return false;
    event_encode_place(out, &src->shape, source_shown(src), selection_tag(r->selection));
    r->told = src->moves;
    return true;
}

/* -- pulled -- */

struct iovec reader_rest(const struct reader *r)
{
    struct slice rest = r->rest.block == NULL && r->at == READER_LIVE ? backlog_rest(&r->place)
                                                                      : rest_slice(&r->rest);

    return (struct iovec){(void *)rest.p, rest.n};
}

/* All but the way of those that keep up, which is taken for each stream and event: apart, so that
 * it costs that way nothing. */
static __attribute__((noinline)) int reader_next_else(struct reader *r, struct source *src,
                                                      struct iovec *iov, int max)
{
    r->more = false;
    if (r->rest.block != NULL || r->paused) {
        *iov = reader_rest(r);
        return iov->iov_len > 0;
    }
    if (reader_is_replaying(r)) {
        int n = reader_next_of_cache(r, src, iov);
        if (n > 0 || !reader_is_live(r))
            return n;
    }
    if (r->at == READER_PICKING)
        return reader_next_picked(r, src, iov, max);
    return r->at == READER_LIVE ? reader_next_of_backlog(r, src, iov, max) : 0;
}

int reader_next(struct reader *r, struct source *src, struct iovec *iov, int max)
{
    if (r->at != READER_LIVE || r->rest.block != NULL || r->paused ||
        r->request_id != SHARED_REQUEST_ID)
        return reader_next_else(r, src, iov, max);
    int n = backlog_iov(&r->place, iov, max);
    r->more = n == max;
    return n;
}

/* As reader_next_else(). */
static __attribute__((noinline)) void reader_sent_else(struct reader *r, struct source *src,
                                                       size_t n)
{
    if (r->rest.block != NULL)
        rest_advance(&r->rest, n);
    else if (r->at == READER_LIVE)
        reader_sent_of_copy(r, src, n);
    else
        reader_sent_of_cache(r, src, n);
}

void reader_sent(struct reader *r, struct source *src, size_t n)
{
    if (r->at == READER_PICKING && r->rest.block == NULL) {
        reader_sent_picked(r, src, n);
    } else if (r->at != READER_LIVE || r->rest.block != NULL ||
               r->request_id != SHARED_REQUEST_ID) {
        reader_sent_else(r, src, n);
    } else {
        backlog_advance(&r->place, n);
        reader_count(r, src);
    }
}

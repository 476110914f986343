#include "stream/reader.h"

#include <assert.h>

#include "base/fcgi_record.h"

enum {
    SHARED_REQUEST_ID = 1,
    REPLAY_BYTES = 64 * 1024, /* of one reader at a time */
};

/* -- where it is -- */

void reader_init(struct reader *r, uint16_t request_id, struct slice last_event_id)
{
    *r = (struct reader){
        .at = READER_WAITING,
        .request_id = request_id,
        .resume = last_event_id.p ? resume_new(last_event_id) : NULL,
    };
}

/* Moves on from wherever it is; the rest of the event that is under way stays. */
static void reader_move(struct reader *r, struct source *src, enum reader_at at,
                        struct replay *replay)
{
    if (r->at == READER_LIVE)
        backlog_keep_rest(&r->place, &r->rest);
    src->ahead -= r->at == READER_AHEAD;
    src->ahead += at == READER_AHEAD;
    replay_free(r->replay);
    resume_free(r->resume);
    r->at = (uint8_t)at;
    r->replay = replay;
    r->resume = NULL;
    r->place = (struct place){0};
}

void reader_fini(struct reader *r, struct source *src)
{
    reader_move(r, src, READER_STOPPED, NULL);
    rest_fini(&r->rest);
}

static void reader_begin_fresh(struct reader *r, struct source *src)
{
    r->no_deletes = cache_end(src->cache);
    reader_move(r, src, READER_REPLAY, replay_fresh(src->cache));
}

void reader_begin(struct reader *r, struct source *src)
{
    struct progress from = {0};

    assert(r->at == READER_WAITING);
    r->reset = (uint8_t)(r->resume ? resume_judge(r->resume, src->cache, &from) : RESET_NONE);
    if (r->resume == NULL || r->reset != RESET_NONE) {
        reader_begin_fresh(r, src);
        return;
    }
    struct replay *replay = replay_resumed(src->cache, &from);
    bool ahead = replay_is_ahead(replay, source_shown(src));
    r->no_deletes = 0;
    reader_move(r, src, ahead ? READER_AHEAD : READER_REPLAY, replay);
    progress_fini(&from);
}

void reader_void(struct reader *r, struct source *src, enum reset why)
{
    reader_move(r, src, READER_WAITING, NULL);
    r->resume = resume_none(r->reset == RESET_NONE ? why : r->reset);
    r->reset = RESET_NONE;
}

static struct resume *reader_place(const struct reader *r, const struct source *src)
{
    struct progress at = {0};

    if (r->reset != RESET_NONE)
        return resume_none(r->reset);
    if (r->at != READER_LIVE && r->no_deletes > 0 && replay_is_new(r->replay))
        return NULL; /* it was given nothing */
    if (r->at == READER_LIVE)
        backlog_progress(&r->place, &at);
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

void reader_start_over(struct reader *r, struct source *src, enum reset why)
{
    reader_begin_fresh(r, src);
    if (r->reset == RESET_NONE) /* else it has not been told yet */
        r->reset = (uint8_t)why;
}

void reader_stop(struct reader *r, struct source *src)
{
    reader_move(r, src, READER_STOPPED, NULL);
}

void reader_pause(struct reader *r, bool pause)
{
    r->paused = pause;
}

void reader_leave(struct reader *r, struct source *src)
{
    if (r->at == READER_LIVE)
        reader_move(r, src, READER_REPLAY, replay_behind(&r->place));
    r->place = (struct place){0};
}

bool reader_drop(struct reader *r, struct source *src, const struct block *block)
{
    if (r->place.block != block)
        return false;
    src->counts.conflations += r->at == READER_LIVE;
    reader_leave(r, src);
    return true;
}

void reader_return(struct reader *r, struct source *src, const struct hidden *hidden)
{
    reader_leave(r, src);
    if (!replay_return(r->replay, src->cache, source_shown(src), r->no_deletes, hidden))
        reader_start_over(r, src, RESET_DELETES_UNKNOWN);
}

const struct progress *reader_progress(const struct reader *r)
{
    return replay_progress(r->replay);
}

/* -- from the cache -- */

static void reader_add_reset(struct reader *r, const struct replay_scope *scope, struct source *src)
{
    struct buf json = {0};

    buf_printf(&json, "{\"reason\":\"%s\",\"detail\":\"%s\"}", reset_reason(r->reset),
               reset_detail(r->reset));
    buf_add_byte(&json, 0);
    replay_add_notice(r->replay, scope, "reset", (const char *)json.p, &src->chunk);
    buf_fini(&json);
    r->reset = RESET_NONE;
    src->counts.resets++;
}

/* The whole chunk was sent. */
static void reader_chunk_done(struct reader *r, struct source *src)
{
    if (r->more)
        return;
    if (!replay_is_ahead(r->replay, source_shown(src))) {
        struct place place = r->place;
        reader_move(r, src, READER_LIVE, NULL);
        r->place = place;
        r->counted = backlog_event(&place);
        r->more = true; /* what has come to the backlog since */
    } else if (r->at == READER_REPLAY) {
        r->at = READER_AHEAD;
        src->ahead++;
        r->more = true; /* what stands in the backlog from its place on */
    }
}

static void reader_fill_chunk(struct reader *r, struct source *src)
{
    const struct replay_scope scope = {
        .cache = src->cache,
        .shown = src->catchup.hidden > 0 ? source_shown(src) : NULL,
        .until = &r->place,
        .no_deletes = r->no_deletes,
        .form = src->form,
    };

    chunk_clear(&src->chunk);
    if (r->reset != RESET_NONE)
        reader_add_reset(r, &scope, src);
    r->more = replay_fill(r->replay, &scope, REPLAY_BYTES, &src->chunk);
    src->counts.gaps += src->chunk.gaps;
}

static int reader_next_of_cache(struct reader *r, struct source *src, struct iovec *iov)
{
    struct buf *bytes = &src->chunk.bytes;

    if (replay_lost_deletes(r->replay, src->cache, source_shown(src), r->no_deletes))
        reader_start_over(r, src, RESET_DELETES_UNKNOWN);
    if (r->at == READER_AHEAD || r->place.block == NULL)
        r->place = backlog_end(src->backlog);
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
    struct chunk *chunk = &src->chunk;

    if (n == chunk->bytes.n)
        reader_chunk_done(r, src);
    else
        rest_copy(&r->rest, replay_cut(r->replay, chunk, n));
    src->counts.events += chunk->events;
}

/* -- from the backlog -- */

static int reader_next_of_backlog(struct reader *r, struct source *src, struct iovec *iov, int max)
{
    struct buf *copy = &src->chunk.bytes;

    int n = backlog_iov(&r->place, iov, r->request_id == SHARED_REQUEST_ID ? max : 1);
    r->more = n > 0;
    if (n == 0 || r->request_id == SHARED_REQUEST_ID)
        return n;
    chunk_clear(&src->chunk);
    buf_add(copy, iov->iov_base, iov->iov_len);
    fcgi_set_id(copy->p, copy->n, r->request_id);
    iov->iov_base = copy->p;
    return 1;
}

/* A copy was sent in part: the rest of the event under way is in the copy. */
static void reader_keep_copy(struct reader *r, const struct buf *copy, size_t sent)
{
    struct slice rest = backlog_rest(&r->place);

    rest_copy(&r->rest, slice_of(copy->p + sent, rest.n));
    backlog_advance(&r->place, rest.n);
}

static void reader_sent_of_backlog(struct reader *r, struct source *src, size_t n)
{
    backlog_advance(&r->place, n);
    if (r->request_id != SHARED_REQUEST_ID)
        reader_keep_copy(r, &src->chunk.bytes, n);
    uint64_t event = backlog_event(&r->place);
    src->counts.events += event - r->counted;
    r->counted = event;
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
    if (r->at == READER_REPLAY || r->at == READER_AHEAD) {
        int n = reader_next_of_cache(r, src, iov);
        if (n > 0 || r->at != READER_LIVE)
            return n;
    }
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

void reader_sent(struct reader *r, struct source *src, size_t n)
{
    if (r->rest.block != NULL)
        rest_advance(&r->rest, n);
    else if (r->at == READER_LIVE)
        reader_sent_of_backlog(r, src, n);
    else
        reader_sent_of_cache(r, src, n);
}

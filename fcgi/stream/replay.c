#include "stream/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    STEPS = 20000,        /* records looked at for one chunk */
    CHUNK_KEPT = 1 << 20, /* what a larger event took is given back */
    NO_PARTITION = -1,    /* of a mark: no place moves */
};

struct chunk_mark {
    size_t end;   /* of the record's event, if it has one */
    uint64_t pos; /* behind the record */
    int64_t next;
    int32_t partition;
    uint32_t events; /* so far */
};

struct replay {
    uint64_t pos;    /* the number to go on with */
    uint64_t judged; /* what was forgotten up to here is known not to matter */
    uint64_t losses; /* of the cache, when gaps were last looked for */
    struct progress at;
    struct progress spared; /* by partition: no_deletes of one that came late; empty: none */
};

static struct replay *replay_new(uint64_t pos, const struct progress *at)
{
    struct replay *r = mem_zero(sizeof *r);

    r->pos = pos;
    r->losses = UINT64_MAX;
    progress_copy(&r->at, at);
    return r;
}

struct replay *replay_fresh(const struct cache *c)
{
    struct progress start = {0};

    cache_start(c, &start);
    struct replay *r = replay_new(0, &start);
    progress_fini(&start);
    return r;
}

struct replay *replay_resumed(const struct cache *c, const struct progress *from)
{
    struct replay *r = replay_new(cache_seek(c, from), from);

    r->judged = cache_last_forgotten(c);
    return r;
}

struct replay *replay_behind(const struct place *at)
{
    struct progress progress = {0};

    backlog_progress(at, &progress);
    struct replay *r = replay_new(backlog_number(at), &progress);
    progress_fini(&progress);
    return r;
}

void replay_free(struct replay *r)
{
    if (r == NULL)
        return;
    progress_fini(&r->at);
    progress_fini(&r->spared);
    free(r);
}

const struct progress *replay_progress(const struct replay *r)
{
    return &r->at;
}

bool replay_is_new(const struct replay *r)
{
    return r->pos == 0;
}

/* It has something of a partition, and may lack a delete of it.  Those that are hidden are judged
 * when they are shown. */
static bool is_below_horizon(const struct replay *r, const struct cache *c,
                             const struct progress *shown)
{
    for (int32_t i = 0; i < r->at.n; i++) {
        int64_t next = r->at.next[i], horizon = cache_horizon(c, i);
        if (next >= 0 && next < horizon && horizon <= progress_get(shown, i))
            return true;
    }
    return false;
}

bool replay_lost_deletes(const struct replay *r, const struct cache *c,
                         const struct progress *shown, uint64_t no_deletes)
{
    uint64_t forgotten = cache_last_forgotten(c);

    return cache_compacted(c) && forgotten > r->judged && forgotten >= r->pos &&
           forgotten >= no_deletes && is_below_horizon(r, c, shown);
}

bool replay_is_ahead(const struct replay *r, const struct progress *end)
{
    for (int32_t i = 0; i < r->at.n; i++)
        if (r->at.next[i] > progress_get(end, i))
            return true;
    return false;
}

/* It begins the partition only now, and has nothing of it to delete. */
static void begin_partition(struct replay *r, const struct cache *c, int32_t partition)
{
    if (r->at.n <= partition)
        progress_resize(&r->at, partition + 1);
    r->at.next[partition] = OFFSET_BEGINNING;
    if (r->spared.n <= partition)
        progress_resize(&r->spared, partition + 1);
    r->spared.next[partition] = (int64_t)cache_end(c);
}

bool replay_return(struct replay *r, const struct cache *c, const struct progress *shown,
                   uint64_t no_deletes, const struct hidden *hidden)
{
    int64_t next = progress_get(&r->at, hidden->partition);

    /* One that has begun fresh since then and is not beyond the start has been given nothing. */
    bool has_nothing = no_deletes >= hidden->number && next <= hidden->start;

    if (next < 0 || (cache_compacted(c) && has_nothing))
        begin_partition(r, c, hidden->partition);
    else if (cache_compacted(c) && next < cache_horizon(c, hidden->partition))
        return false;
    if (replay_lost_deletes(r, c, shown, no_deletes))
        return false;
    r->judged = cache_last_forgotten(c);
    if (hidden->number < r->pos)
        r->pos = hidden->number;
    return true;
}

void chunk_clear(struct chunk *chunk)
{
    if (chunk->bytes.cap > CHUNK_KEPT)
        buf_fini(&chunk->bytes);
    chunk->bytes.n = 0;
    chunk->n = 0;
    chunk->gaps = 0;
    chunk->events = 0;
}

void chunk_fini(struct chunk *chunk)
{
    buf_fini(&chunk->bytes);
    progress_fini(&chunk->start);
    free(chunk->marks);
}

static void add_mark(struct chunk *chunk, uint64_t pos, int32_t partition, int64_t next)
{
    if (chunk->n == chunk->cap) {
        chunk->cap = chunk->cap ? chunk->cap * 2 : 256;
        chunk->marks = mem_resize_array(chunk->marks, chunk->cap, sizeof *chunk->marks);
    }
    chunk->marks[chunk->n++] =
        (struct chunk_mark){chunk->bytes.n, pos, next, partition, chunk->events};
}

/* Partitions that are new, or whose beginning was not known, start where the cache starts; but not
 * behind the place in the backlog, for the cache's start may have moved since. */
static void complete_progress(struct replay *r, const struct replay_scope *scope)
{
    int32_t n = cache_progress(scope->cache)->n;
    struct progress start = {0}, place = {0};

    if (r->at.n < n)
        progress_resize(&r->at, n);
    for (int32_t i = 0; i < n; i++) {
        if (r->at.next[i] >= 0)
            continue;
        if (start.n == 0) {
            cache_start(scope->cache, &start);
            backlog_progress(scope->until, &place);
        }
        int64_t most = progress_get(&place, i);
        r->at.next[i] = start.next[i] < most ? start.next[i] : most;
    }
    progress_fini(&start);
    progress_fini(&place);
}

void replay_add_notice(const struct replay *r, const struct replay_scope *scope, const char *type,
                       const char *json, struct chunk *chunk)
{
    event_encode_notice(&chunk->bytes, scope->form, &r->at, type, json);
    chunk->events++;
    add_mark(chunk, r->pos, NO_PARTITION, 0);
}

static void add_gap(struct replay *r, const struct replay_scope *scope, int32_t partition,
                    int64_t to, struct chunk *chunk)
{
    char json[96];

    snprintf(json, sizeof json, "{\"partition\":%d,\"from\":%lld,\"to\":%lld}", (int)partition,
             (long long)r->at.next[partition], (long long)to);
    r->at.next[partition] = to;
    event_encode_notice(&chunk->bytes, scope->form, &r->at, "gap", json);
    chunk->events++;
    chunk->gaps++;
    add_mark(chunk, r->pos, partition, to);
}

/* What comes from the backlog is not lost: no gap is longer than up to the place there. */
static void add_gaps(struct replay *r, const struct replay_scope *scope, struct chunk *chunk)
{
    const struct cache *c = scope->cache;
    struct progress bound = {0};

    if (r->losses == cache_losses(c))
        return;
    r->losses = cache_losses(c);
    for (int32_t i = 0; i < r->at.n; i++) {
        int64_t to = cache_lost(c, i);
        if (r->at.next[i] < 0 || r->at.next[i] >= to)
            continue;
        if (bound.n == 0)
            backlog_progress(scope->until, &bound);
        if (i < bound.n && to > bound.next[i]) {
            to = bound.next[i];
            r->losses = UINT64_MAX; /* the rest is told when the stream's place is there */
        }
        if (r->at.next[i] < to)
            add_gap(r, scope, i, to, chunk);
    }
    progress_fini(&bound);
}

/* A delete older than the stream: it has nothing to delete.  Where nothing is compacted a record
 * without a value is a record like others. */
static bool is_spared(const struct replay *r, const struct replay_scope *scope,
                      const struct record *record, uint64_t number)
{
    if (record->value.p != NULL || !cache_compacted(scope->cache))
        return false;
    return number < scope->no_deletes ||
           (int64_t)number < progress_get(&r->spared, record->partition);
}

/* Before the resume, by its id: which says nothing of a key that has aged at another responder a
 * moment before it did so here. */
static bool is_seen(const struct replay *r, const struct cache *c, const struct record *record,
                    uint64_t number)
{
    return record->offset < r->at.next[record->partition] &&
           !(record->aged && number >= cache_recent_aged(c));
}

bool replay_fill(struct replay *r, const struct replay_scope *scope, size_t room,
                 struct chunk *chunk)
{
    const struct cache *c = scope->cache;
    const uint64_t limit = backlog_number(scope->until);
    struct record record;
    uint64_t number;

    complete_progress(r, scope);
    progress_copy(&chunk->start, &r->at);
    add_gaps(r, scope, chunk);
    struct cache_walk walk = cache_walk(c, r->pos, limit);
    for (int steps = 0; chunk->bytes.n < room && steps < STEPS; steps++) {
        if (!cache_walk_next(&walk, &record, &number)) {
            r->pos = limit;
            return false;
        }
        r->pos = number + 1;
        if (is_seen(r, c, &record, number))
            continue;
        if (scope->shown != NULL &&
            record_next(&record) > progress_get(scope->shown, record.partition))
            continue;
        int64_t *next = &r->at.next[record.partition];
        if (record_next(&record) > *next)
            *next = record_next(&record);
        if (!event_none(&record) && !is_spared(r, scope, &record, number)) {
            event_encode(&chunk->bytes, scope->form, &r->at, &record);
            chunk->events++;
        }
        add_mark(chunk, r->pos, record.partition, *next);
    }
    return true;
}

struct slice replay_cut(struct replay *r, struct chunk *chunk, size_t sent)
{
    progress_copy(&r->at, &chunk->start);
    r->losses = UINT64_MAX; /* a gap may be among what was not sent */
    for (size_t i = 0; i < chunk->n; i++) {
        const struct chunk_mark *m = &chunk->marks[i];
        if (m->partition != NO_PARTITION)
            r->at.next[m->partition] = m->next;
        r->pos = m->pos;
        chunk->events = m->events;
        if (m->end >= sent)
            return slice_of(chunk->bytes.p + sent, m->end - sent);
    }
    return slice_of(NULL, 0);
}

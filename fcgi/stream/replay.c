#include "stream/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "stream/move.h"
#include "stream/replay_inside.h"

enum { STEPS = 20000 }; /* records looked at for one chunk */

void replay_free(struct replay *r)
{
    if (r == NULL)
        return;
    progress_fini(&r->at);
    progress_fini(&r->spared);
    since_free(r->since);
    free(r);
}

const struct progress *replay_progress(const struct replay *r)
{
    return &r->at;
}

struct place *replay_until(struct replay *r)
{
    return &r->until;
}

uint64_t replay_number(const struct replay *r)
{
    return r->pos;
}

bool replay_is_new(const struct replay *r)
{
    return r->pos == 0 || r->to_find > 0;
}

bool replay_finds(const struct replay *r)
{
    return r->to_find > 0;
}

bool replay_is_at(const struct replay *r, const struct progress *end)
{
    for (int32_t i = 0; i < r->at.n; i++)
        if (r->at.next[i] < progress_get(end, i))
            return false;
    return true;
}

bool replay_is_ahead(const struct replay *r, const struct progress *end)
{
    for (int32_t i = 0; i < r->at.n; i++)
        if (r->at.next[i] > progress_get(end, i))
            return true;
    return false;
}

/* -- what it goes through -- */

static const struct progress *scope_shown(const struct replay_scope *scope)
{
    return scope->shown ? scope->shown : cache_progress(scope->cache);
}

/* The number, and the progress, from which on it is sent something else. */
static uint64_t scope_limit(const struct replay_scope *scope)
{
    return scope->until ? backlog_number(scope->until) : cache_end(scope->cache);
}

static void scope_end(const struct replay_scope *scope, struct progress *end)
{
    if (scope->until != NULL)
        backlog_progress(scope->until, end);
    else
        progress_copy(end, scope_shown(scope));
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
            scope_end(scope, &place);
        }
        int64_t most = progress_get(&place, i);
        r->at.next[i] = start.next[i] < most ? start.next[i] : most;
    }
    progress_fini(&start);
    progress_fini(&place);
}

/* The shape of the next event in the chunk. */
static struct shape scope_shape(const struct replay_scope *scope, const struct chunk *chunk)
{
    struct shape shape = *scope->shape;

    shape.first = scope->first && chunk->events == 0;
    return shape;
}

void replay_add_notice(const struct replay *r, const struct replay_scope *scope, const char *type,
                       const char *json, struct chunk *chunk)
{
    event_encode_notice(&chunk->bytes, scope->shape, &r->at, scope->tag, type, json);
    chunk->events++;
    chunk_add_mark(chunk, r->pos, CHUNK_NO_PARTITION, 0);
}

void replay_add_keepalive(const struct replay *r, const struct replay_scope *scope,
                          struct chunk *chunk)
{
    event_encode_keepalive(&chunk->bytes, scope->shape, &r->at, selection_tag(scope->selection));
    chunk_add_mark(chunk, r->pos, CHUNK_NO_PARTITION, 0);
}

void replay_add_place(const struct replay *r, const struct replay_scope *scope, struct chunk *chunk)
{
    event_encode_place(&chunk->bytes, scope->shape, &r->at, scope->tag);
    chunk_add_mark(chunk, r->pos, CHUNK_NO_PARTITION, 0);
}

static void add_gap(struct replay *r, const struct replay_scope *scope, int32_t partition,
                    int64_t to, struct chunk *chunk)
{
    char json[96];

    snprintf(json, sizeof json, "{\"partition\":%d,\"from\":%lld,\"to\":%lld}", (int)partition,
             (long long)r->at.next[partition], (long long)to);
    r->at.next[partition] = to;
    const struct shape shape = scope_shape(scope, chunk);
    event_encode_notice(&chunk->bytes, &shape, &r->at, scope->tag, "gap", json);
    chunk->events++;
    chunk->gaps++;
    chunk_add_mark(chunk, r->pos, partition, to);
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
        if (r->at.next[i] < 0 || r->at.next[i] >= to ||
            (r->since != NULL && !since_knows(r->since, i)))
            continue;
        if (bound.n == 0)
            scope_end(scope, &bound);
        if (i < bound.n && to > bound.next[i]) {
            to = bound.next[i];
            r->losses = UINT64_MAX; /* the rest is told when the stream's place is there */
        }
        if (r->at.next[i] < to)
            add_gap(r, scope, i, to, chunk);
    }
    progress_fini(&bound);
}

static bool is_selected(const struct replay_scope *scope, const struct record *record)
{
    return scope->selection == NULL || selection_passes(scope->selection, record->key);
}

/* A delete older than the stream: it has nothing to delete.  Where nothing is compacted a record
 * without a value is a record like others. */
static bool is_spared(const struct replay *r, const struct replay_scope *scope,
                      const struct record *record, uint64_t number)
{
    if (record->value.p != NULL || !cache_compacted(scope->cache))
        return false;
    if (scope->move != NULL && move_is_new(scope->move, record->key))
        return number < scope->move->began;
    return number < scope->no_deletes ||
           (int64_t)number < progress_get(&r->spared, record->partition);
}

/* Before the resume, by its id: which says nothing of a key that has aged at another responder a
 * moment before it did so here. */
static bool is_seen(const struct replay *r, const struct replay_scope *scope,
                    const struct record *record, uint64_t number)
{
    return move_has(scope->move, number) ||
           (record->offset < r->at.next[record->partition] &&
            !(record->aged && number >= cache_recent_aged(scope->cache)));
}

/* It is still there, but is told as lost, before the first record that is not too old. */
static bool is_going(const struct replay *r, const struct replay_scope *scope,
                     const struct record *record)
{
    return r->since != NULL && record->offset < cache_lost(scope->cache, record->partition);
}

/* -- the records -- */

/* All that is shown was passed over. */
static void pass_all(struct replay *r, const struct replay_scope *scope, struct chunk *chunk)
{
    const struct progress *shown = scope_shown(scope);

    for (int32_t i = 0; i < r->at.n; i++)
        if (progress_get(shown, i) > r->at.next[i])
            r->at.next[i] = progress_get(shown, i);
    progress_copy(&chunk->shown, &r->at);
}

static void add_event(const struct replay *r, const struct replay_scope *scope,
                      const struct record *record, struct chunk *chunk)
{
    const struct shape shape = scope_shape(scope, chunk);

    event_encode(&chunk->bytes, &shape, &r->at, scope->tag, record);
    chunk->events++;
}

/* The reader is to be given it, whatever its time. */
static bool is_due(const struct replay *r, const struct replay_scope *scope,
                   const struct record *record, uint64_t number)
{
    return !event_none(record) && !is_spared(r, scope, record, number) &&
           is_selected(scope, record);
}

/* It is not too old.  If it is the first that is left of its partition, what was lost before it is
 * told, for that may have been new enough, too. */
static bool is_since(struct replay *r, const struct replay_scope *scope,
                     const struct record *record, uint64_t number, struct chunk *chunk)
{
    int64_t lost = cache_lost(scope->cache, record->partition);

    if (r->since == NULL)
        return true;
    bool passes = since_passes(r->since, record, number);
    if (r->at.next[record->partition] < lost && passes)
        add_gap(r, scope, record->partition, lost, chunk);
    else if (r->at.next[record->partition] < lost)
        r->at.next[record->partition] = lost;
    return passes;
}

/* The record of that number is looked at: into the chunk with it, if it is for the reader. */
static void take_record(struct replay *r, const struct replay_scope *scope,
                        const struct record *record, uint64_t number, bool last,
                        struct chunk *chunk)
{
    bool comes = move_is_new(scope->move, record->key);
    bool seen = !comes && is_seen(r, scope, record, number);

    r->pos = number + 1;
    if (seen || is_going(r, scope, record) || scope_hides(scope, record))
        return;
    r->pos = number; /* for a gap that is told before it */
    bool passes = comes || is_since(r, scope, record, number, chunk);
    r->pos = number + 1;
    int64_t *next = &r->at.next[record->partition];
    if (record_next(record) > *next)
        *next = record_next(record);
    if (last) {
        pass_all(r, scope, chunk);
        r->pos = cache_end(scope->cache);
    }
    chunk->whole = passes && is_due(r, scope, record, number);
    if (chunk->whole)
        add_event(r, scope, record, chunk);
    chunk_add_mark(chunk, r->pos, last ? CHUNK_ALL_PARTITIONS : record->partition, *next);
}

static bool fill_by_log(struct replay *r, const struct replay_scope *scope, size_t room,
                        struct chunk *chunk)
{
    const uint64_t limit = scope_limit(scope);
    struct record record;
    uint64_t number;

    struct cache_walk walk = cache_walk(scope->cache, r->pos, limit);
    for (int steps = 0; chunk->bytes.n < room && steps < STEPS; steps++) {
        if (!cache_walk_next(&walk, &record, &number)) {
            r->pos = limit;
            chunk->whole = chunk->whole && replay_is_at(r, scope_shown(scope));
            return false;
        }
        take_record(r, scope, &record, number, false, chunk);
    }
    return true;
}

/* -- by key -- */

static bool fill_by_key(struct replay *r, const struct replay_scope *scope, size_t room,
                        struct chunk *chunk)
{
    size_t n = keyed_find(&chunk->keyed, scope->cache, scope->selection, r->pos);

    for (size_t i = 0; i < n; i++) {
        struct record record;
        uint64_t number = chunk->keyed.numbers[i];
        struct cache_walk walk = cache_walk(scope->cache, number, number + 1);
        if (chunk->bytes.n >= room)
            return true;
        if (cache_walk_next(&walk, &record, &number))
            take_record(r, scope, &record, number, i + 1 == n, chunk);
    }
    chunk->whole = chunk->whole && replay_is_at(r, scope_shown(scope));
    r->pos = cache_end(scope->cache);
    pass_all(r, scope, chunk);
    chunk_add_mark(chunk, r->pos, CHUNK_ALL_PARTITIONS, 0);
    return false;
}

/* Only of a compacted topic the newest record of a key is all that is wanted of it; and a few
 * records are sooner gone through than many keys. */
static bool is_by_key(const struct replay *r, const struct replay_scope *scope, uint64_t records)
{
    const struct cache *c = scope->cache;

    if (scope->selection == NULL || !cache_compacted(c) || r->since != NULL)
        return false;
    uint64_t keys = keyed_count(c, scope->selection);
    return keys <= STEPS && keys < records;
}

/* -- the last records -- */

/* One more was looked at, going back: the place is before it. */
static void go_before(struct replay *r, const struct replay_scope *scope,
                      const struct record *record, uint64_t number)
{
    r->pos = number;
    if (scope_hides(scope, record))
        return;
    r->at.next[record->partition] = record->offset;
    r->to_find -= is_due(r, scope, record, number);
}

static void find_last_of_log(struct replay *r, const struct replay_scope *scope)
{
    struct record record;
    uint64_t number;

    for (int steps = 0; steps < STEPS && r->to_find > 0; steps++)
        if (cache_previous(scope->cache, r->pos, &record, &number))
            go_before(r, scope, &record, number);
        else
            r->to_find = 0;
}

static void find_last_of_keys(struct replay *r, const struct replay_scope *scope,
                              struct chunk *chunk)
{
    size_t n = keyed_find(&chunk->keyed, scope->cache, scope->selection, 0);
    struct record record;

    while (n-- > 0 && r->to_find > 0) {
        uint64_t number = chunk->keyed.numbers[n];
        if (cache_previous(scope->cache, number + 1, &record, &number))
            go_before(r, scope, &record, number);
    }
    r->to_find = 0;
}

/* Goes back for some of what is to be found. */
static void find_last(struct replay *r, const struct replay_scope *scope, struct chunk *chunk)
{
    if (is_by_key(r, scope, cache_count(scope->cache)))
        find_last_of_keys(r, scope, chunk);
    else
        find_last_of_log(r, scope);
}

bool replay_fill(struct replay *r, const struct replay_scope *scope, size_t room,
                 struct chunk *chunk)
{
    complete_progress(r, scope);
    if (r->to_find > 0) {
        find_last(r, scope, chunk);
        return true;
    }
    progress_copy(&chunk->start, &r->at);
    if (scope->move != NULL && scope->move->leaving)
        return move_leave(scope->move, r, scope, room, chunk);
    add_gaps(r, scope, chunk);
    return is_by_key(r, scope, cache_end(scope->cache) - r->pos)
               ? fill_by_key(r, scope, room, chunk)
               : fill_by_log(r, scope, room, chunk);
}

struct slice replay_cut(struct replay *r, struct chunk *chunk, size_t sent)
{
    progress_copy(&r->at, &chunk->start);
    r->losses = UINT64_MAX; /* a gap may be among what was not sent */
    for (size_t i = 0; i < chunk->n; i++) {
        const struct chunk_mark *m = &chunk->marks[i];
        if (m->partition >= 0)
            r->at.next[m->partition] = m->next;
        else if (m->partition == CHUNK_ALL_PARTITIONS)
            progress_copy(&r->at, &chunk->shown);
        r->pos = m->pos;
        chunk->events = m->events;
        if (m->end >= sent)
            return slice_of(chunk->bytes.p + sent, m->end - sent);
    }
    return slice_of(NULL, 0);
}

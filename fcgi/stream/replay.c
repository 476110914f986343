#include "stream/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { STEPS = 20000 }; /* records looked at for one chunk */

struct chunk_mark {
    size_t end;   /* of the record's event, if it has one */
    uint64_t pos; /* behind the record */
    int64_t next;
    int32_t partition;
    uint32_t events; /* so far */
};

struct replay {
    uint64_t pos;        /* the number to go on with */
    uint64_t no_deletes; /* below it a stream that began fresh has nothing to delete */
    uint64_t judged;     /* what was forgotten up to here is known not to matter */
    uint64_t losses;     /* of the cache, when gaps were last looked for */
    struct progress at;
    struct progress bound;  /* of gaps; empty: none */
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
    r->no_deletes = cache_end(c);
    progress_fini(&start);
    return r;
}

struct replay *replay_resumed(const struct cache *c, const struct progress *from)
{
    struct replay *r = replay_new(cache_seek(c, from), from);

    r->judged = cache_last_forgotten(c);
    return r;
}

struct replay *replay_behind(uint64_t number, const struct progress *at, uint64_t no_deletes)
{
    struct replay *r = replay_new(number, at);

    r->no_deletes = no_deletes;
    return r;
}

void replay_free(struct replay *r)
{
    if (r == NULL)
        return;
    progress_fini(&r->at);
    progress_fini(&r->bound);
    progress_fini(&r->spared);
    free(r);
}

const struct progress *replay_progress(const struct replay *r)
{
    return &r->at;
}

uint64_t replay_no_deletes(const struct replay *r)
{
    return r->no_deletes;
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
                         const struct progress *shown)
{
    uint64_t forgotten = cache_last_forgotten(c);

    return cache_compacted(c) && forgotten > r->judged && forgotten >= r->pos &&
           forgotten >= r->no_deletes && is_below_horizon(r, c, shown);
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
                   const struct replay_hidden *hidden)
{
    int64_t next = progress_get(&r->at, hidden->partition);

    if (next < 0 || (cache_compacted(c) && next <= hidden->start))
        begin_partition(r, c, hidden->partition);
    else if (cache_compacted(c) && next < cache_horizon(c, hidden->partition))
        return false;
    if (replay_lost_deletes(r, c, shown))
        return false;
    r->judged = cache_last_forgotten(c);
    if (hidden->number < r->pos)
        r->pos = hidden->number;
    return true;
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

/* Partitions that are new, or whose beginning was not known, start where the cache starts. */
static void complete_progress(struct replay *r, const struct cache *c)
{
    int32_t n = cache_progress(c)->n;
    struct progress start = {0};

    if (r->at.n < n)
        progress_resize(&r->at, n);
    for (int32_t i = 0; i < n; i++) {
        if (r->at.next[i] >= 0)
            continue;
        if (start.n == 0)
            cache_start(c, &start);
        r->at.next[i] = start.next[i];
    }
    progress_fini(&start);
}

bool replay_looks_for_gaps(const struct replay *r, const struct cache *c)
{
    return r->losses != cache_losses(c);
}

void replay_bound(struct replay *r, const struct progress *at)
{
    progress_copy(&r->bound, at);
}

static void add_gaps(struct replay *r, const struct cache *c, enum event_id form,
                     struct chunk *chunk)
{
    if (!replay_looks_for_gaps(r, c))
        return;
    r->losses = cache_losses(c);
    for (int32_t i = 0; i < r->at.n; i++) {
        int64_t from = r->at.next[i], to = cache_lost(c, i);
        char json[96];
        if (i < r->bound.n && to > r->bound.next[i]) {
            to = r->bound.next[i];
            r->losses = UINT64_MAX; /* the rest is told when the stream's place is there */
        }
        if (from >= to)
            continue;
        r->at.next[i] = to;
        snprintf(json, sizeof json, "{\"partition\":%d,\"from\":%lld,\"to\":%lld}", (int)i,
                 (long long)from, (long long)to);
        event_encode_notice(&chunk->bytes, form, &r->at, "gap", json);
        chunk->events++;
        chunk->gaps++;
        add_mark(chunk, r->pos, i, to);
    }
}

/* A delete older than the stream: it has nothing to delete.  Where nothing is compacted a record
 * without a value is a record like others. */
static bool is_spared(const struct replay *r, const struct cache *c, const struct record *record,
                      uint64_t number)
{
    if (record->value.p != NULL || !cache_compacted(c))
        return false;
    return number < r->no_deletes || (int64_t)number < progress_get(&r->spared, record->partition);
}

/* Before the resume, by its id: which says nothing of a key that has aged at another responder a
 * moment before it did so here. */
static bool is_seen(const struct replay *r, const struct cache *c, const struct record *record,
                    uint64_t number)
{
    return record->offset < r->at.next[record->partition] &&
           !(record->aged && number >= cache_recent_aged(c));
}

bool replay_fill(struct replay *r, const struct cache *c, const struct progress *shown,
                 enum event_id form, uint64_t limit, size_t room, struct chunk *chunk)
{
    struct record record;
    uint64_t number;

    complete_progress(r, c);
    chunk->bytes.n = 0;
    chunk->n = 0;
    chunk->gaps = 0;
    chunk->events = 0;
    progress_copy(&chunk->start, &r->at);
    add_gaps(r, c, form, chunk);
    struct cache_walk walk = cache_walk(c, r->pos, limit);
    for (int steps = 0; chunk->bytes.n < room && steps < STEPS; steps++) {
        if (!cache_walk_next(&walk, &record, &number)) {
            r->pos = limit;
            return false;
        }
        r->pos = number + 1;
        if (is_seen(r, c, &record, number))
            continue;
        if (shown != NULL && record_next(&record) > progress_get(shown, record.partition))
            continue;
        int64_t *next = &r->at.next[record.partition];
        if (record_next(&record) > *next)
            *next = record_next(&record);
        if (!event_none(&record) && !is_spared(r, c, &record, number)) {
            event_encode(&chunk->bytes, form, &r->at, &record);
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
        r->at.next[m->partition] = m->next;
        r->pos = m->pos;
        chunk->events = m->events;
        if (m->end >= sent)
            return slice_of(chunk->bytes.p + sent, m->end - sent);
    }
    return slice_of(NULL, 0);
}

#include "stream/move.h"

#include <stdlib.h>

#include "base/mem.h"
#include "stream/replay_inside.h"

enum { STEPS = 20000 }; /* records or keys looked at for one chunk */

struct move *move_new(struct selection *from)
{
    struct move *m = mem_zero(sizeof *m);
    struct slice tag = selection_tag(from);

    m->from = selection_ref(from);
    if (tag.n > 0)
        memcpy(m->tag, tag.p, tag.n);
    m->tag[tag.n] = '~';
    m->tag_size = (uint8_t)(tag.n + 1);
    return m;
}

void move_free(struct move *m)
{
    if (m == NULL)
        return;
    selection_unref(m->from);
    free(m);
}

void move_begin(struct move *m, struct replay *r, const struct cache *c)
{
    m->base = r->pos;
    m->began = cache_end(c);
    m->partitions = cache_progress(c)->n;
    m->leaving = true;
    r->pos = 0;
}

struct slice move_tag(const struct move *m)
{
    return slice_of(m->tag, m->tag_size);
}

/* -- what leaves -- */

/* The newest record of a key that leaves: a delete is one's own if it has been given, and not if it
 * is of a partition that is hidden. */
static bool is_held(const struct move *m, const struct replay *r, const struct replay_scope *scope,
                    const struct record *record, uint64_t number)
{
    int64_t next = progress_get(&r->at, record->partition);
    bool given = number < m->base || (!record->aged && record->offset < next);

    given = given && !scope_hides(scope, record);
    return record->key.p != NULL && (record->value.p != NULL || !given);
}

/* It carries nothing of the record that is the newest of its key. */
static void leave(const struct move *m, const struct replay *r, const struct replay_scope *scope,
                  const struct record *record, uint64_t number, struct chunk *chunk)
{
    const struct record gone = {.partition = record->partition,
                                .offset = record->offset,
                                .timestamp_ms = -1,
                                .key = record->key};

    if (!is_held(m, r, scope, record, number))
        return;
    event_encode(&chunk->bytes, scope->shape, &r->at, scope->tag, &gone);
    chunk->events++;
    chunk_add_mark(chunk, r->pos, CHUNK_NO_PARTITION, 0);
}

/* The replay's place counts keys, each in each partition. */
static bool leave_by_key(const struct move *m, struct replay *r, const struct replay_scope *scope,
                         size_t room, struct chunk *chunk)
{
    const uint64_t partitions = (uint64_t)m->partitions, n = selection_count(m->from) * partitions;

    for (int steps = 0; r->pos < n && chunk->bytes.n < room && steps < STEPS; steps++) {
        struct slice key = selection_key(m->from, r->pos / partitions);
        int32_t partition = (int32_t)(r->pos % partitions);
        uint64_t number = cache_newest(scope->cache, partition, key);
        struct cache_walk walk = cache_walk(scope->cache, number, number + 1);
        struct record record;
        r->pos++;
        if (selection_passes(scope->selection, key))
            r->pos += partitions - 1 - (uint64_t)partition;
        else if (number > 0 && cache_walk_next(&walk, &record, &number))
            leave(m, r, scope, &record, number, chunk);
    }
    return r->pos < n;
}

/* It has had everything: the replay's place is one in the log.  What comes meanwhile supersedes
 * what is not left yet, and is left in its place. */
static bool leave_by_log(const struct move *m, struct replay *r, const struct replay_scope *scope,
                         size_t room, struct chunk *chunk)
{
    struct cache_walk walk = cache_walk(scope->cache, r->pos, cache_end(scope->cache));
    struct record record;
    uint64_t number;

    for (int steps = 0; chunk->bytes.n < room && steps < STEPS; steps++) {
        if (!cache_walk_next(&walk, &record, &number))
            return false;
        r->pos = number + 1;
        if (!selection_passes(scope->selection, record.key))
            leave(m, r, scope, &record, number, chunk);
    }
    return true;
}

bool move_leave(const struct move *m, struct replay *r, const struct replay_scope *scope,
                size_t room, struct chunk *chunk)
{
    if (scope->selection == NULL)
        return false; /* everything stays */
    return m->from != NULL ? leave_by_key(m, r, scope, room, chunk)
                           : leave_by_log(m, r, scope, room, chunk);
}

bool move_goes_on(struct move *m, struct replay *r)
{
    if (!m->leaving)
        return false;
    m->leaving = false;
    r->pos = m->from != NULL ? 0 : m->base; /* to one that had everything nothing is new */
    return true;
}

/* -- elsewhere, amid the way -- */

bool move_undo(const struct move *m, struct replay *r, const struct selection *to)
{
    if (m->begun || !m->leaving || !selection_equal(m->from, to))
        return false;
    r->pos = m->base;
    return true;
}

/* A move while it turns. */
struct turn {
    const struct move *m;
    const struct replay *r;
    const struct cache *c;
    struct values has; /* keys of which the reader has what there is before its place */
    bool unclear;      /* it has a key in some partitions alone */
};

/* Not before the reader's place, though its walk may begin before that. */
static bool is_to_come(const struct turn *t, int32_t partition, uint64_t number)
{
    struct cache_walk walk = cache_walk(t->c, number, number + 1);
    struct record record;

    return number >= t->m->base && cache_walk_next(&walk, &record, &number) &&
           (record.aged || record.offset >= progress_get(&t->r->at, partition));
}

/* Has the reader what there is of that key in that partition?  `at`: the place of a key that
 * leaves. */
static bool turn_has(const struct turn *t, int32_t partition, uint64_t at, uint64_t newest)
{
    return t->m->leaving ? at >= t->r->pos : newest < t->r->pos || is_to_come(t, partition, newest);
}

static void turn_add(struct turn *t, struct slice key, uint64_t at)
{
    int32_t has = 0, lacks = 0;

    for (int32_t p = 0; p < t->m->partitions; p++) {
        uint64_t newest = cache_newest(t->c, p, key);
        if (newest == 0)
            continue;
        if (turn_has(t, p, at + (uint64_t)p, newest))
            has++;
        else
            lacks++;
    }
    t->unclear |= has > 0 && lacks > 0;
    if (lacks == 0)
        values_add(&t->has, key);
}

static void turn_add_all(struct turn *t, const struct selection *to)
{
    const struct selection *from = t->m->from;

    for (size_t i = 0; i < selection_count(from); i++) {
        struct slice key = selection_key(from, i);
        if (selection_passes(to, key))
            values_add(&t->has, key);
        else if (t->m->leaving)
            turn_add(t, key, i * (uint64_t)t->m->partitions);
    }
    for (size_t i = 0; i < selection_count(to) && !t->m->leaving; i++)
        if (!selection_passes(from, selection_key(to, i)))
            turn_add(t, selection_key(to, i), 0);
}

bool move_turn(struct move *m, struct replay *r, const struct cache *c, const struct selection *to)
{
    struct turn t = {.m = m, .r = r, .c = c};

    if (!m->begun && (m->leaving || r->pos < m->base)) {
        r->pos = m->base; /* it is where it was */
        move_begin(m, r, c);
        return true;
    }
    if (m->from == NULL || to == NULL || cache_progress(c)->n != m->partitions)
        return false;
    turn_add_all(&t, to);
    if (!t.unclear) {
        selection_unref(m->from);
        m->from = selection_new(&t.has);
        if (m->leaving || r->pos < m->base)
            r->pos = m->base;
        move_begin(m, r, c);
    }
    values_fini(&t.has);
    return !t.unclear;
}

#include "topic/segments.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SEGMENT_SLOTS = 4096 };

struct segment {
    struct progress start; /* the log's progress when the segment was begun */
    uint64_t base;         /* no number in it is lower, none before it is as high */
    uint32_t cap, used;
    uint32_t live;  /* slots with an entry */
    uint32_t first; /* none before it has one; moved by segments_first() alone */
    struct slot {
        struct entry *entry; /* NULL: a hole */
        uint32_t after_base; /* its number */
        int32_t partition;   /* so that others' entries are passed over without a look at them */
    } slots[];
};

struct segments {
    struct segment **at; /* in order */
    size_t n, cap;
    size_t freed; /* of these, by segments_free_some() */
};

static uint64_t slot_number(const struct segment *s, size_t k)
{
    return s->base + s->slots[k].after_base;
}

static struct segment *segment_new(const struct progress *start, uint64_t base, size_t cap)
{
    struct segment *s = mem_alloc(sizeof *s + cap * sizeof *s->slots);

    *s = (struct segment){.base = base, .cap = (uint32_t)cap};
    progress_copy(&s->start, start);
    return s;
}

static void segment_free(struct segment *s)
{
    progress_fini(&s->start);
    free(s);
}

static void segment_free_entries(struct segment *s)
{
    for (size_t k = 0; k < s->used; k++)
        free(s->slots[k].entry);
    segment_free(s);
}

static void segment_put(struct segment *s, uint64_t number, struct entry *e)
{
    e->segment = s;
    e->slot = (uint16_t)s->used;
    s->slots[s->used++] = (struct slot){e, (uint32_t)(number - s->base), e->partition};
    s->live++;
}

struct segments *segments_new(void)
{
    return mem_zero(sizeof(struct segments));
}

void segments_free(struct segments *log)
{
    if (log == NULL)
        return;
    while (segments_free_some(log))
        ;
    free(log->at);
    free(log);
}

static void reserve(struct segments *log, size_t n)
{
    if (n <= log->cap)
        return;
    log->cap = n < 16 ? 16 : 2 * n;
    log->at = mem_resize_array(log->at, log->cap, sizeof *log->at);
}

/* The last segment whose base is not above `number`; 0 if there is none. */
static size_t segment_of(const struct segments *log, uint64_t number)
{
    size_t low = 0, high = log->n;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (log->at[mid]->base <= number)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* The first slot of the segment whose number is not below `number`; `used` if there is none. */
static size_t slot_of(const struct segment *s, uint64_t number)
{
    size_t low = 0, high = s->used;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (slot_number(s, mid) < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Rewrites segments first..last as one without holes, or none if nothing is left. */
static void rewrite(struct segments *log, size_t first, size_t last)
{
    size_t live = 0;

    for (size_t i = first; i <= last; i++)
        live += log->at[i]->live;
    struct segment *to = segment_new(&log->at[first]->start, log->at[first]->base, live);
    for (size_t i = first; i <= last; i++) {
        const struct segment *from = log->at[i];
        for (size_t k = 0; k < from->used; k++)
            if (from->slots[k].entry != NULL)
                segment_put(to, slot_number(from, k), from->slots[k].entry);
        segment_free(log->at[i]);
    }
    if (live > 0)
        log->at[first++] = to;
    else
        segment_free(to);
    memmove(log->at + first, log->at + last + 1, (log->n - last - 1) * sizeof *log->at);
    log->n -= last + 1 - first;
}

static bool can_join(const struct segment *a, const struct segment *b)
{
    return a->live + b->live <= SEGMENT_SLOTS / 2 &&
           slot_number(b, b->used - 1) - a->base <= UINT32_MAX;
}

/* Keeps holes below a third and small segments few.  The last one is still being filled. */
static void compact_around(struct segments *log, const struct segment *s)
{
    uint32_t used = s->used - s->first;

    if (s == log->at[log->n - 1] || ((used - s->live) * 3 <= used && s->live > 0))
        return;
    size_t i = segment_of(log, s->base);
    rewrite(log, i > 0 && can_join(log->at[i - 1], s) ? i - 1 : i, i);
}

void segments_append(struct segments *log, uint64_t number, struct entry *e,
                     const struct progress *at)
{
    struct segment *s = log->n > 0 ? log->at[log->n - 1] : NULL;

    if (s == NULL || s->used == s->cap || number - s->base > UINT32_MAX) {
        struct segment *full = s;
        reserve(log, log->n + 1);
        log->at[log->n++] = s = segment_new(at, number, SEGMENT_SLOTS);
        if (full != NULL)
            compact_around(log, full); /* it was left alone until now */
    }
    segment_put(s, number, e);
}

void segments_remove(struct segments *log, struct entry *e)
{
    struct segment *s = e->segment;

    s->slots[e->slot].entry = NULL;
    s->live--;
    compact_around(log, s);
}

uint64_t segments_number(const struct entry *e)
{
    return slot_number(e->segment, e->slot);
}

struct entry *segments_first(struct segments *log)
{
    /* Only the last segment, which is being filled, may be without any. */
    for (size_t i = 0; i < log->n; i++) {
        struct segment *s = log->at[i];
        while (s->first < s->used && s->slots[s->first].entry == NULL)
            s->first++;
        if (s->first < s->used)
            return s->slots[s->first].entry;
    }
    return NULL;
}

/* The last segment that was begun before the partition was beyond `next`. */
static size_t segment_before(const struct segments *log, int32_t partition, int64_t next)
{
    size_t low = 0, high = log->n;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (progress_get(&log->at[mid]->start, partition) <= next)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint64_t segments_seek(const struct segments *log, int32_t partition, int64_t next)
{
    return log->n > 0 ? log->at[segment_before(log, partition, next)]->base : UINT64_MAX;
}

uint64_t segments_seek_end(const struct segments *log, int32_t partition, int64_t next)
{
    size_t i = log->n > 0 ? segment_before(log, partition, next) + 1 : 0;

    if (i < log->n)
        return log->at[i]->base;
    const struct segment *last = log->n > 0 ? log->at[log->n - 1] : NULL;
    return last == NULL ? 0 : last->used > 0 ? slot_number(last, last->used - 1) + 1 : last->base;
}

struct segments_walk segments_walk(const struct segments *log, uint64_t from)
{
    struct segments_walk w = {.log = log, .segment = segment_of(log, from)};

    if (w.segment < log->n)
        w.slot = slot_of(log->at[w.segment], from);
    return w;
}

/* Where the sweep goes on: mostly where it was, but the segment may have been rewritten. */
static struct segments_walk sweep_walk(const struct segments *log,
                                       const struct segments_sweep *sweep)
{
    const struct segment *s = sweep->segment < log->n ? log->at[sweep->segment] : NULL;

    if (s != NULL && sweep->slot > 0 && sweep->slot < s->used &&
        slot_number(s, sweep->slot) >= sweep->at && slot_number(s, sweep->slot - 1) < sweep->at)
        return (struct segments_walk){log, sweep->segment, sweep->slot};
    return segments_walk(log, sweep->at);
}

struct entry *segments_below(const struct segments *log, const struct progress *origin,
                             struct segments_sweep *sweep, size_t *steps)
{
    if (sweep->at >= sweep->end)
        return NULL;
    for (struct segments_walk w = sweep_walk(log, sweep); w.segment < log->n;
         w.segment++, w.slot = 0) {
        const struct segment *s = log->at[w.segment];
        for (; w.slot < s->used; w.slot++) {
            const struct slot *slot = &s->slots[w.slot];
            *sweep = (struct segments_sweep){slot_number(s, w.slot), sweep->end, w.segment, w.slot};
            if (sweep->at >= sweep->end)
                return NULL;
            if (*steps == 0)
                return NULL;
            --*steps;
            int64_t below = progress_get(origin, slot->partition);
            if (slot->entry == NULL || below <= progress_get(&s->start, slot->partition))
                continue; /* a segment holds nothing from before its start */
            if (slot->entry->offset < below) {
                sweep->at++;
                sweep->slot++;
                return slot->entry;
            }
        }
    }
    sweep->at = sweep->end;
    return NULL;
}

struct entry *segments_next(struct segments_walk *w, uint64_t limit, uint64_t *number)
{
    for (; w->segment < w->log->n; w->segment++, w->slot = 0) {
        const struct segment *s = w->log->at[w->segment];
        while (w->slot < s->used) {
            size_t k = w->slot++;
            if (slot_number(s, k) >= limit)
                return NULL;
            if (s->slots[k].entry == NULL)
                continue;
            *number = slot_number(s, k);
            return s->slots[k].entry;
        }
    }
    return NULL;
}

struct entry *segments_previous(const struct segments *log, uint64_t below, uint64_t *number)
{
    for (size_t i = log->n > 0 ? segment_of(log, below) + 1 : 0; i-- > 0;) {
        const struct segment *s = log->at[i];
        for (size_t k = slot_of(s, below); k-- > 0;) {
            if (s->slots[k].entry == NULL)
                continue;
            *number = slot_number(s, k);
            return s->slots[k].entry;
        }
    }
    return NULL;
}

void segments_discard(struct segments *to, struct segments *from)
{
    reserve(to, to->n + from->n);
    if (from->n > 0)
        memcpy(to->at + to->n, from->at, from->n * sizeof *from->at);
    to->n += from->n;
    from->n = 0;
}

bool segments_free_some(struct segments *log)
{
    if (log->freed == log->n) {
        log->freed = log->n = 0;
        return false;
    }
    segment_free_entries(log->at[log->freed++]);
    return true;
}

bool segments_empty(const struct segments *log)
{
    return log->freed == log->n;
}

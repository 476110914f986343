#include "stream/backlog.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stream/backlog_inside.h"

enum {
    BLOCK_BYTES = 64 * 1024,
    REST_COPIED = 4096, /* less than that is not worth a block */
};

struct backlog {
    struct backlogs *together; /* NULL: none */
    TAILQ_ENTRY(backlog) link;
    size_t max_bytes;
    void (*on_drop)(void *arg, struct block *block);
    void *arg;
    TAILQ_HEAD(chain, block) blocks; /* never empty */
    size_t bytes;                    /* of events and passes */
    uint64_t events;                 /* ever added */
};

struct block *block_new(void)
{
    struct block *block = mem_zero(sizeof *block);

    block->refs = 1;
    return block;
}

static struct block *add_block(struct backlog *b, uint64_t number, const struct progress *start)
{
    struct block *block = block_new();

    block->number = number;
    block->event = b->events;
    progress_copy(&block->start, start);
    TAILQ_INSERT_TAIL(&b->blocks, block, link);
    return block;
}

void block_unref(struct block *block)
{
    if (--block->refs > 0)
        return;
    if (block->shared != NULL)
        block->shared->block = NULL;
    progress_fini(&block->start);
    buf_fini(&block->bytes);
    free(block->marks);
    free(block->passes);
    free(block->notes);
    free(block);
}

void backlogs_init(struct backlogs *together, size_t max_bytes)
{
    together->max_bytes = max_bytes;
    TAILQ_INIT(&together->all);
}

struct backlog *backlog_new(struct backlogs *together, size_t max_bytes,
                            void (*on_drop)(void *arg, struct block *block), void *arg)
{
    struct backlog *b = mem_zero(sizeof *b);
    struct progress none = {0};

    b->together = together;
    if (together != NULL)
        TAILQ_INSERT_TAIL(&together->all, b, link);
    b->max_bytes = max_bytes;
    b->on_drop = on_drop;
    b->arg = arg;
    TAILQ_INIT(&b->blocks);
    add_block(b, 0, &none);
    return b;
}

static void drop_oldest(struct backlog *b)
{
    struct block *block = TAILQ_FIRST(&b->blocks);

    b->on_drop(b->arg, block);
    TAILQ_REMOVE(&b->blocks, block, link);
    b->bytes -= block->bytes.n + block->pass_n * sizeof *block->passes;
    block_unref(block);
}

void backlog_free(struct backlog *b)
{
    struct block *block;

    if (b == NULL)
        return;
    while ((block = TAILQ_FIRST(&b->blocks)) != NULL) {
        TAILQ_REMOVE(&b->blocks, block, link);
        block_unref(block);
    }
    if (b->together != NULL)
        TAILQ_REMOVE(&b->together->all, b, link);
    free(b);
}

size_t backlog_bytes(const struct backlog *b)
{
    return b->bytes;
}

void backlog_reset(struct backlog *b, uint64_t number, const struct progress *at)
{
    struct block *fresh = add_block(b, number, at);

    while (TAILQ_FIRST(&b->blocks) != fresh)
        drop_oldest(b);
}

static bool has_one_block(const struct backlog *b)
{
    return TAILQ_FIRST(&b->blocks) == TAILQ_LAST(&b->blocks, chain);
}

/* Its only block goes; what comes next stands in another. */
static void drop_only(struct backlog *b)
{
    struct place end = backlog_end(b);
    struct progress at = {0};

    backlog_progress(&end, &at);
    add_block(b, backlog_number(&end), &at);
    drop_oldest(b);
    progress_fini(&at);
}

/* The largest that has something to give, and what all have.  NULL: none has. */
static struct backlog *find_largest(const struct backlogs *together, const struct backlog *grows,
                                    size_t *bytes)
{
    struct backlog *b, *largest = NULL;

    *bytes = 0;
    TAILQ_FOREACH(b, &together->all, link)
    {
        bool gives = !has_one_block(b) || (b != grows && b->bytes > BLOCK_BYTES);
        *bytes += b->bytes;
        if (gives && (largest == NULL || b->bytes > largest->bytes))
            largest = b;
    }
    return largest;
}

static void bound_all(const struct backlogs *together, const struct backlog *grows)
{
    struct backlog *largest;
    size_t bytes;

    while ((largest = find_largest(together, grows, &bytes)) != NULL && bytes > together->max_bytes)
        if (has_one_block(largest))
            drop_only(largest);
        else
            drop_oldest(largest);
}

void backlog_skip(struct backlog *b, uint64_t number, const struct progress *at)
{
    struct block *last = TAILQ_LAST(&b->blocks, chain);

    if (last->n > 0) {
        add_block(b, number, at);
        return;
    }
    last->number = number;
    progress_copy(&last->start, at);
    b->bytes -= last->pass_n * sizeof *last->passes;
    last->pass_n = 0;
}

static void add_mark(struct block *block, struct mark mark)
{
    if (block->n == block->cap) {
        block->cap = block->cap ? block->cap * 2 : 32;
        block->marks = mem_resize_array(block->marks, block->cap, sizeof *block->marks);
    }
    block->marks[block->n++] = mark;
}

void backlog_pass(struct backlog *b, int32_t partition, int64_t next)
{
    struct block *block = TAILQ_LAST(&b->blocks, chain);

    for (size_t i = block->pass_n; i > 0 && block->passes[i - 1].end == block->bytes.n; i--) {
        if (block->passes[i - 1].partition != partition)
            continue;
        block->passes[i - 1].next = next;
        return;
    }
    if (block->pass_n == block->pass_cap) {
        block->pass_cap = block->pass_cap ? block->pass_cap * 2 : 8;
        block->passes = mem_resize_array(block->passes, block->pass_cap, sizeof *block->passes);
    }
    block->passes[block->pass_n++] = (struct pass){block->bytes.n, next, partition};
    b->bytes += sizeof *block->passes;
}

size_t backlog_add(struct backlog *b, const struct shape *shape, uint64_t number,
                   const struct progress *at, const struct record *r)
{
    struct block *block = TAILQ_LAST(&b->blocks, chain);

    if (event_none(r)) {
        backlog_pass(b, r->partition, record_next(r));
        return 0;
    }
    if (block->bytes.n + r->value.n > BLOCK_BYTES && block->bytes.n > 0) {
        struct progress before = {0};
        progress_copy(&before, at);
        before.next[r->partition] = r->offset; /* for whoever stands before this event */
        block = add_block(b, number, &before);
        progress_fini(&before);
    }
    size_t had = block->bytes.n;
    size_t tag_at = event_encode(&block->bytes, shape, at, slice_of(NULL, 0), r);
    b->events++;
    add_mark(block,
             (struct mark){block->bytes.n, number, record_next(r), r->partition, (uint32_t)tag_at});
    size_t bytes = block->bytes.n - had;
    b->bytes += bytes;
    return bytes;
}

void backlog_trim(struct backlog *b)
{
    const struct block *last = TAILQ_LAST(&b->blocks, chain);

    while (b->bytes > b->max_bytes && TAILQ_FIRST(&b->blocks) != last)
        drop_oldest(b);
    if (last->n == 1 && b->together != NULL) /* it has begun */
        bound_all(b->together, b);
}

struct place backlog_end(const struct backlog *b)
{
    struct block *block = TAILQ_LAST(&b->blocks, chain);

    return (struct place){block, block->bytes.n};
}

int backlog_iov(const struct place *at, struct iovec *iov, int max)
{
    int n = 0;
    size_t sent = at->sent;

    for (struct block *block = at->block; block != NULL && n < max;
         block = TAILQ_NEXT(block, link), sent = 0) {
        if (block->bytes.n > sent)
            iov[n++] = (struct iovec){block->bytes.p + sent, block->bytes.n - sent};
    }
    return n;
}

void backlog_advance(struct place *at, size_t n)
{
    for (;;) {
        size_t left = at->block->bytes.n - at->sent;
        if (n < left || TAILQ_NEXT(at->block, link) == NULL) {
            assert(n <= left);
            at->sent += n;
            return;
        }
        n -= left;
        at->block = TAILQ_NEXT(at->block, link);
        at->sent = 0;
    }
}

/* How many of the block's events lie before the place, the event under way included. */
static size_t marks_before(const struct place *at)
{
    const struct block *block = at->block;
    size_t low = 0, high = block->n;

    /* The first mark at or behind `sent`: its event is under way, or just done. */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (block->marks[mid].end < at->sent)
            low = mid + 1;
        else
            high = mid;
    }
    if (at->sent == 0)
        return 0;
    return low < block->n ? low + 1 : block->n;
}

struct slice backlog_rest(const struct place *at)
{
    size_t n = marks_before(at);

    if (n == 0)
        return slice_of(NULL, 0);
    return slice_of(at->block->bytes.p + at->sent, at->block->marks[n - 1].end - at->sent);
}

uint64_t backlog_event(const struct place *at)
{
    const struct block *block = at->block;
    /* Most have everything: no search. */
    size_t n = at->sent == block->bytes.n ? block->n : marks_before(at);

    return block->event + n;
}

uint64_t backlog_number(const struct place *at)
{
    size_t n = marks_before(at);

    return n ? at->block->marks[n - 1].number + 1 : at->block->number;
}

static void raise_place(struct progress *p, int32_t partition, int64_t next)
{
    if (partition >= p->n)
        progress_resize(p, partition + 1);
    if (next > p->next[partition])
        p->next[partition] = next;
}

void block_progress(const struct block *block, size_t n, size_t sent, struct progress *out)
{
    progress_copy(out, &block->start);
    for (size_t i = 0; i < n; i++)
        raise_place(out, block->marks[i].partition, block->marks[i].next);
    for (size_t i = 0; i < block->pass_n && block->passes[i].end <= sent; i++)
        raise_place(out, block->passes[i].partition, block->passes[i].next);
}

void backlog_progress(const struct place *at, struct progress *out)
{
    block_progress(at->block, marks_before(at), at->sent, out);
}

size_t block_event_start(const struct block *block, size_t mark)
{
    return mark > 0 ? block->marks[mark - 1].end : 0;
}

void block_keep_rest(struct block *block, size_t mark, size_t from, struct rest *rest)
{
    size_t end = block->marks[mark].end;
    bool is_most = (end - block_event_start(block, mark)) * 2 >= block->bytes.n;

    assert(rest->block == NULL);
    if (end - from < REST_COPIED || !is_most) {
        rest_copy(rest, slice_of(block->bytes.p + from, end - from));
        return;
    }
    block->refs++;
    *rest = (struct rest){block, (uint32_t)from, (uint32_t)end};
}

void backlog_keep_rest(const struct place *at, struct rest *rest)
{
    if (backlog_rest(at).n > 0)
        block_keep_rest(at->block, marks_before(at) - 1, at->sent, rest);
}

struct item backlog_note(struct backlog *b, uint64_t moves)
{
    struct block *block = TAILQ_LAST(&b->blocks, chain);

    if (block->note_n == block->note_cap) {
        block->note_cap = block->note_cap ? block->note_cap * 2 : 8;
        block->notes = mem_resize_array(block->notes, block->note_cap, sizeof *block->notes);
    }
    block->notes[block->note_n] = (struct note){.mark = (uint32_t)block->n - 1, .moves = moves};
    return (struct item){block, (uint32_t)block->note_n++};
}

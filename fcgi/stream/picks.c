#include "stream/picks.h"

#include <stdlib.h>

#include "base/mem.h"

struct pick {
    struct wish wish;
    struct picker *picker;
    struct item item;  /* no block: nothing waits */
    struct pick *next; /* of the picker's that wait */
};

struct picker {
    LIST_ENTRY(picker) link; /* while something waits: in the block of the first */
    struct reader *reader;
    struct pick *first;  /* that wait, by event */
    struct pick picks[]; /* one for each key of the selection */
};

void picks_init(struct picks *p, void (*on_due)(void *arg, struct reader *reader), void *arg)
{
    *p = (struct picks){.index = index_new(), .on_due = on_due, .arg = arg};
}

void picks_fini(struct picks *p)
{
    index_free(p->index);
    for (int i = 0; i < PICKS_BATCH; i++)
        buf_fini(&p->batch[i].event.head);
}

/* -- what waits, in order -- */

/* Its first is about to be another. */
static void picker_unlist(struct picker *picker)
{
    if (picker->first != NULL)
        LIST_REMOVE(picker, link);
}

static void picker_list(struct picker *picker)
{
    if (picker->first != NULL)
        LIST_INSERT_HEAD(backlog_waiting(picker->first->item.block), picker, link);
}

static void picker_insert(struct picker *picker, struct pick *pick)
{
    struct pick **at = &picker->first;

    while (*at != NULL && item_before((*at)->item, pick->item))
        at = &(*at)->next;
    pick->next = *at;
    *at = pick;
}

static void picker_take_out(struct picker *picker, struct pick *pick)
{
    struct pick *before = NULL;

    for (struct pick *at = picker->first; at != pick; at = at->next)
        before = at;
    if (before == NULL)
        picker->first = pick->next;
    else
        before->next = pick->next;
}

static void pick_wait(struct pick *pick, struct item item)
{
    pick->wish.want->waiting += pick->item.block == NULL;
    pick->item = item;
}

static void pick_stop(struct pick *pick)
{
    pick->wish.want->waiting -= pick->item.block != NULL;
    pick->item = (struct item){0};
}

bool picker_waits(const struct picker *picker)
{
    return picker->first != NULL;
}

bool picker_is_in(const struct picker *picker, const struct block *block)
{
    return picker->first != NULL && picker->first->item.block == block;
}

void picker_place(const struct picker *picker, uint64_t *number, struct progress *at)
{
    *number = item_number(picker->first->item);
    item_progress(picker->first->item, at);
}

struct reader *picks_first_in(struct block *block)
{
    const struct picker *picker = LIST_FIRST(backlog_waiting(block));

    return picker != NULL ? picker->reader : NULL;
}

/* -- what comes -- */

static struct pick *pick_of(struct wish *wish)
{
    return (struct pick *)wish; /* its first member */
}

/* It is newer than all that waits. */
static void pick_come(struct picks *p, struct pick *pick, struct item item)
{
    struct picker *picker = pick->picker;
    bool was_idle = picker->first == NULL;

    if (pick->item.block != NULL)
        return; /* it will find it in the chain */
    pick_wait(pick, item);
    picker_insert(picker, pick);
    if (!was_idle)
        return;
    picker_list(picker);
    p->on_due(p->arg, picker->reader);
}

void picks_come(struct picks *p, struct want *want, struct backlog *backlog, uint64_t moves)
{
    struct item item = backlog_note(backlog, moves);
    struct wish *wish;

    for (int i = 0; i < PICKS_BATCH; i++)
        p->batch[i].event.head.n = 0; /* another event may come to stand there */
    if (want->waiting > 0)
        item_chain((struct item){want->block, want->at}, item);
    want->block = item.block;
    want->at = item.at;
    LIST_FOREACH(wish, &want->wishes, link)
    {
        pick_come(p, pick_of(wish), item);
    }
}

/* -- pulled -- */

/* The first that waits is given. */
static void picker_advance(struct picker *picker)
{
    struct pick *pick = picker->first;
    struct item newer = item_newer(pick->item);

    picker_unlist(picker);
    picker->first = pick->next;
    if (newer.block == NULL) {
        pick_stop(pick);
    } else {
        pick_wait(pick, newer);
        picker_insert(picker, pick);
    }
    picker_list(picker);
}

static void picked_make(struct picked_event *e, struct item item, const struct shape *shape,
                        struct slice tag)
{
    size_t tag_at;
    struct slice event = item_event(item, &tag_at);

    e->item = item;
    e->head.n = 0;
    e->rest_at = event_add_head(&e->head, shape, event, tag_at, tag, &e->tag_at);
    e->rest = slice_of(event.p + e->rest_at, event.n - e->rest_at);
}

/* Mostly the reader before it was given the same. */
static void picked_give(struct picked_event *e, struct item item, const struct shape *shape,
                        struct slice tag, struct iovec *iov)
{
    if (e->item.block == item.block && e->item.at == item.at && e->head.n > 0)
        memcpy(e->head.p + e->tag_at, tag.p, tag.n);
    else
        picked_make(e, item, shape, tag);
    iov[0] = (struct iovec){e->head.p, e->head.n};
    iov[1] = (struct iovec){(void *)e->rest.p, e->rest.n};
}

int picker_next(struct picks *p, struct picker *picker, const struct shape *shape, struct slice tag,
                struct iovec *iov, int max)
{
    size_t end = 0;
    int n = 0;

    for (; picker->first != NULL && n < PICKS_BATCH && n < max / 2; n++) {
        struct picked *picked = &p->batch[n];
        picked->pick = picker->first;
        picked_give(&picked->event, picker->first->item, shape, tag, &iov[2 * n]);
        picked->end = end += picked->event.head.n + picked->event.rest.n;
        picker_advance(picker);
    }
    p->n = n;
    return 2 * n;
}

/* It was given, but not sent: it is the first again. */
static void picked_undo(const struct picked *picked)
{
    struct pick *pick = picked->pick;
    struct picker *picker = pick->picker;

    picker_unlist(picker);
    if (pick->item.block != NULL)
        picker_take_out(picker, pick);
    pick_wait(pick, picked->event.item);
    picker_insert(picker, pick);
    picker_list(picker);
}

/* Of that event so many bytes were sent. */
static void picked_keep_rest(const struct picked_event *e, size_t sent, struct rest *rest)
{
    if (sent >= e->head.n) {
        item_keep_rest(e->item, e->rest_at + sent - e->head.n, rest);
        return;
    }
    struct buf bytes = {0}; /* amid the few that are the reader's own */
    buf_add(&bytes, e->head.p + sent, e->head.n - sent);
    buf_add_slice(&bytes, e->rest);
    rest_copy(rest, buf_slice(&bytes));
    buf_fini(&bytes);
}

int picker_sent(struct picks *p, size_t sent, struct rest *rest, uint64_t *moves)
{
    size_t start = 0;
    int begun = 0;

    for (; begun < p->n && start < sent; begun++) {
        const struct picked *picked = &p->batch[begun];
        if (picked->end > sent)
            picked_keep_rest(&picked->event, sent - start, rest);
        *moves = item_moves(picked->event.item);
        start = picked->end;
    }
    for (int i = p->n; i > begun; i--)
        picked_undo(&p->batch[i - 1]);
    p->n = 0;
    return begun;
}

/* -- life -- */

struct picker *picker_new(struct picks *p, struct reader *reader, const struct selection *s)
{
    size_t n = selection_count(s);
    struct picker *picker = mem_zero(sizeof *picker + n * sizeof picker->picks[0]);

    picker->reader = reader;
    for (size_t i = 0; i < n; i++) {
        picker->picks[i].picker = picker;
        index_add(p->index, &picker->picks[i].wish, selection_key(s, i));
    }
    return picker;
}

void picker_free(struct picks *p, struct picker *picker, const struct selection *s)
{
    picker_unlist(picker);
    for (size_t i = 0; i < selection_count(s); i++) {
        pick_stop(&picker->picks[i]);
        index_remove(p->index, &picker->picks[i].wish);
    }
    free(picker);
}

#include "stream/picks_inside.h"

static struct picker *picker_of(struct pick *pick)
{
    return (struct picker *)(void *)((char *)(pick - pick->index) - offsetof(struct picker, picks));
}

static struct item pick_item(const struct pick *pick)
{
    return (struct item){pick->block, pick->at};
}

void picks_init(struct picks *p, void (*on_due)(void *arg, struct reader *reader), void *arg)
{
    *p = (struct picks){.index = index_new(), .on_due = on_due, .arg = arg};
}

void picks_fini(struct picks *p)
{
    index_free(p->index);
    due_fini(&p->due);
    for (int i = 0; i < PICKS_BATCH; i++)
        picked_fini(&p->batch[i].event);
}

/* -- what waits, in order -- */

static void picker_list(struct picker *picker)
{
    if (picker->first != NULL)
        LIST_INSERT_HEAD(backlog_waiting(picker->first->block), picker, link);
}

static void picker_insert(struct picker *picker, struct pick *pick)
{
    struct pick **at = &picker->first;

    while (*at != NULL && item_before(pick_item(*at), pick_item(pick)))
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
    pick->wish.want->waiting += pick->block == NULL;
    pick->block = item.block;
    pick->at = item.at;
}

bool picker_waits(const struct picker *picker)
{
    return picker->first != NULL;
}

bool picker_is_in(const struct picker *picker, const struct block *block)
{
    return picker->first != NULL && picker->first->block == block;
}

/* -- what comes -- */

/* It is newer than all that waits. */
static void pick_come(struct picks *p, struct pick *pick, struct item item)
{
    struct picker *picker = picker_of(pick);
    bool was_idle = picker->first == NULL;

    if (pick->block != NULL)
        return; /* it will find it in the chain */
    pick_wait(pick, item);
    picker_insert(picker, pick);
    if (!was_idle)
        return;
    picker_list(picker);
    p->on_due(p->arg, picker->reader);
}

/* The first event of a want that is not served; no block: none. */
static struct item want_due(const struct picks *p, const struct want *want)
{
    if (p->serving.want == want)
        return p->serving.first;
    const struct due_want *due = due_find(&p->due, want);
    return due != NULL ? due->first : (struct item){0};
}

void picks_come(struct picks *p, struct want *want, struct backlog *backlog, uint64_t moves)
{
    struct item item = backlog_note(backlog, moves);
    bool is_due = due_find(&p->due, want) != NULL;
    struct wish *wish;

    for (int i = 0; i < PICKS_BATCH; i++)
        picked_forget(&p->batch[i].event); /* another may come to stand there */
    if (want->waiting > 0 || is_due || want == p->serving.want)
        item_chain((struct item){want->block, want->at}, item);
    want->block = item.block;
    want->at = item.at;
    if (want->soles > 0 && !is_due) {
        due_add(&p->due, want, item);
        p->soles_due += want->soles;
    }
    LIST_FOREACH(wish, &want->among, link)
    {
        pick_come(p, pick_of(wish), item);
    }
}

/* -- what is due to the readers of one key -- */

/* The first event that is due to it. */
static struct item pick_due(const struct picks *p, const struct pick *pick, uint64_t seen)
{
    struct item item = want_due(p, pick->wish.want);

    while (item.block != NULL && item_moves(item) <= seen)
        item = item_newer(item); /* it came before the reader, or waited for it */
    return item;
}

static void pick_await_due(struct picks *p, struct pick *pick)
{
    struct item item = pick_due(p, pick, picker_of(pick)->seen);

    if (item.block != NULL)
        pick_come(p, pick, item);
}

void picker_await_due(struct picks *p, struct picker *picker)
{
    pick_await_due(p, &picker->picks[0]);
}

size_t picks_begin_round(struct picks *p)
{
    size_t n = p->soles_due;

    p->until = p->due.end;
    p->soles_due = 0;
    return n;
}

static void serving_begin(struct picks *p, const struct due_want *due)
{
    p->serving.want = due->want;
    p->serving.first = due->first;
    p->serving.next = LIST_FIRST(&due->want->sole);
    p->serving.n = 0;
}

/* Is there one to be served?  It takes the next key when all readers of one were. */
static bool serving_goes_on(struct picks *p)
{
    while (p->serving.next == NULL) {
        const struct due_want *due = due_first(&p->due, p->until);
        p->serving.want = NULL;
        if (due == NULL)
            return false;
        serving_begin(p, due);
        due_drop_first(&p->due);
    }
    return true;
}

static struct pick *serving_next(struct picks *p)
{
    struct wish *wish = p->serving.next;

    p->serving.next = LIST_NEXT(wish, link);
    return pick_of(wish);
}

size_t picks_serve(struct picks *p, size_t max, void (*serve)(struct reader *reader, void *arg),
                   void *arg)
{
    size_t n = 0;

    p->serving.n = 0; /* the backlog may have changed */
    for (; n < max && serving_goes_on(p); n++)
        serve(picker_of(serving_next(p))->reader, arg);
    return n;
}

void picks_await_block(struct picks *p, const struct block *block)
{
    const struct due_want *due;

    if (p->serving.want != NULL && p->serving.first.block == block) {
        while (p->serving.next != NULL)
            pick_await_due(p, serving_next(p));
        p->serving.want = NULL;
    }
    while ((due = due_first(&p->due, p->due.end)) != NULL && due->first.block == block) {
        struct wish *wish;
        LIST_FOREACH(wish, &due->want->sole, link)
        {
            pick_await_due(p, pick_of(wish));
        }
        due_drop_first(&p->due);
    }
}

struct reader *picks_first_in(struct block *block)
{
    const struct picker *picker = LIST_FIRST(backlog_waiting(block));

    return picker != NULL ? picker->reader : NULL;
}

/* The first event that waits or is due. */
static struct item picker_first(const struct picks *p, const struct picker *picker)
{
    if (picker->first != NULL)
        return pick_item(picker->first);
    return picker->picks[0].sole ? pick_due(p, &picker->picks[0], picker->seen) : (struct item){0};
}

bool picker_has_any(const struct picks *p, const struct picker *picker)
{
    return picker_first(p, picker).block != NULL;
}

bool picker_place(const struct picks *p, const struct picker *picker, uint64_t *number,
                  struct progress *at)
{
    struct item item = picker_first(p, picker);

    if (item.block == NULL)
        return false;
    *number = item_number(item);
    item_progress(item, at);
    return true;
}

/* -- pulled -- */

/* The first that waits is given. */
static void picker_advance(struct picker *picker)
{
    struct pick *pick = picker->first;
    struct item newer = item_newer(pick_item(pick));

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

/* Puts that event into the batch, behind the n that are there. */
static void batch_add(struct picks *p, int n, struct item item, const struct shape *shape,
                      struct slice tag, struct iovec *iov)
{
    struct picked *picked = &p->batch[n];

    picked_give(&picked->event, item, shape, tag, iov);
    picked->end = (n > 0 ? p->batch[n - 1].end : 0) + iov[0].iov_len + iov[1].iov_len;
}

/* All that is due of the key that is served, for all its readers. */
static void serving_make(struct picks *p, const struct shape *shape, struct slice tag)
{
    struct serving *s = &p->serving;
    struct item item = s->first;
    int n = 0;

    for (; item.block != NULL && n < PICKS_BATCH; item = item_newer(item), n++)
        batch_add(p, n, item, shape, tag, &s->iov[2 * n]);
    s->n = 2 * n;
    s->more = item;
}

int picker_next_due(struct picks *p, struct picker *picker, const struct shape *shape,
                    struct slice tag, struct iovec **iov)
{
    struct pick *pick = &picker->picks[0];
    int n;

    if (item_moves(p->serving.first) <= picker->seen) { /* not all of it is */
        pick_await_due(p, pick);
        return 0;
    }
    if (p->serving.n == 0)
        serving_make(p, shape, tag);
    for (n = 0; n < p->serving.n / 2; n++) {
        struct picked *picked = &p->batch[n];
        picked_put_tag(&picked->event, tag);
        picked->pick = pick;
    }
    if (p->serving.more.block != NULL)
        pick_come(p, pick, p->serving.more);
    p->n = n;
    *iov = p->serving.iov;
    return p->serving.n;
}

int picker_next(struct picks *p, struct picker *picker, const struct shape *shape, struct slice tag,
                struct iovec *iov, int max)
{
    int n = 0;

    if (picker->first == NULL && picker->picks[0].sole)
        pick_await_due(p, &picker->picks[0]);
    p->serving.n = 0; /* the batch is used for others */
    for (; picker->first != NULL && n < PICKS_BATCH && n < max / 2; n++) {
        struct pick *pick = picker->first;
        p->batch[n].pick = pick;
        batch_add(p, n, pick_item(pick), shape, tag, &iov[2 * n]);
        picker_advance(picker);
    }
    p->n = n;
    return 2 * n;
}

/* It was given, but not sent: it is the first again. */
static void picked_undo(const struct picked *picked)
{
    struct pick *pick = picked->pick;
    struct picker *picker = picker_of(pick);

    picker_unlist(picker);
    if (pick->block != NULL)
        picker_take_out(picker, pick);
    pick_wait(pick, picked->event.item);
    picker_insert(picker, pick);
    picker_list(picker);
}

/* Of the batch so many bytes were sent.  Returns how many events were begun. */
static __attribute__((noinline)) int batch_cut(struct picks *p, size_t sent, struct rest *rest)
{
    size_t start = 0;
    int begun = 0;

    for (; start < sent; begun++) {
        const struct picked *picked = &p->batch[begun];
        if (picked->end > sent)
            picked_keep_rest(&picked->event, sent - start, rest);
        start = picked->end;
    }
    for (int i = p->n; i > begun; i--)
        picked_undo(&p->batch[i - 1]);
    return begun;
}

int picker_sent(struct picks *p, struct picker *picker, size_t sent, struct rest *rest,
                uint64_t *moves)
{
    int begun = p->n;

    if (sent < p->batch[begun - 1].end)
        begun = batch_cut(p, sent, rest);
    if (begun > 0)
        *moves = picker->seen = p->batch[begun - 1].event.moves;
    return begun;
}

#include "stream/picked.h"

void picked_fini(struct picked_event *e)
{
    buf_fini(&e->head);
}

void picked_give(struct picked_event *e, struct item item, const struct shape *shape,
                 struct slice tag, struct iovec *iov)
{
    size_t tag_at;
    struct slice event = item_event(item, &tag_at);

    if (e->item.block == item.block && e->item.at == item.at && e->head.n > 0) {
        picked_put_tag(e, tag);
    } else {
        e->item = item;
        e->moves = item_moves(item);
        e->head.n = 0;
        e->rest_at = event_add_head(&e->head, shape, event, tag_at, tag, &e->tag_at);
    }
    iov[0] = (struct iovec){e->head.p, e->head.n};
    iov[1] = (struct iovec){(void *)(event.p + e->rest_at), event.n - e->rest_at};
}

void picked_keep_rest(const struct picked_event *e, size_t sent, struct rest *rest)
{
    if (sent >= e->head.n) {
        item_keep_rest(e->item, e->rest_at + sent - e->head.n, rest);
        return;
    }
    size_t tag_at;
    struct slice event = item_event(e->item, &tag_at);
    struct buf bytes = {0}; /* amid the few that are the reader's own */
    buf_add(&bytes, e->head.p + sent, e->head.n - sent);
    buf_add(&bytes, event.p + e->rest_at, event.n - e->rest_at);
    rest_copy(rest, buf_slice(&bytes));
    buf_fini(&bytes);
}

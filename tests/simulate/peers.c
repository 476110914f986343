/* The other responders of the pool, as guard/peer has them: whatever one tells is there for all
 * that live, in order, and stays while they do not take it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/mem.h"
#include "guard/peer.h"
#include "world.h"

enum { ROOM_MS = 5, INBOX_BYTES = 4 * 1024 * 1024 };

struct message {
    STAILQ_ENTRY(message) link;
    bool has_selector;
    struct token_hash selector;
    size_t n;
    uint8_t token[];
};

struct peers {
    LIST_ENTRY(peers) link;
    struct peers_handler handler;
    STAILQ_HEAD(, message) inbox;
    size_t inbox_bytes;
    int wake_fd; /* readable while something is in it */
    struct watch *watch;
    struct timer *room;
};

static LIST_HEAD(, peers) pool = LIST_HEAD_INITIALIZER(pool);

static void drop_first(struct peers *p)
{
    struct message *m = STAILQ_FIRST(&p->inbox);

    STAILQ_REMOVE_HEAD(&p->inbox, link);
    p->inbox_bytes -= m->n;
    free(m);
}

bool peers_drain(struct peers *p)
{
    const struct message *m;

    while ((m = STAILQ_FIRST(&p->inbox)) != NULL) {
        struct peer_message r = {slice_of(m->token, m->n), m->has_selector ? &m->selector : NULL};
        if (!p->handler.has_room(p->handler.arg)) {
            timer_start(p->room, ROOM_MS);
            return false;
        }
        p->handler.on_message(p->handler.arg, &r);
        drop_first(p);
    }
    return p->handler.has_room(p->handler.arg);
}

static void on_message(void *arg, int what)
{
    struct peers *p = arg;
    uint64_t ignored;

    (void)what;
    if (read(p->wake_fd, &ignored, sizeof ignored) > 0)
        peers_drain(p);
}

static void on_room(void *arg)
{
    peers_drain(arg);
}

int peers_tell(struct peers *p, const struct peer_message *message)
{
    static const uint64_t one = 1;
    struct peers *other;

    LIST_FOREACH(other, &pool, link)
    if (other != p && other->inbox_bytes + message->text.n > INBOX_BYTES)
        return -EAGAIN;
    LIST_FOREACH(other, &pool, link)
    {
        if (other == p)
            continue;
        struct message *m = mem_zero(sizeof *m + message->text.n);
        m->n = message->text.n;
        m->has_selector = message->hash != NULL;
        if (m->has_selector)
            m->selector = *message->hash;
        memcpy(m->token, message->text.p, m->n);
        STAILQ_INSERT_TAIL(&other->inbox, m, link);
        other->inbox_bytes += m->n;
        if (write(other->wake_fd, &one, sizeof one) < 0)
            abort();
    }
    return 0;
}

size_t peers_told(const struct peers *p)
{
    const struct peers *other;
    size_t n = 0;

    LIST_FOREACH(other, &pool, link)
    n += other != p;
    return n;
}

struct peers *peers_new(struct loop *loop, const char *directory, struct slice agreement,
                        const struct peers_handler *handler, char *error, size_t size)
{
    struct peers *p = mem_zero(sizeof *p);

    (void)directory, (void)agreement, (void)error, (void)size;
    p->handler = *handler;
    STAILQ_INIT(&p->inbox);
    p->wake_fd = eventfd(0, EFD_NONBLOCK);
    p->watch = watch_new(loop, p->wake_fd, LOOP_READ, on_message, p);
    p->room = timer_new(loop, on_room, p);
    LIST_INSERT_HEAD(&pool, p, link);
    return p;
}

void peers_free(struct peers *p)
{
    if (p == NULL)
        return;
    while (!STAILQ_EMPTY(&p->inbox))
        drop_first(p);
    LIST_REMOVE(p, link);
    watch_free(p->watch);
    timer_free(p->room);
    close(p->wake_fd);
    free(p);
}

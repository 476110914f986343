/* The other responders of the pool, as guard/peer has them: whatever one tells is there for all
 * that live, in order, and stays while they do not take it.  What two have told comes in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/mem.h"
#include "guard/peer.h"
#include "world.h"

enum { ROOM_MS = 5, INBOX_BYTES = 4 * 1024 * 1024, SENDERS_MAX = 8, LOOKED_AT = 50 };

struct message {
    STAILQ_ENTRY(message) link;
    uint32_t from; /* its sender's number */
    bool has_hash;
    struct token_hash hash;
    size_t n;
    uint8_t text[];
};

struct peers {
    LIST_ENTRY(peers) link;
    char agreement[16]; /* those that have another one are of another pool */
    uint32_t number;
    struct peers_handler handler;
    STAILQ_HEAD(, message) inbox;
    size_t inbox_bytes;
    int wake_fd; /* readable while something is in it */
    struct watch *watch;
    struct timer *room;
};

static LIST_HEAD(, peers) pool = LIST_HEAD_INITIALIZER(pool);
static uint32_t joined;

static bool are_peers(const struct peers *a, const struct peers *b)
{
    return a != b && strcmp(a->agreement, b->agreement) == 0;
}

static void drop(struct peers *p, struct message *m)
{
    STAILQ_REMOVE(&p->inbox, m, message, link);
    p->inbox_bytes -= m->n;
    free(m);
}

/* The first one of any sender's; NULL: there is none. */
static struct message *pick(const struct peers *p)
{
    struct message *m, *picked = NULL;
    uint32_t seen[SENDERS_MAX], n = 0, left = LOOKED_AT;

    STAILQ_FOREACH(m, &p->inbox, link)
    {
        uint32_t i = 0;
        while (i < n && seen[i] != m->from)
            i++;
        if (n == SENDERS_MAX || left-- == 0)
            break;
        if (i < n)
            continue;
        seen[n++] = m->from;
        if (dice_below(world_dice(WHO_PEER), n) == 0)
            picked = m;
    }
    return picked;
}

bool peers_drain(struct peers *p)
{
    struct message *m;

    while ((m = pick(p)) != NULL) {
        struct peer_message r = {slice_of(m->text, m->n), m->has_hash ? &m->hash : NULL};
        if (!p->handler.has_room(p->handler.arg)) {
            timer_start(p->room, ROOM_MS);
            return false;
        }
        STAILQ_REMOVE(&p->inbox, m, message, link);
        p->inbox_bytes -= m->n;
        p->handler.on_message(p->handler.arg, &r);
        free(m);
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
    if (are_peers(p, other) && other->inbox_bytes + message->text.n > INBOX_BYTES)
        return -EAGAIN;
    LIST_FOREACH(other, &pool, link)
    {
        if (!are_peers(p, other))
            continue;
        struct message *m = mem_zero(sizeof *m + message->text.n);
        m->n = message->text.n;
        m->from = p->number;
        m->has_hash = message->hash != NULL;
        if (m->has_hash)
            m->hash = *message->hash;
        memcpy(m->text, message->text.p, m->n);
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
    n += are_peers(p, other);
    return n;
}

struct peers *peers_new(struct loop *loop, const char *directory, struct slice agreement,
                        const struct peers_handler *handler, char *error, size_t size)
{
    struct peers *p = mem_zero(sizeof *p);

    (void)directory, (void)error, (void)size;
    p->number = ++joined;
    p->handler = *handler;
    snprintf(p->agreement, sizeof p->agreement, "%.*s", (int)agreement.n,
             (const char *)agreement.p);
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
        drop(p, STAILQ_FIRST(&p->inbox));
    LIST_REMOVE(p, link);
    watch_free(p->watch);
    timer_free(p->room);
    close(p->wake_fd);
    free(p);
}

#include "line_inside.h"

#include <errno.h>
#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "sockets.h"
#include "world.h"

enum { SHORT_PERCENT = 15, NOTHING_PERCENT = 3 };

/* Bytes on their way. */
struct pipe {
    struct buf bytes;
    size_t read; /* of them */
};

struct line {
    int fd;       /* -1: the program has closed it */
    bool dropped; /* the client has */
    bool cut;     /* what the program sends is lost */
    size_t room;
    struct pipe in, out; /* to the program, and from it */
    bool ended;          /* the program sends nothing more */
    void (*on_bytes)(void *arg);
    void *arg;
};

/* -- bytes -- */

static size_t unread(const struct pipe *p)
{
    return p->bytes.n - p->read;
}

static void pipe_put(struct pipe *p, const void *bytes, size_t n)
{
    if (p->read == p->bytes.n)
        p->read = p->bytes.n = 0;
    buf_add(&p->bytes, bytes, n);
}

static size_t pipe_take(struct pipe *p, void *to, size_t n)
{
    if (n > unread(p))
        n = unread(p);
    memcpy(to, p->bytes.p + p->read, n);
    p->read += n;
    if (p->read == p->bytes.n) {
        buf_fini(&p->bytes);
        p->read = 0;
    }
    return n;
}

static size_t room_in(const struct line *l)
{
    size_t used = unread(&l->out);

    return used < l->room ? l->room - used : 0;
}

static void line_free_if_done(struct line *l)
{
    if (l->fd >= 0 || !l->dropped)
        return;
    buf_fini(&l->in.bytes);
    buf_fini(&l->out.bytes);
    free(l);
}

/* -- the program's side -- */

void line_accept(struct line *l, int fd)
{
    l->fd = fd;
}

int line_ready(const struct line *l)
{
    bool reads = unread(&l->in) > 0 || l->dropped, writes = room_in(l) > 0 || l->dropped;

    return (reads ? LOOP_READ : 0) | (writes ? LOOP_WRITE : 0);
}

/* How many bytes a send takes; 0: it would wait. */
static size_t taken(const struct line *l, size_t wanted)
{
    struct dice *d = world_dice(WHO_SOCKET);
    size_t n = room_in(l) < wanted ? room_in(l) : wanted;

    if (dice_chance(d, NOTHING_PERCENT)) /* the system has no memory for it now */
        return 0;
    if (n > 1 && dice_chance(d, SHORT_PERCENT))
        n = 1 + dice_below(d, (uint32_t)n);
    return n;
}

ssize_t line_put(struct line *l, const struct iovec *iov, size_t n)
{
    size_t wanted = 0, left;

    if (l->dropped || l->cut) {
        errno = EPIPE;
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        wanted += iov[i].iov_len;
    size_t takes = left = taken(l, wanted);
    if (takes == 0 && wanted > 0) {
        errno = EAGAIN;
        return -1;
    }
    for (size_t i = 0; i < n && left > 0; i++) {
        size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
        pipe_put(&l->out, iov[i].iov_base, part);
        left -= part;
    }
    l->on_bytes(l->arg);
    return (ssize_t)takes;
}

ssize_t line_take(struct line *l, void *to, size_t n)
{
    if (unread(&l->in) > 0)
        return (ssize_t)pipe_take(&l->in, to, n);
    if (l->dropped)
        return 0;
    errno = EAGAIN;
    return -1;
}

void line_end(struct line *l)
{
    l->ended = true;
    l->on_bytes(l->arg);
}

void line_cut(struct line *l)
{
    if (l->dropped)
        return;
    l->cut = true;
    line_end(l);
}

void line_hang_up(struct line *l)
{
    l->fd = -1;
    l->ended = true;
    if (!l->dropped)
        l->on_bytes(l->arg);
    line_free_if_done(l);
}

size_t line_heap_bytes(const struct line *l)
{
    return l->in.bytes.cap + l->out.bytes.cap;
}

/* -- the client's side -- */

struct line *line_connect(int listen_fd, size_t room, void (*on_bytes)(void *arg), void *arg)
{
    struct line *l = mem_zero(sizeof *l);

    *l = (struct line){.fd = listen_fd, .room = room, .on_bytes = on_bytes, .arg = arg};
    if (socket_connect(listen_fd, l))
        return l;
    free(l);
    return NULL;
}

void line_write(struct line *l, struct slice bytes)
{
    pipe_put(&l->in, bytes.p, bytes.n);
    socket_touch(l->fd);
}

size_t line_read(struct line *l, struct buf *to, size_t n)
{
    size_t waiting = unread(&l->out);

    n = n < waiting ? n : waiting;
    if (n == 0)
        return 0;
    pipe_take(&l->out, buf_reserve(to, n), n);
    to->n += n;
    socket_touch(l->fd);
    return n;
}

size_t line_waiting(const struct line *l)
{
    return unread(&l->out);
}

bool line_ended(const struct line *l)
{
    return l->ended && unread(&l->out) == 0;
}

void line_close(struct line *l)
{
    l->dropped = true;
    socket_touch(l->fd);
    line_free_if_done(l);
}

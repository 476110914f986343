#include "sockets.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"
#include "loops.h"
#include "world.h"

enum { FIRST_FD = 1 << 20, SHORT_PERCENT = 15, NOTHING_PERCENT = 3 };

/* Bytes on their way. */
struct pipe {
    struct buf bytes;
    size_t read; /* of them */
};

/* One connection: the program has a descriptor of it, a client the line. */
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

struct descriptor {
    enum { FREE, LISTENING, STREAM, EVENT } kind;
    struct loop *loop; /* that watches it, or has done so */
    struct watch *watch;
    struct line *line;  /* STREAM */
    uint64_t count;     /* EVENT */
    struct line **wait; /* LISTENING: to be accepted */
    size_t wait_n;
    bool exhausted;
};

static struct descriptor *table;
static size_t table_n;

/* -- descriptors -- */

static struct descriptor *find(int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + (int)table_n)
        return NULL;
    struct descriptor *d = &table[fd - FIRST_FD];
    assert(d->kind != FREE);
    return d;
}

static int add(struct descriptor d)
{
    size_t i = 0;

    while (i < table_n && table[i].kind != FREE)
        i++;
    if (i == table_n)
        table = mem_resize_array(table, ++table_n, sizeof *table);
    table[i] = d;
    return FIRST_FD + (int)i;
}

static void touch(const struct descriptor *d)
{
    if (d->watch != NULL)
        watch_touch(d->watch);
}

void socket_watched(int fd, struct loop *loop, struct watch *watch)
{
    struct descriptor *d = find(fd);

    if (d == NULL)
        return;
    d->loop = loop;
    d->watch = watch;
}

void socket_unwatched(int fd, const struct watch *watch)
{
    size_t i = (size_t)(fd - FIRST_FD);

    if (fd >= FIRST_FD && i < table_n && table[i].watch == watch)
        table[i].watch = NULL;
}

static size_t unread(const struct pipe *p)
{
    return p->bytes.n - p->read;
}

static size_t room_in(const struct line *l)
{
    size_t used = unread(&l->out);

    return used < l->room ? l->room - used : 0;
}

int socket_ready(int fd, int what)
{
    const struct descriptor *d = find(fd);
    int ready = 0;

    if (d == NULL)
        return 0;
    switch (d->kind) {
    case EVENT:
        ready = d->count > 0 ? LOOP_READ : 0;
        break;
    case LISTENING:
        ready = d->wait_n > 0 ? LOOP_READ : 0;
        break;
    case STREAM:
        if (unread(&d->line->in) > 0 || d->line->dropped)
            ready |= LOOP_READ;
        if (room_in(d->line) > 0 || d->line->dropped)
            ready |= LOOP_WRITE;
        break;
    case FREE:
        break;
    }
    return ready & what;
}

size_t sockets_heap_bytes(void)
{
    size_t sum = 0;

    for (size_t i = 0; i < table_n; i++)
        if (table[i].kind == STREAM)
            sum += table[i].line->in.bytes.cap + table[i].line->out.bytes.cap;
    return sum;
}

void sockets_end(void)
{
    for (size_t i = 0; i < table_n; i++)
        if (table[i].kind != FREE)
            world_breach("left over", "descriptor %zu of the responders was never closed", i);
    free(table);
    table = NULL;
    table_n = 0;
}

/* -- bytes -- */

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

static void line_free_if_done(struct line *l)
{
    if (l->fd >= 0 || !l->dropped)
        return;
    buf_fini(&l->in.bytes);
    buf_fini(&l->out.bytes);
    free(l);
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

static ssize_t put_iov(struct line *l, const struct iovec *iov, size_t n)
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

/* -- what the program calls -- */

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    const struct descriptor *d = find(fd);

    return d ? put_iov(d->line, m->msg_iov, m->msg_iovlen) : __real_sendmsg(fd, m, flags);
}

ssize_t __real_send(int fd, const void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags)
{
    const struct descriptor *d = find(fd);
    struct iovec iov = {(void *)(uintptr_t)bytes, n};

    return d ? put_iov(d->line, &iov, 1) : __real_send(fd, bytes, n, flags);
}

ssize_t __real_recv(int fd, void *to, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t n, int flags)
{
    const struct descriptor *d = find(fd);

    if (d == NULL)
        return __real_recv(fd, to, n, flags);
    struct line *l = d->line;
    if (unread(&l->in) > 0)
        return (ssize_t)pipe_take(&l->in, to, n);
    if (l->dropped)
        return 0;
    errno = EAGAIN;
    return -1;
}

int __real_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags)
{
    struct descriptor *d = find(fd);

    if (d == NULL)
        return __real_accept4(fd, at, size, flags);
    if (d->wait_n == 0 || d->exhausted) {
        errno = d->wait_n == 0 ? EAGAIN : EMFILE;
        return -1;
    }
    struct line *l = d->wait[0];
    memmove(d->wait, d->wait + 1, --d->wait_n * sizeof *d->wait);
    l->fd = add((struct descriptor){.kind = STREAM, .line = l});
    return l->fd;
}

int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
    const struct descriptor *d = find(fd);

    if (d == NULL)
        return __real_shutdown(fd, how);
    d->line->ended = true;
    d->line->on_bytes(d->line->arg);
    return 0;
}

/* Asked about a listening socket that was shut down, which none is. */
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    return n == 1 && find(fds[0].fd) ? 0 : __real_poll(fds, n, timeout_ms);
}

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    return find(fd) ? 0 : __real_setsockopt(fd, level, option, value, size);
}

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    (void)flags;
    return add((struct descriptor){.kind = EVENT, .count = count});
}

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n)
{
    struct descriptor *d = find(fd);

    if (d == NULL)
        return __real_read(fd, to, n);
    assert(d->kind == EVENT && n == sizeof d->count);
    if (d->count == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to, &d->count, n);
    d->count = 0;
    return (ssize_t)n;
}

ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n)
{
    struct descriptor *d = find(fd);
    uint64_t count;

    if (d == NULL)
        return __real_write(fd, from, n);
    assert(d->kind == EVENT && n == sizeof count);
    memcpy(&count, from, n);
    d->count += count;
    touch(d);
    return (ssize_t)n;
}

static void hang_up(struct line *l)
{
    l->fd = -1;
    l->ended = true;
    if (!l->dropped)
        l->on_bytes(l->arg);
    line_free_if_done(l);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    struct descriptor *d = find(fd);

    if (d == NULL)
        return __real_close(fd);
    struct descriptor was = *d;
    *d = (struct descriptor){.kind = FREE};
    if (was.kind == STREAM)
        hang_up(was.line);
    for (size_t i = 0; i < was.wait_n; i++)
        hang_up(was.wait[i]);
    free(was.wait);
    return 0;
}

/* -- the other side -- */

int socket_listen(void)
{
    return add((struct descriptor){.kind = LISTENING});
}

void socket_cut_all(const struct loop *loop)
{
    for (size_t i = 0; i < table_n; i++) {
        struct line *l = table[i].kind == STREAM && table[i].loop == loop ? table[i].line : NULL;
        if (l == NULL || l->dropped)
            continue;
        l->cut = l->ended = true;
        l->on_bytes(l->arg);
    }
}

void socket_exhaust(int listen_fd, bool exhausted)
{
    struct descriptor *d = find(listen_fd);

    d->exhausted = exhausted;
    touch(d);
}

struct line *line_connect(int listen_fd, size_t room, void (*on_bytes)(void *arg), void *arg)
{
    struct descriptor *d = find(listen_fd);

    if (d == NULL)
        return NULL;
    struct line *l = mem_zero(sizeof *l);
    *l = (struct line){.fd = listen_fd, .room = room, .on_bytes = on_bytes, .arg = arg};
    d->wait = mem_resize_array(d->wait, d->wait_n + 1, sizeof(struct line *));
    d->wait[d->wait_n++] = l;
    touch(d);
    return l;
}

static void touch_line(const struct line *l)
{
    if (l->fd >= 0)
        touch(find(l->fd));
}

void line_write(struct line *l, struct slice bytes)
{
    pipe_put(&l->in, bytes.p, bytes.n);
    touch_line(l);
}

size_t line_read(struct line *l, struct buf *to, size_t n)
{
    size_t waiting = unread(&l->out);

    n = n < waiting ? n : waiting;
    if (n == 0)
        return 0;
    pipe_take(&l->out, buf_reserve(to, n), n);
    to->n += n;
    touch_line(l);
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
    touch_line(l);
    line_free_if_done(l);
}

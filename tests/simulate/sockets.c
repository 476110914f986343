#include "sockets.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"
#include "line_inside.h"
#include "loops.h"
#include "world.h"

enum { FIRST_FD = 1 << 20 };

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
        ready = line_ready(d->line);
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
            sum += line_heap_bytes(table[i].line);
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

/* -- what the program calls -- */

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    const struct descriptor *d = find(fd);

    return d ? line_put(d->line, m->msg_iov, m->msg_iovlen) : __real_sendmsg(fd, m, flags);
}

ssize_t __real_send(int fd, const void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags)
{
    const struct descriptor *d = find(fd);
    struct iovec iov = {(void *)(uintptr_t)bytes, n};

    return d ? line_put(d->line, &iov, 1) : __real_send(fd, bytes, n, flags);
}

ssize_t __real_recv(int fd, void *to, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t n, int flags)
{
    const struct descriptor *d = find(fd);

    return d ? line_take(d->line, to, n) : __real_recv(fd, to, n, flags);
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
    int accepted = add((struct descriptor){.kind = STREAM, .line = l});
    line_accept(l, accepted);
    return accepted;
}

int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
    const struct descriptor *d = find(fd);

    if (d == NULL)
        return __real_shutdown(fd, how);
    line_end(d->line);
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
        line_hang_up(was.line);
    for (size_t i = 0; i < was.wait_n; i++)
        line_hang_up(was.wait[i]);
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
    for (size_t i = 0; i < table_n; i++)
        if (table[i].kind == STREAM && table[i].loop == loop)
            line_cut(table[i].line);
}

void socket_exhaust(int listen_fd, bool exhausted)
{
    struct descriptor *d = find(listen_fd);

    d->exhausted = exhausted;
    touch(d);
}

bool socket_connect(int listen_fd, struct line *line)
{
    struct descriptor *d = find(listen_fd);

    if (d == NULL)
        return false;
    d->wait = mem_resize_array(d->wait, d->wait_n + 1, sizeof(struct line *));
    d->wait[d->wait_n++] = line;
    touch(d);
    return true;
}

void socket_touch(int fd)
{
    const struct descriptor *d = find(fd);

    if (d != NULL)
        touch(d);
}

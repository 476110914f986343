#include "front/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { SEND_MS = 10000 };

struct reply {
    LIST_ENTRY(reply) link;
    struct replies *replies;
    struct watch *watch;
    struct timer *deadline;
    int fd;
    struct buf rest;
    size_t sent; /* of it */
};

struct replies {
    struct loop *loop;
    LIST_HEAD(, reply) all;
    size_t count;
};

/* How many bytes went; -1: the front has gone. */
static ssize_t send_some(int fd, struct slice bytes)
{
    ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static void end(void *arg)
{
    struct reply *reply = arg;

    LIST_REMOVE(reply, link);
    reply->replies->count--;
    watch_free(reply->watch);
    timer_free(reply->deadline);
    close(reply->fd);
    buf_fini(&reply->rest);
    free(reply);
}

static void on_writable(void *arg, int what)
{
    struct reply *reply = arg;
    size_t left = reply->rest.n - reply->sent;

    (void)what;
    ssize_t n = send_some(reply->fd, slice_of(reply->rest.p + reply->sent, left));
    if (n < 0 || (size_t)n == left)
        end(reply);
    else
        reply->sent += (size_t)n;
}

static void keep(struct replies *r, int fd, struct slice rest)
{
    struct reply *reply = mem_zero(sizeof *reply);

    reply->replies = r;
    reply->fd = fd;
    buf_add_slice(&reply->rest, rest);
    reply->watch = watch_new(r->loop, fd, LOOP_WRITE, on_writable, reply);
    reply->deadline = timer_new(r->loop, end, reply);
    timer_start(reply->deadline, SEND_MS);
    LIST_INSERT_HEAD(&r->all, reply, link);
    r->count++;
}

void reply_send(struct replies *r, int fd, struct slice records)
{
    ssize_t n = send_some(fd, records);

    if (n >= 0 && (size_t)n < records.n)
        keep(r, fd, slice_of(records.p + n, records.n - (size_t)n));
    else
        close(fd);
}

size_t replies_count(const struct replies *r)
{
    return r->count;
}

struct replies *replies_new(struct loop *loop)
{
    struct replies *r = mem_zero(sizeof *r);

    r->loop = loop;
    LIST_INIT(&r->all);
    return r;
}

void replies_free(struct replies *r)
{
    if (r == NULL)
        return;
    while (!LIST_EMPTY(&r->all))
        end(LIST_FIRST(&r->all));
    free(r);
}

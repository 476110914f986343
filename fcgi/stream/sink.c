#include "stream/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { SHARED_REQUEST_ID = 1 };

struct sink_own {
    size_t n, sent;
    uint8_t bytes[];
};

void sink_init(struct sink *s, int fd)
{
    *s = (struct sink){.fd = fd};
}

ssize_t sink_write(struct sink *s, struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    do
        sent = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return sent;
}

void sink_put(struct sink *s, uint16_t request_id, struct slice records)
{
    struct sink_own had = s->own != NULL ? *s->own : (struct sink_own){0};

    if (records.n == 0)
        return;
    s->own = mem_resize(s->own, sizeof *s->own + had.n + records.n);
    *s->own = (struct sink_own){had.n + records.n, had.sent};
    memcpy(s->own->bytes + had.n, records.p, records.n);
    if (request_id != SHARED_REQUEST_ID)
        fcgi_set_id(s->own->bytes + had.n, records.n, request_id);
}

static void sink_forget_own(struct sink *s)
{
    free(s->own);
    s->own = NULL;
}

enum sink_result sink_flush(struct sink *s, uint64_t *bytes)
{
    while (s->own != NULL && s->own->sent < s->own->n) {
        struct iovec iov = {s->own->bytes + s->own->sent, s->own->n - s->own->sent};
        ssize_t sent = sink_write(s, &iov, 1);
        if (sent < 0)
            return SINK_GONE;
        if (sent == 0)
            return SINK_FULL;
        s->own->sent += (size_t)sent;
        *bytes += (uint64_t)sent;
    }
    sink_forget_own(s);
    return SINK_DONE;
}

bool sink_input_ends(struct sink *s)
{
    uint8_t bytes[4096];

    for (;;) {
        ssize_t n = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != EAGAIN && errno != EWOULDBLOCK;
        if (n == 0 || fcgi_input_ends(&s->input, bytes, (size_t)n))
            return true;
    }
}

void sink_close(struct sink *s, uint16_t request_id, bool amid, uint64_t *bytes)
{
    if (!amid && (s->own == NULL || sink_flush(s, bytes) == SINK_DONE)) {
        struct buf end = {0};
        fcgi_end_add(&end, request_id, FCGI_STATUS_COMPLETE);
        struct iovec iov = {end.p, end.n};
        ssize_t sent = sink_write(s, &iov, 1);
        *bytes += sent > 0 ? (uint64_t)sent : 0;
        buf_fini(&end);
    }
    sink_forget_own(s);
    close(s->fd);
    s->fd = -1;
}

#include "stream/sink.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHARED_REQUEST_ID = 1 };

void sink_init(struct sink *s, int fd, uint16_t request_id)
{
    *s = (struct sink){.fd = fd, .request_id = request_id};
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

void sink_put(struct sink *s, struct slice records)
{
    size_t at = s->own.n;

    buf_add_slice(&s->own, records);
    if (s->request_id != SHARED_REQUEST_ID)
        fcgi_set_id(s->own.p + at, records.n, s->request_id);
}

enum sink_result sink_flush(struct sink *s, uint64_t *bytes)
{
    while (s->own_sent < s->own.n) {
        struct iovec iov = {s->own.p + s->own_sent, s->own.n - s->own_sent};
        ssize_t sent = sink_write(s, &iov, 1);
        if (sent < 0)
            return SINK_GONE;
        if (sent == 0)
            return SINK_FULL;
        s->own_sent += (uint32_t)sent;
        *bytes += (uint64_t)sent;
    }
    buf_fini(&s->own); /* thousands of idle streams keep no buffer */
    s->own_sent = 0;
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

void sink_close(struct sink *s, bool amid, uint64_t *bytes)
{
    if (!amid) {
        fcgi_end_add(&s->own, s->request_id, FCGI_STATUS_COMPLETE);
        sink_flush(s, bytes);
    }
    buf_fini(&s->own);
    close(s->fd);
    s->fd = -1;
}

#include "stream/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHARED_REQUEST_ID = 1, IOVECS = 16, COPY_BYTES = 64 * 1024 };

void stream_put(struct stream *s, struct slice records)
{
    size_t at = s->pending.n;

    buf_add_slice(&s->pending, records);
    if (s->request_id != SHARED_REQUEST_ID)
        fcgi_set_id(s->pending.p + at, records.n, s->request_id);
}

/* How many bytes went; -1: the front has gone. */
static ssize_t send_some(const struct stream *s, struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    do
        sent = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (sent > 0)
        s->traffic->bytes += (uint64_t)sent;
    return sent;
}

/* Counts what it has had of the backlog, the event under way included. */
static void count_events(struct stream *s)
{
    uint64_t event = backlog_event(&s->place);

    s->traffic->events += event - s->event;
    s->event = event;
}

void stream_move(struct stream *s, struct place to)
{
    if (s->place.block != NULL)
        count_events(s);
    s->place = to;
    s->event = to.block ? backlog_event(&to) : 0;
}

enum stream_result stream_send_pending(struct stream *s)
{
    while (s->pending_sent < s->pending.n) {
        struct iovec iov = {s->pending.p + s->pending_sent, s->pending.n - s->pending_sent};
        ssize_t sent = send_some(s, &iov, 1);
        if (sent < 0)
            return STREAM_GONE;
        if (sent == 0)
            return STREAM_FULL;
        s->pending_sent += (size_t)sent;
    }
    buf_fini(&s->pending); /* thousands of idle streams keep no buffer */
    s->pending_sent = 0;
    return STREAM_DONE;
}

enum stream_result stream_send_chunk(struct stream *s, struct chunk *chunk)
{
    struct iovec iov = {chunk->bytes.p, chunk->bytes.n};

    if (iov.iov_len == 0)
        return STREAM_DONE;
    if (s->request_id != SHARED_REQUEST_ID)
        fcgi_set_id(chunk->bytes.p, chunk->bytes.n, s->request_id);
    ssize_t sent = send_some(s, &iov, 1);
    if (sent < 0)
        return STREAM_GONE;
    bool whole = (size_t)sent == iov.iov_len;
    if (!whole) {
        struct slice rest = replay_cut(s->replay, chunk, (size_t)sent);
        buf_add_slice(&s->pending, rest);
    }
    s->traffic->events += chunk->events;
    return whole ? STREAM_DONE : STREAM_FULL;
}

/* A front that numbers its request otherwise gets copies. */
static enum stream_result send_copies(struct stream *s)
{
    struct iovec iov;

    while (backlog_iov(&s->place, &iov, 1) > 0) {
        stream_put(s, slice_of(iov.iov_base, iov.iov_len));
        backlog_advance(&s->place, iov.iov_len);
        enum stream_result r = stream_send_pending(s);
        if (r != STREAM_DONE)
            return r;
    }
    return STREAM_DONE;
}

static enum stream_result send_shared(struct stream *s)
{
    struct iovec iov[IOVECS];
    int n;

    while ((n = backlog_iov(&s->place, iov, IOVECS)) > 0) {
        size_t want = 0;
        for (int i = 0; i < n; i++)
            want += iov[i].iov_len;
        ssize_t sent = send_some(s, iov, n);
        if (sent < 0)
            return STREAM_GONE;
        backlog_advance(&s->place, (size_t)sent);
        if ((size_t)sent < want)
            return STREAM_FULL;
    }
    return STREAM_DONE;
}

enum stream_result stream_send_backlog(struct stream *s)
{
    enum stream_result r = s->request_id == SHARED_REQUEST_ID ? send_shared(s) : send_copies(s);

    count_events(s);
    return r;
}

void stream_settle(struct stream *s)
{
    if (s->place.block == NULL || s->replay != NULL)
        return;
    struct slice rest = backlog_rest(&s->place);
    buf_add_slice(&s->pending, rest);
    backlog_advance(&s->place, rest.n);
}

bool stream_input_ends(struct stream *s)
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

void stream_close(struct stream *s)
{
    stream_settle(s);
    fcgi_end_add(&s->pending, s->request_id, FCGI_STATUS_COMPLETE);
    stream_send_pending(s);
    buf_fini(&s->pending);
    close(s->fd);
    s->fd = -1;
}

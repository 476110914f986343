#include "front/inlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log_limit.h"
#include "base/mem.h"

enum {
    HEAD_MS = 10000,           /* for a whole request */
    DRAIN_BYTES = 1024 * 1024, /* read and dropped after a refusal */
    READ_BYTES = 32 * 1024,
    PENDING_MAX = 1024,    /* requests that are not whole; the others wait in the backlog */
    PENDING_LOW = 768,     /* of them when accepting goes on */
    FULL_MS = 1000,        /* for a whole request, while others wait in the backlog */
    ACCEPTS = 64,          /* in one turn */
    BACKLOG_MAX = 8192,    /* of them when no more are wanted */
    ACCEPT_PAUSE_MS = 100, /* when nothing can be accepted */
    /* lighttpd writes to a temporary file what it finds waiting beyond 64 KB, which the default of
     * 208 KB lets pile up: records would reach the disk, and a burst takes six times as long. */
    SEND_BUFFER = 32 * 1024,
};

struct connection {
    TAILQ_ENTRY(connection) link; /* oldest first */
    struct inlet *inlet;
    struct watch *watch;
    int fd;
    int64_t began_ms;
    struct buf bytes;
    size_t dropped;
    bool refused;
};

struct inlet {
    struct loop *loop;
    int listen_fd;
    struct inlet_handler handler;
    struct watch *watch; /* NULL: not accepting */
    struct timer *resume_timer, *deadline_timer;
    TAILQ_HEAD(, connection) pending;
    size_t count;
    bool full; /* others wait in the backlog */
    struct log_limit *lines;
    int64_t full_told_ms, error_told_ms;
};

static void start_accepting(struct inlet *inlet);

/* Each request that is not a stream yet is a descriptor, of which some must be left for all else.
 */
static bool has_room(const struct inlet *inlet, size_t pending_max)
{
    const struct inlet_handler *h = &inlet->handler;

    return inlet->count < pending_max && inlet->count + h->held(h->arg) < h->max_held;
}

/* Forgets the connection; its descriptor is the caller's. */
static int release(struct connection *c)
{
    int fd = c->fd;

    TAILQ_REMOVE(&c->inlet->pending, c, link);
    c->inlet->count--;
    watch_free(c->watch);
    buf_fini(&c->bytes);
    if (c->inlet->full && has_room(c->inlet, PENDING_LOW))
        start_accepting(c->inlet);
    free(c);
    return fd;
}

static void drop(struct connection *c)
{
    close(release(c));
}

static void refuse(struct connection *c, enum fcgi_state state, uint16_t id)
{
    struct buf out = {0};

    if (state == FCGI_BAD_ROLE) /* it has no status, of which the handler would tell */
        log_limited(c->inlet->lines, LOG_INFO,
                    "front: a FastCGI role other than responder was refused");
    bool is_head = fcgi_request_is_head(c->bytes.p, c->bytes.n);
    c->inlet->handler.on_refusal(c->inlet->handler.arg, state, id, is_head, &out);
    ssize_t n = send(c->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_fini(&out);
    if (n < 0) {
        drop(c);
        return;
    }
    /* Closing with input unread would cut the answer off. */
    shutdown(c->fd, SHUT_WR);
    c->refused = true;
    c->dropped = c->bytes.n;
    c->bytes.n = 0;
}

static void look(struct connection *c)
{
    struct fcgi_request request;
    enum fcgi_state state = fcgi_request_parse(c->bytes.p, c->bytes.n, &request);

    switch (state) {
    case FCGI_INCOMPLETE:
        return;
    case FCGI_BROKEN:
        log_limited(c->inlet->lines, LOG_INFO, "front: broken FastCGI framing, connection closed");
        drop(c);
        return;
    case FCGI_COMPLETE: {
        struct inlet_handler *h = &c->inlet->handler;
        struct buf bytes = c->bytes;
        c->bytes = (struct buf){0};
        h->on_request(h->arg, release(c), &request, buf_slice(&bytes));
        buf_fini(&bytes);
        return;
    }
    default:
        refuse(c, state, request.id);
    }
}

static void on_readable(void *arg, int what)
{
    struct connection *c = arg;

    (void)what;
    ssize_t n = recv(c->fd, buf_reserve(&c->bytes, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
    } else if (c->refused) {
        c->dropped += (size_t)n;
        if (c->dropped > DRAIN_BYTES)
            drop(c);
    } else {
        c->bytes.n += (size_t)n;
        look(c);
    }
}

static int64_t time_allowed(const struct inlet *inlet)
{
    return inlet->full ? FULL_MS : HEAD_MS;
}

static void start_deadline(struct inlet *inlet)
{
    const struct connection *c = TAILQ_FIRST(&inlet->pending);

    if (c != NULL)
        timer_start(inlet->deadline_timer, c->began_ms + time_allowed(inlet) - loop_now_ms());
}

/* The front may have sent the rest while this process stood still.  One that has said the number of
 * its request, and must go for others' sake, is told so. */
static void expire(struct connection *c)
{
    struct inlet *inlet = c->inlet;
    struct buf out = {0};
    size_t before = inlet->count;

    on_readable(c, LOOP_READ);
    if (inlet->count < before)
        return;
    uint16_t id = fcgi_request_id(c->bytes.p, c->bytes.n);
    if (inlet->full && !c->refused && id != 0) {
        bool is_head = fcgi_request_is_head(c->bytes.p, c->bytes.n);
        inlet->handler.on_refusal(inlet->handler.arg, FCGI_INCOMPLETE, id, is_head, &out);
        send(c->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        buf_fini(&out);
    }
    if (!c->refused)
        log_limited(inlet->lines, LOG_INFO,
                    "front: no whole request within %lld ms, connection closed",
                    (long long)time_allowed(inlet));
    drop(c);
}

static void on_deadline(void *arg)
{
    struct inlet *inlet = arg;
    int64_t now = loop_now_ms();
    struct connection *c;

    while ((c = TAILQ_FIRST(&inlet->pending)) != NULL && c->began_ms + time_allowed(inlet) <= now)
        expire(c);
    start_deadline(inlet);
}

static void add(struct inlet *inlet, int fd)
{
    struct connection *c = mem_zero(sizeof *c);
    int size = SEND_BUFFER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    c->inlet = inlet;
    c->fd = fd;
    c->began_ms = loop_now_ms();
    TAILQ_INSERT_TAIL(&inlet->pending, c, link);
    inlet->count++;
    c->watch = watch_new(inlet->loop, fd, LOOP_READ, on_readable, c);
    if (inlet->count == 1)
        start_deadline(inlet);
    on_readable(c, LOOP_READ); /* the front has mostly sent all by now */
}

static void on_resume(void *arg)
{
    start_accepting(arg);
}

/* Those in the backlog wait until release() or the timer finds room. */
static void stop_accepting(struct inlet *inlet)
{
    watch_free(inlet->watch);
    inlet->watch = NULL;
    timer_start(inlet->resume_timer, ACCEPT_PAUSE_MS);
}

static void wait_for_room(struct inlet *inlet)
{
    if (log_once_a_minute(&inlet->full_told_ms, loop_now_ms()))
        log_warn("front: too many requests arrive at once, others wait in the listen queue");
    inlet->full = true;
    stop_accepting(inlet);
    start_deadline(inlet);
}

static void pause_after_error(struct inlet *inlet, int error)
{
    bool lacks = error == EMFILE || error == ENFILE;

    if (log_once_a_minute(&inlet->error_told_ms, loop_now_ms()))
        log_error("front: cannot accept: %s%s", strerror(error),
                  lacks ? "; raise the limit of open files" : "");
    stop_accepting(inlet);
}

/* Whoever has the socket, too, may take the flag away: systemd does, for each process of the unit
 * that it starts, a reload's among them.  In the moment before accept4() the time-out is left. */
static void forbid_waiting(int listen_fd)
{
    int flags = fcntl(listen_fd, F_GETFL);

    if (!(flags & O_NONBLOCK))
        fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK);
}

static void limit_waiting(int listen_fd)
{
    struct timeval least = {.tv_usec = 1};

    setsockopt(listen_fd, SOL_SOCKET, SO_RCVTIMEO, &least, sizeof least);
}

/* accept(2) passes on what has befallen that connection alone. */
static bool is_of_the_connection(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

/* Of one that was shut down accept4() says EAGAIN (AF_UNIX), though it stays readable. */
static bool is_shut_down(int listen_fd)
{
    struct pollfd p = {.fd = listen_fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0;
}

/* 0, or why the next one cannot be tried at once: EAGAIN if there is none. */
static int accept_one(struct inlet *inlet)
{
    forbid_waiting(inlet->listen_fd);
    int fd = accept4(inlet->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0)
        add(inlet, fd);
    else if (!is_of_the_connection(errno))
        return errno;
    return 0;
}

static void on_acceptable(void *arg, int what)
{
    struct inlet *inlet = arg;
    int error = 0;

    (void)what;
    for (int i = 0; i < ACCEPTS && error == 0; i++) {
        if (!has_room(inlet, PENDING_MAX)) {
            wait_for_room(inlet);
            return;
        }
        error = accept_one(inlet);
    }
    if (error == EAGAIN && is_shut_down(inlet->listen_fd))
        error = EINVAL;
    if (error != 0 && error != EAGAIN)
        pause_after_error(inlet, error);
}

static void start_accepting(struct inlet *inlet)
{
    timer_stop(inlet->resume_timer);
    inlet->full = false;
    inlet->watch =
        watch_new(inlet->loop, inlet->listen_fd, LOOP_READ | LOOP_URGENT, on_acceptable, inlet);
}

struct inlet *inlet_new(struct loop *loop, int listen_fd, const struct inlet_handler *handler)
{
    struct inlet *inlet = mem_zero(sizeof *inlet);

    inlet->loop = loop;
    inlet->listen_fd = listen_fd;
    inlet->handler = *handler;
    inlet->lines = log_limit_new(loop, "front", "connections were closed");
    TAILQ_INIT(&inlet->pending);
    forbid_waiting(listen_fd);
    limit_waiting(listen_fd);
    inlet->resume_timer = timer_new(loop, on_resume, inlet);
    inlet->deadline_timer = timer_new(loop, on_deadline, inlet);
    start_accepting(inlet);
    return inlet;
}

void inlet_close(struct inlet *inlet)
{
    for (int i = 0; i < BACKLOG_MAX && accept_one(inlet) == 0; i++)
        ;
    watch_free(inlet->watch);
    inlet->watch = NULL;
    inlet->full = false;
    timer_stop(inlet->resume_timer);
}

size_t inlet_waiting(const struct inlet *inlet)
{
    const struct connection *c;
    size_t n = 0;

    TAILQ_FOREACH(c, &inlet->pending, link)
    n += !c->refused;
    return n;
}

void inlet_free(struct inlet *inlet)
{
    if (inlet == NULL)
        return;
    inlet->full = false;
    while (!TAILQ_EMPTY(&inlet->pending))
        drop(TAILQ_FIRST(&inlet->pending));
    log_limit_free(inlet->lines);
    watch_free(inlet->watch);
    timer_free(inlet->resume_timer);
    timer_free(inlet->deadline_timer);
    free(inlet);
}

#include "front/inlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    HEAD_MS = 10000,           /* for a whole request */
    DRAIN_BYTES = 1024 * 1024, /* read and dropped after a refusal */
    READ_BYTES = 32 * 1024,
    PENDING_MAX = 1024,    /* requests that are not whole; the oldest goes */
    ACCEPTS = 256,         /* in one turn */
    BACKLOG_MAX = 8192,    /* of them when no more are wanted */
    ACCEPT_PAUSE_MS = 100, /* when there are no descriptors left */
    /* lighttpd writes to a temporary file what it finds waiting beyond 64 KB, which the default of
     * 208 KB lets pile up: records would reach the disk, and a burst takes six times as long. */
    SEND_BUFFER = 32 * 1024,
};

struct connection {
    TAILQ_ENTRY(connection) link; /* oldest first */
    struct inlet *inlet;
    struct watch *watch;
    int fd;
    int64_t until_ms;
    struct buf bytes;
    size_t dropped;
    bool refused;
};

struct inlet {
    struct loop *loop;
    int listen_fd;
    struct inlet_handler handler;
    struct watch *watch;
    struct timer *resume_timer, *deadline_timer;
    TAILQ_HEAD(, connection) pending;
    size_t count;
    bool paused_told;
};

/* Forgets the connection; its descriptor is the caller's. */
static int release(struct connection *c)
{
    int fd = c->fd;

    TAILQ_REMOVE(&c->inlet->pending, c, link);
    c->inlet->count--;
    watch_free(c->watch);
    buf_fini(&c->bytes);
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

    c->inlet->handler.on_refusal(c->inlet->handler.arg, state, id, &out);
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
        log_debug("front: broken FastCGI framing, connection closed");
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

static void start_deadline(struct inlet *inlet)
{
    const struct connection *c = TAILQ_FIRST(&inlet->pending);

    if (c != NULL && !timer_running(inlet->deadline_timer))
        timer_start(inlet->deadline_timer, c->until_ms - loop_now_ms());
}

static void on_deadline(void *arg)
{
    struct inlet *inlet = arg;
    int64_t now = loop_now_ms();
    struct connection *c;

    while ((c = TAILQ_FIRST(&inlet->pending)) != NULL && c->until_ms <= now) {
        log_debug("front: no whole request within %d s, connection closed", HEAD_MS / 1000);
        drop(c);
    }
    start_deadline(inlet);
}

static void add(struct inlet *inlet, int fd)
{
    struct connection *c = mem_zero(sizeof *c);
    int size = SEND_BUFFER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (inlet->count >= PENDING_MAX)
        drop(TAILQ_FIRST(&inlet->pending));
    c->inlet = inlet;
    c->fd = fd;
    c->until_ms = loop_now_ms() + HEAD_MS;
    TAILQ_INSERT_TAIL(&inlet->pending, c, link);
    inlet->count++;
    c->watch = watch_new(inlet->loop, fd, LOOP_READ, on_readable, c);
    start_deadline(inlet);
    on_readable(c, LOOP_READ); /* the front has mostly sent all by now */
}

static void pause_accepting(struct inlet *inlet)
{
    if (!inlet->paused_told)
        log_error("front: cannot accept: %s; raise the limit of open files", strerror(errno));
    inlet->paused_told = true;
    watch_free(inlet->watch);
    inlet->watch = NULL;
    timer_start(inlet->resume_timer, ACCEPT_PAUSE_MS);
}

enum accepted { ACCEPTED, ACCEPTED_NONE, ACCEPTED_TOO_MANY };

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

static enum accepted accept_one(struct inlet *inlet)
{
    forbid_waiting(inlet->listen_fd);
    int fd = accept4(inlet->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        inlet->paused_told = false;
        add(inlet, fd);
        return ACCEPTED;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        return ACCEPTED_TOO_MANY;
    /* Any other error is of that connection alone. */
    return errno == EAGAIN || errno == EWOULDBLOCK ? ACCEPTED_NONE : ACCEPTED;
}

static void on_acceptable(void *arg, int what)
{
    struct inlet *inlet = arg;
    enum accepted accepted = ACCEPTED;

    (void)what;
    for (int i = 0; i < ACCEPTS && accepted == ACCEPTED; i++)
        accepted = accept_one(inlet);
    if (accepted == ACCEPTED_TOO_MANY)
        pause_accepting(inlet);
}

static void start_accepting(void *arg)
{
    struct inlet *inlet = arg;

    inlet->watch =
        watch_new(inlet->loop, inlet->listen_fd, LOOP_READ | LOOP_URGENT, on_acceptable, inlet);
}

struct inlet *inlet_new(struct loop *loop, int listen_fd, const struct inlet_handler *handler)
{
    struct inlet *inlet = mem_zero(sizeof *inlet);

    inlet->loop = loop;
    inlet->listen_fd = listen_fd;
    inlet->handler = *handler;
    TAILQ_INIT(&inlet->pending);
    forbid_waiting(listen_fd);
    limit_waiting(listen_fd);
    inlet->resume_timer = timer_new(loop, start_accepting, inlet);
    inlet->deadline_timer = timer_new(loop, on_deadline, inlet);
    start_accepting(inlet);
    return inlet;
}

void inlet_close(struct inlet *inlet)
{
    for (int i = 0; i < BACKLOG_MAX && accept_one(inlet) == ACCEPTED; i++)
        ;
    watch_free(inlet->watch);
    inlet->watch = NULL;
    timer_stop(inlet->resume_timer);
}

void inlet_free(struct inlet *inlet)
{
    if (inlet == NULL)
        return;
    while (!TAILQ_EMPTY(&inlet->pending))
        drop(TAILQ_FIRST(&inlet->pending));
    watch_free(inlet->watch);
    timer_free(inlet->resume_timer);
    timer_free(inlet->deadline_timer);
    free(inlet);
}

#include "guard/peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "base/rundir.h"

/* A message: the version, 1 or 0 for "with a selector", the selector, the token. */
enum {
    VERSION = 1,
    HEADER = 2 + sizeof(struct token_hash),
    MESSAGE_MAX = HEADER + PEER_TEXT_MAX,
    OUTBOX_BYTES = 4 * 1024 * 1024, /* for one peer that does not read */
    NAME_HASH = 16,                 /* hexadecimal digits of the agreement in a name */
    PEERS_MAX = 256,
    SCAN_MS = 1000,
    ROOM_MS = 5,
    MESSAGES_TURN = 512,
};

struct message {
    STAILQ_ENTRY(message) link;
    size_t size;
    uint8_t bytes[];
};

struct peer {
    TAILQ_ENTRY(peer) link;
    struct peers *peers;
    struct watch *watch;
    char name[NAME_MAX + 1]; /* empty: it connected to us */
    int fd;
    STAILQ_HEAD(, message) outbox;
    size_t outbox_bytes;
};

struct peers {
    struct loop *loop;
    struct peers_handler handler;
    int directory_fd;
    char hash[NAME_HASH + 1];
    char name[64]; /* ours */
    int listen_fd;
    struct watch *watch;
    struct timer *scan, *room;
    TAILQ_HEAD(, peer) all;
    size_t count, told;
    bool unreached; /* a living peer could not be connected to */
    int64_t refused_told_ms;
};

/* -- one peer -- */

static void drop(struct peer *p)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&p->outbox)) != NULL) {
        STAILQ_REMOVE_HEAD(&p->outbox, link);
        free(m);
    }
    TAILQ_REMOVE(&p->peers->all, p, link);
    p->peers->count--;
    watch_free(p->watch);
    close(p->fd);
    free(p);
}

static void update_watch(struct peer *p)
{
    int what = timer_running(p->peers->room) ? 0 : LOOP_READ;

    watch_change(p->watch, what | (STAILQ_EMPTY(&p->outbox) ? 0 : LOOP_WRITE));
}

/* False if the peer is gone. */
static bool flush(struct peer *p)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&p->outbox)) != NULL) {
        if (send(p->fd, m->bytes, m->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
        p->outbox_bytes -= m->size;
        STAILQ_REMOVE_HEAD(&p->outbox, link);
        free(m);
    }
    return true;
}

static void take_message(struct peers *peers, const uint8_t *bytes, size_t n)
{
    struct token_hash hash;
    struct peer_message m = {.text = slice_of(bytes + HEADER, n - HEADER)};

    if (bytes[1]) {
        memcpy(&hash, bytes + 2, sizeof hash);
        m.hash = &hash;
    }
    peers->handler.on_message(peers->handler.arg, &m);
}

/* Takes what has come; false if the peer is gone. */
static bool receive(struct peer *p)
{
    uint8_t bytes[MESSAGE_MAX + 1];

    for (int i = 0; i < MESSAGES_TURN; i++) {
        if (!p->peers->handler.has_room(p->peers->handler.arg)) {
            timer_start(p->peers->room, ROOM_MS);
            return true;
        }
        ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n <= HEADER || n > MESSAGE_MAX || bytes[0] != VERSION)
            return false;
        take_message(p->peers, bytes, (size_t)n);
    }
    return true;
}

static void on_peer(void *arg, int what)
{
    struct peer *p = arg;

    if (((what & LOOP_READ) && !receive(p)) || ((what & LOOP_WRITE) && !flush(p)))
        drop(p);
    else
        update_watch(p);
}

static void on_room(void *arg)
{
    struct peers *peers = arg;
    struct peer *p;

    TAILQ_FOREACH(p, &peers->all, link)
    update_watch(p);
}

static bool same_user(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid();
}

/* False, and the descriptor closed, if it is refused. */
static bool add(struct peers *peers, int fd, const char *name)
{
    bool full = peers->count >= PEERS_MAX;

    if (full || !same_user(fd)) {
        if (log_once_a_minute(&peers->refused_told_ms, loop_now_ms()))
            log_warn("guard: a peer was refused: %s",
                     full ? "there are too many" : "it is another user's");
        close(fd);
        return false;
    }
    struct peer *p = mem_zero(sizeof *p);
    p->peers = peers;
    p->fd = fd;
    STAILQ_INIT(&p->outbox);
    snprintf(p->name, sizeof p->name, "%s", name);
    TAILQ_INSERT_TAIL(&peers->all, p, link);
    peers->count++;
    p->watch = watch_new(peers->loop, fd, LOOP_READ, on_peer, p);
    return true;
}

/* -- finding each other -- */

static void accept_all(struct peers *peers)
{
    int fd;

    while ((fd = accept4(peers->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        add(peers, fd, "");
    if (errno != EAGAIN) /* out of descriptors: the next scan looks again */
        watch_change(peers->watch, 0);
}

bool peers_drain(struct peers *peers)
{
    struct peer *p, *next;

    accept_all(peers);
    for (p = TAILQ_FIRST(&peers->all); p != NULL; p = next) {
        next = TAILQ_NEXT(p, link);
        on_peer(p, LOOP_READ);
    }
    return peers->handler.has_room(peers->handler.arg);
}

static void on_accept(void *arg, int what)
{
    (void)what;
    accept_all(arg);
}

/* By way of the open directory: its own path may be longer than an address can hold. */
static struct sockaddr_un address_of(const struct peers *peers, const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%.64s", peers->directory_fd, name);
    return at;
}

static bool connected_to(const struct peers *peers, const char *name)
{
    const struct peer *p;

    TAILQ_FOREACH(p, &peers->all, link)
    if (strcmp(p->name, name) == 0)
        return true;
    return false;
}

static void connect_to(struct peers *peers, const char *name)
{
    struct sockaddr_un at = address_of(peers, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        peers->unreached = true;
    } else if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) {
        if (!add(peers, fd, name))
            peers->unreached = true;
    } else {
        if (errno == ECONNREFUSED)
            unlink(at.sun_path); /* nobody answers there any more */
        else if (errno != ENOENT)
            peers->unreached = true;
        close(fd);
    }
}

/* Each connects to all that it finds: between two there may be a connection each way, and what is
 * told goes the way that one has opened.  To hear a renewal twice does no harm. */
static void scan(struct peers *peers)
{
    int fd = openat(peers->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    peers->unreached = dir == NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, peers->hash, NAME_HASH) != 0 ||
            entry->d_name[NAME_HASH] != '-' || strcmp(entry->d_name, peers->name) == 0)
            continue;
        if (!connected_to(peers, entry->d_name))
            connect_to(peers, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
}

static void on_scan(void *arg)
{
    struct peers *peers = arg;

    scan(peers);
    watch_change(peers->watch, LOOP_READ);
    timer_start(peers->scan, SCAN_MS);
}

/* -- telling -- */

static struct message *message_new(const struct peer_message *said)
{
    struct message *m = mem_zero(sizeof *m + HEADER + said->text.n);

    m->size = HEADER + said->text.n;
    m->bytes[0] = VERSION;
    m->bytes[1] = said->hash != NULL;
    if (said->hash != NULL)
        memcpy(m->bytes + 2, said->hash, sizeof *said->hash);
    memcpy(m->bytes + HEADER, said->text.p, said->text.n);
    return m;
}

int peers_tell(struct peers *peers, const struct peer_message *message)
{
    struct peer *p, *next;

    scan(peers); /* one that came just now has streams, too */
    if (peers->unreached)
        return -EAGAIN;
    TAILQ_FOREACH(p, &peers->all, link)
    if (*p->name && p->outbox_bytes + HEADER + message->text.n > OUTBOX_BYTES)
        return -EAGAIN;
    peers->told = 0;
    for (p = TAILQ_FIRST(&peers->all); p != NULL; p = next) {
        next = TAILQ_NEXT(p, link);
        if (*p->name == 0)
            continue; /* its own connection to us; ours to it is another */
        struct message *m = message_new(message);
        p->outbox_bytes += m->size;
        STAILQ_INSERT_TAIL(&p->outbox, m, link);
        if (flush(p)) {
            peers->told++;
            update_watch(p);
        } else {
            drop(p);
        }
    }
    return 0;
}

size_t peers_told(const struct peers *peers)
{
    return peers->told;
}

/* -- life -- */

/* Bound under another name first: until it listens, others would take it for dead. */
static int listen_in(const struct peers *peers)
{
    char hidden[sizeof peers->name + 1];
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(hidden, sizeof hidden, ".%s", peers->name);
    struct sockaddr_un before = address_of(peers, hidden), at = address_of(peers, peers->name);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&before, sizeof before) != 0 ||
                    listen(fd, PEERS_MAX) != 0 || rename(before.sun_path, at.sun_path) != 0)) {
        int err = errno;
        unlink(before.sun_path);
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

/* Who speaks another version of the messages is of another pool. */
static struct token_hash hash_of(struct slice agreement)
{
    struct buf text = {0};

    buf_printf(&text, "version %d\n", VERSION);
    buf_add_slice(&text, agreement);
    struct token_hash hash = token_hash(buf_slice(&text));
    buf_fini(&text);
    return hash;
}

struct peers *peers_new(struct loop *loop, const char *directory, struct slice agreement,
                        const struct peers_handler *handler, char *error, size_t size)
{
    struct peers *peers = mem_zero(sizeof *peers);
    struct token_hash hash = hash_of(agreement);

    peers->loop = loop;
    peers->handler = *handler;
    peers->listen_fd = -1;
    TAILQ_INIT(&peers->all);
    for (size_t i = 0; i < NAME_HASH / 2; i++)
        snprintf(peers->hash + 2 * i, 3, "%02x", hash.bytes[i]);
    snprintf(peers->name, sizeof peers->name, "%s-%d-%08x", peers->hash, (int)getpid(),
             arc4random());
    peers->directory_fd = rundir_open(directory, error, size);
    if (peers->directory_fd < 0) {
        peers_free(peers);
        return NULL;
    }
    peers->listen_fd = listen_in(peers);
    if (peers->listen_fd < 0) {
        snprintf(error, size, "peer directory %s: cannot listen in it: %s", directory,
                 strerror(errno));
        peers_free(peers);
        return NULL;
    }
    peers->watch = watch_new(loop, peers->listen_fd, LOOP_READ, on_accept, peers);
    peers->scan = timer_new(loop, on_scan, peers);
    peers->room = timer_new(loop, on_room, peers);
    on_scan(peers);
    return peers;
}

void peers_free(struct peers *peers)
{
    if (peers == NULL)
        return;
    while (!TAILQ_EMPTY(&peers->all))
        drop(TAILQ_FIRST(&peers->all));
    if (peers->listen_fd >= 0) {
        struct sockaddr_un at = address_of(peers, peers->name);
        unlink(at.sun_path);
        watch_free(peers->watch);
        close(peers->listen_fd);
        timer_free(peers->scan);
        timer_free(peers->room);
    }
    if (peers->directory_fd >= 0)
        close(peers->directory_fd);
    free(peers);
}

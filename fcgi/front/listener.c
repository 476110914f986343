#include "front/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* a full one is an error page at once with most fronts */

int listener_inherited(void)
{
    int listening = 0;
    socklen_t size = sizeof listening;

    if (getsockopt(0, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
        return -ENOTSOCK;
    fcntl(0, F_SETFD, FD_CLOEXEC);
    return 0;
}

static int say(char *error, size_t size, const char *where, const char *what, int err)
{
    snprintf(error, size, "listen %s: %s%s%s", where, what, err ? ": " : "",
             err ? strerror(err) : "");
    return err ? -err : -EINVAL;
}

/* The descriptor, or a negative errno. */
static int listen_at(const struct sockaddr *at, socklen_t size)
{
    int one = 1, fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, at, size) != 0 || listen(fd, BACKLOG) != 0) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        return err;
    }
    return fd;
}

static int fail_to_bind(char *error, size_t size, const char *path, int err)
{
    switch (err) {
    case ENOENT:
        return say(error, size, path, "cannot bind, make its directory first", err);
    case EACCES:
        return say(error, size, path, "cannot bind, this user may not write to its directory", err);
    case EADDRINUSE:
        return say(error, size, path, "cannot bind, remove what is there: it is no socket", err);
    default:
        return say(error, size, path, "cannot bind", err);
    }
}

/* True if somebody answers there; a socket nobody answers at is removed. */
static bool somebody_listens(const struct sockaddr_un *at)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    /* EAGAIN: its backlog is full. */
    bool alive = connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN;

    if (!alive && errno == ECONNREFUSED && lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(at->sun_path);
    close(fd);
    return alive;
}

static int open_path(const char *path, char *error, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof at.sun_path)
        return say(error, size, path, "the path is too long", 0);
    strcpy(at.sun_path, path);
    if (somebody_listens(&at))
        return say(error, size, path, "somebody listens there already", 0);
    int fd = listen_at((const struct sockaddr *)&at, sizeof at);
    return fd < 0 ? fail_to_bind(error, size, path, -fd) : fd;
}

static bool is_loopback(const struct sockaddr *a)
{
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;

    if (a->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Up to 65535; getaddrinfo() would take more, and cut it. */
static bool is_port(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n <= 5 && s[n] == 0 && atoi(s) <= 65535;
}

static int open_port(const char *where, char *error, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *a = NULL;
    const char *host = where, *colon = strrchr(where, ':');
    size_t n = (size_t)(colon - where);
    char name[256];

    if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof name || !is_port(colon + 1))
        return say(error, size, where, "must be PATH or HOST:PORT", 0);
    memcpy(name, host, n);
    name[n] = 0;
    if (getaddrinfo(name, colon + 1, &hints, &a) != 0)
        return say(error, size, where, "no such address", 0);
    if (!is_loopback(a->ai_addr)) {
        freeaddrinfo(a);
        return say(error, size, where, "only loopback addresses: 127.0.0.1 or [::1]", 0);
    }
    int fd = listen_at(a->ai_addr, a->ai_addrlen);
    freeaddrinfo(a);
    if (fd < 0)
        return say(error, size, where,
                   fd == -EADDRINUSE ? "cannot bind, another program has that port (ss -ltnp)"
                                     : "cannot bind",
                   -fd);
    return fd;
}

static bool is_path(const char *where)
{
    return strchr(where, '/') != NULL || strrchr(where, ':') == NULL;
}

int listener_open(const char *where, char *error, size_t size)
{
    return is_path(where) ? open_path(where, error, size) : open_port(where, error, size);
}

/* Cuts the path of the directory, and `.sock`: lighttpd may have put a number behind that. */
static void name_path(const char *path, char name[LISTENER_NAME])
{
    const char *last = strrchr(path, '/'), *from = last ? last + 1 : path;
    const char *end = strstr(*from != 0 ? from + 1 : from, ".sock");
    const char *rest = end ? end + strcspn(end + 1, ".-") + 1 : "";

    snprintf(name, LISTENER_NAME, "%.*s%s", end ? (int)(end - from) : (int)strlen(from), from,
             rest);
}

static void name_port(const struct sockaddr *at, socklen_t size, char name[LISTENER_NAME])
{
    char host[64] = "", port[8] = "";

    getnameinfo(at, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(name, LISTENER_NAME, "%s:%s", host, port);
}

void listener_name(int fd, char name[LISTENER_NAME])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-@_";
    union {
        struct sockaddr any;
        struct sockaddr_un path;
        struct sockaddr_storage storage;
    } at = {.storage = {0}};
    socklen_t size = sizeof at;

    getsockname(fd, &at.any, &size);
    if (at.any.sa_family == AF_UNIX)
        name_path(at.path.sun_path, name);
    else
        name_port(&at.any, size, name);
    for (char *c = name + strspn(name, letters); *c != 0; c += strspn(c, letters))
        *c = '_';
}

void listener_close(int fd, const char *where)
{
    if (where != NULL && is_path(where))
        unlink(where);
    close(fd);
}

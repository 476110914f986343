#include "post.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tool.h"

enum { HEAD_MAX = 512, ANSWER_MAX = 16 * 1024 };

struct post {
    int fd;
    char host[64], path[256];
};

static void connect_to(struct post *p, const char *address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;

    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
        die("%s is no IPv4 address", address);
    if (connect(p->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("%s: %s", p->host, strerror(errno));
}

struct post *post_open(const char *url)
{
    struct post *p = allocate(1, sizeof *p);
    char address[INET_ADDRSTRLEN];
    unsigned port;

    if (sscanf(url, "http://%15[0-9.]:%u%255s", address, &port, p->path) != 3 || port > UINT16_MAX)
        die("%s: must be http://ADDRESS:PORT/PATH", url);
    snprintf(p->host, sizeof p->host, "%s:%u", address, port);
    connect_to(p, address, (uint16_t)port);
    return p;
}

/* How long the answer is, once its head is there; 0: it is not. */
static size_t answer_length(const char *answer)
{
    static const char field[] = "\r\nContent-Length:";
    const char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, field);

    if (end == NULL)
        return 0;
    size_t head = (size_t)(end + 4 - answer);
    return length != NULL && length < end ? head + strtoul(length + sizeof field - 1, NULL, 10)
                                          : head;
}

static void await_answer(const struct post *p)
{
    char answer[ANSWER_MAX];
    size_t n = 0, wanted = 0;

    while (wanted == 0 || n < wanted) {
        ssize_t got = read(p->fd, answer + n, sizeof answer - 1 - n);
        if (got <= 0)
            die("%s: no answer", p->host);
        n += (size_t)got;
        answer[n] = 0;
        wanted = answer_length(answer);
    }
    if (strncmp(answer, "HTTP/1.1 2", 10) != 0)
        die("%s: %.*s", p->host, (int)strcspn(answer, "\r"), answer);
}

void post_send(struct post *p, const char *body, size_t n)
{
    char head[HEAD_MAX];
    int head_len =
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n",
                 p->path, p->host, n);
    struct iovec request[] = {{head, (size_t)head_len}, {(void *)(uintptr_t)body, n}};

    if (writev(p->fd, request, 2) != head_len + (ssize_t)n)
        die("%s: %s", p->host, strerror(errno));
    await_answer(p);
}

void post_close(struct post *p)
{
    close(p->fd);
    free(p);
}

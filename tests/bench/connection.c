#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "response.h"
#include "tool.h"

enum { READ_BYTES = 256 * 1024, REQUEST_MAX = 32 * 1024, OUT_MAX = 1024 * 1024 };

struct connection {
    struct server *server;
    void *arg;
    struct event *event;
    enum { CONNECTING, SHAKING_HANDS, OPEN, CLOSED } state;
    SSL *ssl;
    struct http2 *http2; /* NULL: HTTP/1.1 */
    struct response response;
    void *stream; /* of HTTP/1.1: its arg */
    char *out;    /* what is to be written, from out_sent to out_n */
    size_t out_n, out_sent;
};

static void connection_close(struct connection *c)
{
    if (c->state == CLOSED)
        return;
    c->state = CLOSED;
    evutil_socket_t fd = event_get_fd(c->event);
    event_free(c->event);
    c->event = NULL;
    if (c->ssl != NULL)
        c->server->traffic.wire += (int64_t)BIO_number_read(SSL_get_rbio(c->ssl));
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(fd);
    c->server->handler.on_close(c->arg);
}

static void on_event(evutil_socket_t fd, short what, void *arg);

static void connection_watch(struct connection *c, short what)
{
    evutil_socket_t fd = event_get_fd(c->event);

    if ((event_get_events(c->event) & (EV_READ | EV_WRITE)) == what)
        return;
    event_del(c->event);
    event_assign(c->event, c->server->base, fd, (short)(what | EV_PERSIST), on_event, c);
    event_add(c->event, NULL);
}

/* -- what is written -- */

static void out_add(struct connection *c, const char *bytes, size_t n)
{
    if (n > OUT_MAX - c->out_n)
        die("too much to be written to %s", c->server->host);
    c->out = realloc(c->out, c->out_n + n);
    if (c->out == NULL)
        die("out of memory");
    memcpy(c->out + c->out_n, bytes, n);
    c->out_n += n;
}

/* What was written, 0 if the socket is full, or -1. */
static ssize_t connection_write(struct connection *c)
{
    const char *bytes = c->out + c->out_sent;
    size_t n = c->out_n - c->out_sent, written;

    if (c->ssl == NULL) {
        ssize_t sent = send(event_get_fd(c->event), bytes, n, MSG_NOSIGNAL);
        return sent < 0 && errno == EAGAIN ? 0 : sent;
    }
    int done = SSL_write_ex(c->ssl, bytes, n, &written);
    if (done == 1)
        return (ssize_t)written;
    return SSL_get_error(c->ssl, done) == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void connection_flush(struct connection *c)
{
    const char *bytes;
    ssize_t sent = 1;
    size_t n;

    if (c->state != OPEN)
        return;
    while (c->http2 != NULL && (n = http2_give(c->http2, &bytes)) > 0)
        out_add(c, bytes, n);
    while (c->out_sent < c->out_n && sent > 0) {
        sent = connection_write(c);
        c->out_sent += sent > 0 ? (size_t)sent : 0;
    }
    if (sent < 0) {
        connection_close(c);
        return;
    }
    if (c->out_sent == c->out_n) { /* thousands of connections have nothing to write */
        free(c->out);
        c->out = NULL;
        c->out_n = c->out_sent = 0;
    }
    connection_watch(c, (short)(EV_READ | (c->out_n > 0 ? EV_WRITE : 0)));
}

void connection_ask(struct connection *c, const char *path, struct http2_stream *stream)
{
    static char request[REQUEST_MAX];
    const struct server *s = c->server;

    if (c->http2 != NULL) {
        http2_ask(c->http2, s->host, path, s->header, stream);
        connection_flush(c);
        return;
    }
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", path,
                     s->host, s->header);
    if (n >= (int)sizeof request)
        die("the request for %s is too long", path);
    c->stream = stream->arg;
    out_add(c, request, (size_t)n);
    connection_flush(c);
}

/* -- what is read -- */

/* What was read, 0 if there is nothing more, or -1. */
static ssize_t connection_read(struct connection *c, char *bytes, size_t size)
{
    size_t n;

    if (c->ssl == NULL) {
        ssize_t got = recv(event_get_fd(c->event), bytes, size, 0);
        c->server->traffic.wire += got > 0 ? got : 0;
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : got == 0 ? -1 : got;
    }
    int done = SSL_read_ex(c->ssl, bytes, size, &n);
    if (done == 1)
        return (ssize_t)n;
    int why = SSL_get_error(c->ssl, done);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* False: the connection is over. */
static bool connection_take(struct connection *c, const char *bytes, size_t n)
{
    const struct http2_handler *h = &c->server->handler.stream;
    bool had_begun = response_begun(&c->response);

    if (c->http2 != NULL)
        return http2_take(c->http2, bytes, n);
    if (!response_take(&c->response, bytes, n, h->on_line, c->stream))
        return false;
    if (!had_begun && response_begun(&c->response))
        h->on_status(c->stream, c->response.status);
    return c->response.part != RESPONSE_DONE;
}

static void on_readable(struct connection *c)
{
    static char bytes[READ_BYTES];
    struct traffic *t = &c->server->traffic;

    do {
        ssize_t n = connection_read(c, bytes, sizeof bytes);
        if (n == 0)
            return;
        t->now_ns = wall_ns();
        t->bytes += n > 0 ? n : 0;
        if (n < 0 || !connection_take(c, bytes, (size_t)n)) {
            connection_close(c);
            return;
        }
    } while (c->ssl != NULL && SSL_has_pending(c->ssl));
}

/* -- its beginning -- */

static void begin(struct connection *c)
{
    const struct connection_handler *h = &c->server->handler;
    const unsigned char *protocol = NULL;
    unsigned n = 0;

    c->state = OPEN;
    if (c->server->http2) {
        SSL_get0_alpn_selected(c->ssl, &protocol, &n);
        if (n != 2 || memcmp(protocol, "h2", 2) != 0)
            die("%s has no HTTP/2", c->server->host);
        c->http2 = http2_new(&h->stream);
    }
    h->on_open(c->arg);
    connection_flush(c);
}

static void shake_hands(struct connection *c)
{
    int done = SSL_connect(c->ssl);

    switch (SSL_get_error(c->ssl, done)) {
    case SSL_ERROR_NONE:
        begin(c);
        break;
    case SSL_ERROR_WANT_READ:
        connection_watch(c, EV_READ);
        break;
    case SSL_ERROR_WANT_WRITE:
        connection_watch(c, EV_WRITE);
        break;
    default:
        connection_close(c);
    }
}

static void count_record(int sent, int version, int type, const void *bytes, size_t n, SSL *ssl,
                         void *arg)
{
    struct traffic *t = arg;

    (void)version, (void)bytes, (void)n, (void)ssl;
    if (!sent && type == SSL3_RT_HEADER)
        t->records++;
}

static void on_connected(struct connection *c)
{
    struct server *s = c->server;
    evutil_socket_t fd = event_get_fd(c->event);
    socklen_t size = sizeof(int);
    int error = 0;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        connection_close(c);
        return;
    }
    if (s->tls == NULL) {
        begin(c);
        return;
    }
    c->ssl = SSL_new(s->tls);
    if (c->ssl == NULL)
        die("out of memory");
    SSL_set_fd(c->ssl, fd);
    SSL_set_msg_callback(c->ssl, count_record);
    SSL_set_msg_callback_arg(c->ssl, &s->traffic);
    SSL_set_tlsext_host_name(c->ssl, "localhost");
    c->state = SHAKING_HANDS;
    shake_hands(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;

    (void)fd;
    if (c->state == CONNECTING)
        on_connected(c);
    else if (c->state == SHAKING_HANDS)
        shake_hands(c);
    else if (what & EV_READ)
        on_readable(c);
    /* Over HTTP/2 what was read may want an answer. */
    if (c->state == OPEN && (c->http2 != NULL || (what & EV_WRITE)))
        connection_flush(c);
}

struct connection *connection_open(struct server *server, void *arg)
{
    struct connection *c = allocate(1, sizeof *c);
    const struct sockaddr *address = (const struct sockaddr *)&server->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address, (socklen_t)server->address_len) < 0 && errno != EINPROGRESS)
        die("connect to %s: %s", server->host, strerror(errno));
    c->server = server;
    c->arg = arg;
    c->event = event_new(server->base, fd, EV_WRITE | EV_PERSIST, on_event, c);
    if (c->event == NULL)
        die("out of memory");
    event_add(c->event, NULL);
    return c;
}

void connection_free(struct connection *c)
{
    if (c == NULL)
        return;
    connection_close(c);
    http2_free(c->http2);
    free(c->out);
    free(c);
}

SSL_CTX *connection_tls(bool http2)
{
    static const unsigned char protocols[2][9] = {"\x08http/1.1", "\x02h2"};
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL ||
        SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                      "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
        SSL_CTX_set_alpn_protos(tls, protocols[http2], http2 ? 3 : 9) != 0)
        die("OpenSSL has no such TLS");
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return tls;
}

const char *connection_version(const struct connection *c)
{
    return c->ssl != NULL ? SSL_get_version(c->ssl) : NULL;
}

const char *connection_cipher(const struct connection *c)
{
    return c->ssl != NULL ? SSL_get_cipher_name(c->ssl) : NULL;
}

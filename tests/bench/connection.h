/* connection - of a client that reads event streams: plain HTTP/1.1, or over TLS HTTP/1.1 or
 * HTTP/2, as browsers connect.  Never blocks; libevent says when there is something to do. */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <event2/event.h>
#include <openssl/types.h>
#include <stdint.h>
#include <sys/socket.h>

#include "http2.h"

/* Callbacks; the connection may not be freed in them. */
struct connection_handler {
    void (*on_open)(void *arg);  /* it may be asked */
    void (*on_close)(void *arg); /* it is over, and all its streams */
    struct http2_handler stream;
};

/* Of all connections to a server. */
struct traffic {
    int64_t now_ns;  /* of the read under way, by wall_ns() */
    int64_t bytes;   /* read, of HTTP */
    int64_t wire;    /* read, TLS included */
    int64_t records; /* of TLS */
};

struct server {
    struct event_base *base;
    struct sockaddr_storage address;
    int address_len;
    const char *host;   /* as Host says it */
    const char *header; /* lines with their ends, of each request */
    SSL_CTX *tls;       /* NULL: plain */
    bool http2;
    struct connection_handler handler;
    struct traffic traffic;
};

/* For browsers' TLS: version 1.3, AES-128 first, HTTP/2 or HTTP/1.1 as that is the one protocol. */
SSL_CTX *connection_tls(bool http2);

struct connection;

/* Begins to connect; dies if not even that can be done. */
struct connection *connection_open(struct server *server, void *arg);
void connection_free(struct connection *c);

/* Asks for an event stream: one of a connection over HTTP/1.1, many over HTTP/2. */
void connection_ask(struct connection *c, const char *path, struct http2_stream *stream);

/* The protocol and cipher of its TLS; NULL if there is none. */
const char *connection_version(const struct connection *c);
const char *connection_cipher(const struct connection *c);

#endif

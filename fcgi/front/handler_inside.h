/* handler_inside - what the handler's files share. */
#ifndef SKF_FRONT_HANDLER_INSIDE_H
#define SKF_FRONT_HANDLER_INSIDE_H

#include "front/exchange.h"
#include "front/handler.h"

struct handler {
    struct handler_config config;
    struct fanouts *fanouts; /* NULL: a standby */
    struct cors *cors;
    struct decoder *decoder;
    struct exchanges *exchanges;
    struct admission *admission;
    struct gate gate;
    struct status *status;
    size_t *streams; /* open ones, by the number of the route */
    uint64_t renewals[RENEWALS];
    struct handles *handles;
    struct rates *rates;                 /* of handles that are told */
    struct subscriptions *subscriptions; /* NULL: a pool of one */
    uint64_t told;
};

/* -- handler_streams.c -- */

/* It asks for a stream or a document: has its token verified, and opens it. */
void handler_get(struct exchange *x, const struct request *r);
/* It tells a stream what to select: likewise, and hands it to handler_subscribe(). */
void handler_post_form(struct exchange *x, const struct request *r);
/* Peers that were asked have answered, and it can be served. */
void handler_serve_again(struct exchange *x);

/* -- handler_renewals.c -- */

/* A renewal: has its token verified, and passed on to the streams that it renews. */
void handler_renew(struct exchange *x, const struct request *r);

/* -- handler_subscribe.c -- */

/* Takes its handle from the URL. */
void handler_read_handle(struct exchange *x, const struct request *r);
/* Sets the key of its handle, which its token was verified for. */
void handler_set_key(struct exchange *x, const struct verdict *verdict);
/* It asks for a stream that can be told what to select; documents end by themselves. */
bool handler_has_handle(const struct exchange *x);
/* It comes back, and its handle may be known elsewhere: true if the peers are asked first. */
bool handler_asks_peers(struct exchange *x, const struct verdict *verdict);
/* There is a stream of its handle now. */
void handler_opened(struct exchange *x);
/* It may have a handle: what it was told before is what it asks for; or why it cannot have it. */
enum refusal handler_take_handle(struct exchange *x, const struct verdict *verdict);

/* It tells a stream what to select: reads that from the body.  False: it was refused. */
bool handler_read_form(struct exchange *x);
/* With a token that is good, or NULL: none is needed. */
void handler_subscribe(struct exchange *x, const struct verdict *verdict);

/* -- all of them -- */

/* A request without a token is told no more than the scheme (RFC 6750, 3.1). */
void handler_refuse_without_token(struct exchange *x);

#endif

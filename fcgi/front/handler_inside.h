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
};

/* -- handler_renewals.c -- */

/* A renewal: has its token verified, and passed on to the streams that it renews. */
void handler_renew(struct exchange *x, const struct request *r);
/* A request without a token is told no more than the scheme (RFC 6750, 3.1). */
void handler_refuse_without_token(struct exchange *x);

#endif

/* handler - what a request gets: the event stream, a renewal, a preflight's answer, or a refusal.
 */
#ifndef SKF_FRONT_HANDLER_H
#define SKF_FRONT_HANDLER_H

#include "front/inlet.h"
#include "guard/peer.h"
#include "guard/session.h"

struct handler;
struct fanout;

struct handler_config {
    const char *path; /* of the events, as it stands in the request's URI */
    const char *cors; /* see cors_new(); it was checked before */
    int64_t retry_ms; /* what clients are told to wait before they come back, more or less */
};

/* What stands between requests and streams; guard NULL: nothing, all may come in. */
struct gate {
    struct guard *guard;
    struct sessions *sessions;
    struct peers *peers; /* NULL: a pool of one */
    const char *issuer;
};

/* The strings are borrowed and must outlive it.  Without a fan-out (NULL) it answers as a standby
 * (front/standby.h).  NULL if libfcgi cannot be used. */
struct handler *handler_new(const struct handler_config *config, struct fanout *fanout);
/* Before the first request. */
void handler_set_gate(struct handler *h, const struct gate *gate);
void handler_free(struct handler *h);

struct inlet_handler handler_inlet(struct handler *h);

/* A renewal that another responder of the pool has accepted. */
void handler_on_peer_renewal(struct handler *h, const struct renewal *renewal);
/* All of these that have come by now were seen to. */
bool handler_renewals_settled(struct handler *h);

#endif

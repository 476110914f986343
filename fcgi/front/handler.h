/* handler - what a request gets: the event stream, a renewal, a preflight's answer, or a refusal.
 */
#ifndef SKF_FRONT_HANDLER_H
#define SKF_FRONT_HANDLER_H

#include "front/inlet.h"
#include "front/limits.h"
#include "front/refusal.h"
#include "front/renewal.h"
#include "guard/peer.h"
#include "guard/session.h"

struct handler;
struct fanout;
struct status;

struct handler_config {
    const char *path; /* of the events, as it stands in the request's URI */
    const char *cors; /* see cors_new(); it was checked before */
    int64_t retry_ms; /* what clients are told to wait before they come back, more or less */
    int64_t max_streams;
    int64_t max_waiting; /* requests that are not streams: front/descriptors.h */
    struct limits_config address, subject;
    int64_t max_attempts; /* tokens of one address that are refused, in a minute; 0: no limit */
};

/* What stands between requests and streams. */
struct gate {
    struct guard *guard;       /* NULL: all may come in */
    struct sessions *sessions; /* NULL: streams go on for as long as they like */
    struct peers *peers;       /* NULL: a pool of one */
    bool no_renewals;          /* no stream is to be reached from here */
    const char *issuer;
};

/* The strings are borrowed and must outlive it.  Without a fan-out (NULL) it answers as a standby
 * (front/standby.h).  NULL if libfcgi cannot be used. */
struct handler *handler_new(struct loop *loop, const struct handler_config *config,
                            struct fanout *fanout);
/* Before the first request. */
void handler_set_gate(struct handler *h, const struct gate *gate);
void handler_set_status(struct handler *h, struct status *status);
void handler_free(struct handler *h);

/* From now on whoever wants a stream is told to come back. */
void handler_drain(struct handler *h);

/* How many requests wait for their answer, or for the front to take it. */
size_t handler_waiting(const struct handler *h);

/* How many requests were refused since the start, by enum refused. */
const uint64_t *handler_refusals(const struct handler *h);
/* Likewise the renewals that came here, by outcome. */
const uint64_t *handler_renewals(const struct handler *h);

struct inlet_handler handler_inlet(struct handler *h);

/* A renewal that another responder of the pool has accepted. */
void handler_on_peer_renewal(struct handler *h, const struct renewal *renewal);
/* All of these that have come by now were seen to. */
bool handler_renewals_settled(struct handler *h);

#endif

/* handler - what a request gets: the event stream, a renewal, a preflight's answer, or a refusal.
 */
#ifndef SKF_FRONT_HANDLER_H
#define SKF_FRONT_HANDLER_H

#include "front/admission.h"
#include "front/inlet.h"

struct handler;
struct status;

struct handler_config {
    const struct routes *routes;
    const char *cors; /* see cors_new(); it was checked before */
    int64_t retry_ms; /* what clients are told to wait before they come back, more or less */
    int64_t max_streams;
    int64_t max_waiting; /* requests that are not streams: front/descriptors.h */
    struct limits_config address, subject;
    bool stands_in;       /* a standby at the socket of a responder */
    int64_t max_attempts; /* tokens of one address that are refused, in a minute; 0: no limit */
    int64_t max_handles;  /* of streams that can be told to select something else; 0: none can */
};

/* The routes, strings and fan-outs are borrowed and must outlive it; the latter are those of the
 * routes' topics.  Without any (NULL) it answers as a standby (front/standby.h).  NULL if libfcgi
 * cannot be used. */
struct handler *handler_new(struct loop *loop, const struct handler_config *config,
                            struct fanouts *fanouts);
/* Before the first request. */
void handler_set_gate(struct handler *h, const struct gate *gate);
/* Streams can be told what to select by way of any responder of the pool that meets in that
 * directory; `agreement` is what they have in common.  False, and one line in `error`, if it cannot
 * be joined. */
bool handler_join(struct handler *h, struct loop *loop, const char *directory,
                  struct slice agreement, char *error, size_t size);
/* Before the guard and the streams go. */
void handler_leave(struct handler *h);
void handler_set_status(struct handler *h, struct status *status);
void handler_free(struct handler *h);

/* From now on whoever wants a stream is told to come back. */
void handler_drain(struct handler *h);

/* How many requests wait for their answer, or for the front to take it. */
size_t handler_waiting(const struct handler *h);

/* How many streams are open, by the number of the route. */
const size_t *handler_streams(const struct handler *h);
/* How many requests were refused since the start, by enum refused. */
const uint64_t *handler_refusals(const struct handler *h);
/* Likewise the renewals that came here, by outcome. */
const uint64_t *handler_renewals(const struct handler *h);

/* Handles of streams, open ones and remembered ones; and how many were forgotten for others. */
size_t handler_handles(const struct handler *h);
uint64_t handler_handles_forgotten(const struct handler *h);
/* How often a stream was told to select something else. */
uint64_t handler_told(const struct handler *h);

struct inlet_handler handler_inlet(struct handler *h);

#endif

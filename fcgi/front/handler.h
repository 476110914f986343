/* handler - what a request gets: the event stream, a preflight's answer, or a refusal. */
#ifndef SKF_FRONT_HANDLER_H
#define SKF_FRONT_HANDLER_H

#include "front/inlet.h"

struct handler;
struct fanout;

struct handler_config {
    const char *path; /* of the events, as it stands in the request's URI */
    const char *cors; /* see cors_new(); it was checked before */
    int64_t retry_ms; /* what clients are told to wait before they come back, more or less */
};

/* The strings are borrowed and must outlive it.  NULL if libfcgi cannot be used. */
struct handler *handler_new(const struct handler_config *config, struct fanout *fanout);
void handler_free(struct handler *h);

struct inlet_handler handler_inlet(struct handler *h);

#endif

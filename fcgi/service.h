/* service - tells the service manager (base/notify.h) when a responder is ready, what it lacks,
 * that it reads its keys again, that it stops, and that its loop still turns. */
#ifndef SKF_SERVICE_H
#define SKF_SERVICE_H

#include "base/buf.h"
#include "base/loop.h"

struct service;

struct service_config {
    /* Is it ready for streams?  Appends one line for people: what it serves, or what it lacks. */
    bool (*is_ready)(void *arg, struct buf *status);
    /* Are the issuers' keys being read again? */
    bool (*is_reloading)(void *arg);
    void *arg;
};

/* Who is not ready after so long is told as ready all the same: Kafka may be away for hours, and
 * those that are to be restarted next must not wait for it. */
enum { SERVICE_READY_MS = 20000 };

/* NULL: there is no service manager that wants to know; the others take it. */
struct service *service_new(struct loop *loop, const struct service_config *config);
void service_free(struct service *s);

/* Before the keys are read again, and before the listening socket is closed. */
void service_reload(struct service *s);
void service_stop(struct service *s);

#endif

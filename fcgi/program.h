/* program - the pieces of a responder, wired together. */
#ifndef SKF_PROGRAM_H
#define SKF_PROGRAM_H

#include "base/loop.h"
#include "config/config.h"
#include "front/descriptors.h"
#include "stream/fanouts.h"

/* Each piece is NULL until it is made. */
struct program {
    struct config *config;
    struct loop *loop;
    struct backlogs backlogs; /* of all topics */
    struct fanouts fanouts;   /* owned */
    struct descriptors descriptors;
    struct cluster *cluster;
    struct consumer **consumers; /* by topic, as the fan-outs */
    struct handler *handler;
    struct inlet *inlet;
    struct guard *guard;
    struct sessions *sessions;
    struct renewals *renewals;
    struct keywish *keywish; /* NULL: there is no directory for it */
    struct drain *drain;
    struct timer *stand_in; /* NULL: it does not */
    struct timer *stop;     /* NULL: it was not told to stop */
    int64_t stop_by_ms;
    struct status *status;
    struct service *service; /* NULL: no service manager wants to know, or a CGI program */
    struct cgi *cgi;         /* NULL: a responder */
    int listen_fd;           /* -1: closed */
    int asked_for;           /* a CGI program: the only topic that is read; -1: none */
    char error[256];
};

/* Makes all but what brings requests: the inlet, or the CGI program.  `config`, `loop`,
 * `listen_fd` and `asked_for` are set.  False: `error` says why. */
bool program_make(struct program *p);
void program_unmake(struct program *p);

/* From now on the service manager, if there is one, is told how it is. */
void program_tell_service(struct program *p);

/* The guard of a configuration that has issuers, also for who serves nothing: guard_new(). */
struct guard *program_guard(struct loop *loop, const struct config *config,
                            void (*on_change)(void *arg), void *arg, char *error, size_t size);

#endif

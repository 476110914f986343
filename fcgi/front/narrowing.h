/* narrowing - what a client asks for of what its route selects: `?key=A&key=B`, `?keyBase64=`.
 * Where its stream is to start: `?from=`; and in which form it wants it: `?format=`, `?data=`,
 * `?keepalive=event`.  Pure. */
#ifndef SKF_FRONT_NARROWING_H
#define SKF_FRONT_NARROWING_H

#include "front/format.h"
#include "front/refusal.h"
#include "route/routes.h"
#include "select/from.h"
#include "select/selection.h"

enum {
    NARROWING_VALUES = 256,
    NARROWING_BYTES = 8192, /* of all values, decoded */
};

/* To be read before anything else. */
struct narrowing {
    enum refusal why; /* what is wrong with it; REFUSALS: nothing */
    bool any;         /* else it leaves all that the route selects */
    struct values keys;
    bool has_from;
    struct from from; /* where it is to start */
    bool has_format;
    enum format format;
    bool has_data, enveloped; /* what its events are to carry */
    bool keepalive_events;    /* it cannot see comments */
};

/* One that resumes starts where its id says, or, if it is reset, as `from` says: one that is wrong
 * is then no reason to refuse it. */
void narrowing_read(struct narrowing *n, struct slice query, bool resumes);
void narrowing_fini(struct narrowing *n);

/* What it asks for is what a form says (a query), in place of its keys.  The form was read before.
 */
void narrowing_replace(struct narrowing *n, struct slice form);

/* What a route selects there, of the claims of a token (NULL: it needs none); *route is NULL where
 * that is everything, and else the caller's.  Or why nobody gets anything there; *lacks is the
 * number of the claim that is not there, of REFUSAL_CLAIM_MISSING. */
enum refusal narrowing_route(const struct destination *destination, const struct values *claims,
                             struct selection **route, int *lacks);
/* What is left of that; likewise. */
struct selection *narrowing_apply(const struct narrowing *n, struct selection *route);
/* Both, unless something is wrong with what it asks for. */
enum refusal narrowing_select(const struct narrowing *n, const struct destination *destination,
                              const struct values *claims, struct selection **route,
                              struct selection **out, int *lacks);

#endif

/* renewals - a new token for streams that are open, brought by a client or passed on by a peer:
 * verified, matched, limited, passed on to the pool, applied to the sessions, in that order.
 *
 * A peer has matched and limited what it passes on, but its token is verified here as well.  If it
 * has read a new key before us, the renewal waits some seconds for us to read it, too. */
#ifndef SKF_GUARD_RENEWALS_H
#define SKF_GUARD_RENEWALS_H

#include "guard/guard.h"
#include "guard/session.h"

/* What came of it: M(X, enumerator, label of the metric) for each. */
#define RENEWAL_TABLE(M, X)                                                                        \
    M(X, ACCEPTED, "accepted")                                                                     \
    M(X, TOKEN, "token")         /* none, or a bad one */                                          \
    M(X, FORBIDDEN, "forbidden") /* a scope lacks, or it is another's stream */                    \
    M(X, LIMITED, "limited")     /* too many of one subject */                                     \
    M(X, PEER, "peer")           /* another responder could not be told */                         \
    M(X, BUSY, "busy")           /* too many tokens wait to be verified */
#define RENEWAL_ENUMERATOR(X, name, label) RENEWAL_##name,
enum renewal_outcome { RENEWAL_TABLE(RENEWAL_ENUMERATOR, ) RENEWALS };

struct renewals;

struct renewals_config {
    struct guard *guard;
    struct sessions *sessions;
    /* Where the pool's responders meet, and what they have in common (guard/peer.h); NULL: a pool
     * of one.  Both are borrowed for the call. */
    const char *peer_directory;
    struct slice agreement;
};

/* From now on no session ends a stream before it has asked whether a renewal waits.  NULL, and one
 * line in `error`, if the pool cannot be joined. */
struct renewals *renewals_new(struct loop *loop, const struct renewals_config *config, char *error,
                              size_t size);
/* After the guard, whose last verdicts it takes, and before the sessions. */
void renewals_free(struct renewals *r);

/* The guard's keys have changed: what waits for its key is judged again. */
void renewals_keys_changed(struct renewals *r);

/* Of one whose token is not good. */
enum renewal_outcome renewals_outcome(enum token_error error);

/* What a client has brought; the texts are borrowed until it is done with. */
struct renewal_request {
    struct slice token, selector; /* selector: the token in the URL; empty: none */
    uint64_t scopes;              /* demanded by the route of its path, as in a verdict */
    /* With the argument of `done`: does the token have what else its route needs?  NULL: yes. */
    bool (*opens)(void *arg, const struct verdict *verdict);
    /* Likewise, and if there is no token in the URL: the handle there, as session_name() was told
     * it.  False, or NULL: none. */
    bool (*names)(void *arg, const struct verdict *verdict, struct token_hash *handle);
};
/* Renews the streams of the token's subject that have the selector or the handle in their URL;
 * without either those that have no token there.  Calls done(arg, outcome, error) once, maybe in a
 * later turn.  `error`: what is wrong with the token; TOKEN_OK: nothing. */
void renewals_take(struct renewals *r, const struct renewal_request *request,
                   void (*done)(void *arg, enum renewal_outcome outcome, enum token_error error),
                   void *arg);

#endif

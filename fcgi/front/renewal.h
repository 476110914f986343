/* renewal - what came of a renewal. */
#ifndef SKF_FRONT_RENEWAL_H
#define SKF_FRONT_RENEWAL_H

/* M(X, enumerator, label of the metric) for each. */
#define RENEWAL_TABLE(M, X)                                                                        \
    M(X, ACCEPTED, "accepted")                                                                     \
    M(X, TOKEN, "token")         /* none, or a bad one */                                          \
    M(X, FORBIDDEN, "forbidden") /* a scope lacks, or it is another's stream */                    \
    M(X, LIMITED, "limited")     /* too many of one subject */                                     \
    M(X, PEER, "peer")           /* another responder could not be told */                         \
    M(X, BUSY, "busy")           /* too many tokens wait to be verified */
#define RENEWAL_ENUMERATOR(X, name, label) RENEWAL_##name,
enum renewal_outcome { RENEWAL_TABLE(RENEWAL_ENUMERATOR, ) RENEWALS };

#endif

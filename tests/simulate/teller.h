/* teller - tells the stream of a handle what to select: forms that are good, and some that must be
 * refused. */
#ifndef SKF_SIMULATE_TELLER_H
#define SKF_SIMULATE_TELLER_H

#include "post.h"
#include "subscription.h"

struct teller {
    struct subscription *subscription;
    const char *subject;
    const struct wish *wish; /* of the stream: where it is */
    struct post post;
    struct errand next;
    uint32_t times; /* that are left */
    enum { TELLER_GOOD, TELLER_BAD, TELLER_LARGE, TELLER_FOREIGN, TELLER_ELSEWHERE } how;
    struct picked named;
    int64_t tried_ms;
    unsigned key, steps; /* the issuer's, and the clock's, when it was written */
};

/* subscription NULL: it tells nothing. */
void teller_init(struct teller *t, struct pool *pool, uint64_t who, const char *name,
                 const char *subject, struct subscription *subscription, const struct wish *wish);
void teller_fini(struct teller *t);

/* So many forms, one after the other. */
void teller_start(struct teller *t, uint32_t times);
/* Now and then: it must be answered. */
void teller_look(const struct teller *t);

#endif

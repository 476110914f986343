/* due - the wants of which something has come since the last round, in the order of the first event
 * of each that was not served: a ring. */
#ifndef SKF_STREAM_DUE_H
#define SKF_STREAM_DUE_H

#include "select/index.h"
#include "stream/items.h"

struct due_want {
    struct want *want; /* NULL: nobody wants it any more */
    struct item first; /* the newer ones are chained behind it */
};

struct due {
    struct due_want *ring;
    uint32_t size;       /* 0, or a power of two */
    uint32_t begin, end; /* they only grow; their lower bits say where in the ring */
};

void due_fini(struct due *d);

/* It must not be due. */
void due_add(struct due *d, struct want *want, struct item first);
/* NULL: it is not due.  Valid until another is added. */
struct due_want *due_find(const struct due *d, const struct want *want);
/* The first of those before `until` (an `end` of before); NULL: none.  Likewise. */
struct due_want *due_first(struct due *d, uint32_t until);
/* The first is due no longer. */
void due_drop_first(struct due *d);

#endif

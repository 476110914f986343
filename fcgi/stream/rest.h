/* rest - of the event that is under way to a stream, what has not been sent yet: kept although its
 * place has gone.
 *
 * A slow client may be in the midst of a large event, and so may a thousand of them: they keep the
 * same bytes, by reference. */
#ifndef SKF_STREAM_REST_H
#define SKF_STREAM_REST_H

#include "base/slice.h"

struct block;

/* Those of a counted block, or a copy.  `{0}` is none. */
struct rest {
    struct block *block;
    uint32_t at, end; /* in its bytes, which are of few events */
};

/* The last large copy, while somebody keeps it.  `{0}`: there is none. */
struct shared {
    struct block *block;
};

/* Puts a copy of the bytes into an empty rest. */
void rest_copy(struct rest *rest, struct slice bytes);
/* Likewise; but of many bytes that `last` ends with, too, it takes those. */
void rest_share(struct rest *rest, struct slice bytes, struct shared *last);
/* What is left of it (borrowed). */
struct slice rest_slice(const struct rest *rest);
/* n of these bytes were sent; nothing is kept behind the last. */
void rest_advance(struct rest *rest, size_t n);
void rest_fini(struct rest *rest);

/* Rests stay as they are. */
void shared_fini(struct shared *shared);

#endif

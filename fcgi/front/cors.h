/* cors - who may read the answer (Fetch standard, 3.2). */
#ifndef SKF_FRONT_CORS_H
#define SKF_FRONT_CORS_H

#include "base/buf.h"

/* Any origin, or those of a list. */
struct cors;

/* "cross-origin", or origins separated by commas (copied); NULL if one of them is not
 * scheme://host[:port]. */
struct cors *cors_new(const char *policy);
void cors_free(struct cors *cors);

/* What a request says of where it comes from; NULL where it says nothing. */
struct cors_request {
    const char *origin;
    const char *host;
    bool https;
};

/* May a page of that origin have the answer?  Its own origin always may; without an Origin header
 * there is no page. */
bool cors_allowed(const struct cors *cors, const struct cors_request *request);

/* Appends the header lines for an answer to it: none for a foreign origin. */
void cors_add_headers(struct buf *out, const struct cors *cors, const struct cors_request *request);
/* The further ones of a preflight (3.2.2). */
void cors_add_preflight(struct buf *out);

#endif

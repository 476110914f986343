/* request - a whole FastCGI request, decoded by libfcgi.
 *
 * libfcgi reads from a descriptor and blocks for what is missing, so it is shown nothing but whole
 * requests that fcgi_request_parse() has passed, in a file in memory. */
#ifndef SKF_FRONT_REQUEST_H
#define SKF_FRONT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "front/cors.h"

struct decoder;

/* The parameters that the program looks at. */
enum param {
    PARAM_METHOD,
    PARAM_URI,
    PARAM_QUERY, /* that of the URI, if the front passes none */
    PARAM_SCRIPT_NAME,
    PARAM_PATH_INFO,
    PARAM_CONTENT_TYPE,
    PARAM_AUTHORIZATION,
    PARAM_LAST_EVENT_ID,
    PARAM_ORIGIN,
    PARAM_HOST,
    PARAM_HTTPS,
    PARAM_PREFLIGHT_METHOD,
    PARAM_ACCEPT,
    PARAM_IF_NONE_MATCH,
    PARAM_PREFER,
    PARAM_REMOTE_ADDR,
    PARAM_REMOTE_PORT,
    PARAM_REDIRECT_STATUS, /* of the front's own error */
    PARAM_REQUIRE_GUARD,
    PARAM_ADMIN, /* the front lets this one ask how we are */
    PARAMS,
};

struct request {
    const char *param[PARAMS]; /* NULL: not sent.  Borrowed until the next request_decode() */
    bool repeated;             /* one that decides something was sent twice */
};

/* The parameter, or NULL if it is empty, too. */
const char *request_get(const struct request *r, enum param p);
/* Where it comes from; the strings are the request's. */
struct cors_request request_origin(const struct request *r);
/* A page's question before a request of another origin (Fetch standard, 3.2.2). */
bool request_is_preflight(const struct request *r);
/* Its content type is that of a challenge's answer: what stands before the first `;`, in any case.
 */
bool request_is_renewal(const struct request *r);

/* Likewise that of a form: what a stream is to select from now on. */
bool request_is_form(const struct request *r);

/* NULL if libfcgi does not decode a request of ours as it should, which is tried at once. */
struct decoder *decoder_new(void);
void decoder_free(struct decoder *d);

/* Is a parameter of that name looked at? */
bool request_knows(const char *name, size_t n);

/* Decodes the n bytes of a request that fcgi_request_parse() found COMPLETE.  0, or -EPROTO. */
int request_decode(struct decoder *d, const uint8_t *bytes, size_t n, struct request *out);
/* Appends the body of the request that was decoded last; false: it has more than `max` bytes. */
bool request_read_body(struct decoder *d, struct buf *out, size_t max);

#endif

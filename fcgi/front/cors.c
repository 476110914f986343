#include "front/cors.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

struct cors {
    bool any;
    char *list; /* the origins, each with a 0 behind */
    size_t size;
};

/* An origin as browsers send it: scheme://host[:port], nothing behind. */
static bool is_origin(const char *s)
{
#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    size_t scheme = strspn(s, ALPHANUMERIC "+-.");
    const char *host = s + scheme;

    if (scheme == 0 || strncmp(host, "://", 3) != 0 || host[3] == 0)
        return false;
    return strspn(host + 3, ALPHANUMERIC "-._:[]") == strlen(host + 3);
}

struct cors *cors_new(const char *policy)
{
    struct cors *cors = mem_zero(sizeof *cors);

    cors->any = strcmp(policy, "cross-origin") == 0;
    if (cors->any)
        return cors;
    cors->list = mem_strdup(policy);
    cors->size = strlen(policy) + 1;
    for (char *at = cors->list; at < cors->list + cors->size; at += strlen(at) + 1) {
        at[strcspn(at, ",")] = 0;
        if (!is_origin(at)) {
            cors_free(cors);
            return NULL;
        }
    }
    return cors;
}

void cors_free(struct cors *cors)
{
    if (cors == NULL)
        return;
    free(cors->list);
    free(cors);
}

static bool is_own(const struct cors_request *r)
{
    const char *scheme = r->https ? "https://" : "http://";
    size_t n = strlen(scheme);

    /* It will be a header line, and whoever can set both headers may make them equal. */
    return r->host != NULL && is_origin(r->origin) && strncasecmp(r->origin, scheme, n) == 0 &&
           strcasecmp(r->origin + n, r->host) == 0;
}

bool cors_allowed(const struct cors *cors, const struct cors_request *r)
{
    if (cors->any || r->origin == NULL || is_own(r))
        return true;
    for (const char *at = cors->list; at < cors->list + cors->size; at += strlen(at) + 1)
        if (strcasecmp(at, r->origin) == 0)
            return true;
    return false;
}

void cors_add_headers(struct buf *out, const struct cors *cors, const struct cors_request *r)
{
    bool named = !cors->any && r->origin != NULL && cors_allowed(cors, r);

    if (cors->any || named)
        buf_printf(out,
                   "Access-Control-Allow-Origin: %s\r\n"
                   "Access-Control-Expose-Headers: retry-after, www-authenticate, etag, "
                   "preference-applied\r\n",
                   named ? r->origin : "*");
    if (!cors->any)
        buf_add_str(out, "Vary: Origin\r\n");
}

void cors_add_preflight(struct buf *out)
{
    /* One by one: `*` does not cover authorization. */
    buf_add_str(out, "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"
                     "Access-Control-Allow-Headers: authorization, content-type, last-event-id, "
                     "cache-control, if-none-match, prefer, "
                     /* of tracing and older polyfills */
                     "traceparent, tracestate, baggage, x-requested-with, pragma\r\n"
                     "Access-Control-Max-Age: 600\r\n");
}

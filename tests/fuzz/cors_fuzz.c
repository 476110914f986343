/* In lines: the policy, the Origin of a request, its Host, and anything if it came by TLS. */
#include "front/cors.h"

#include <stdlib.h>
#include <strings.h>

#include "fuzz.h"

/* The headers say nothing but what they should: no line comes from the request. */
static void check_headers(const struct cors *cors, const struct cors_request *r, bool any)
{
    struct buf out = {0}, expected = {0};

    cors_add_headers(&out, cors, r);
    if (any || (r->origin != NULL && cors_allowed(cors, r)))
        buf_printf(&expected,
                   "Access-Control-Allow-Origin: %s\r\n"
                   "Access-Control-Expose-Headers: retry-after, www-authenticate, etag, "
                   "preference-applied\r\n",
                   any ? "*" : r->origin);
    if (!any)
        buf_add_str(&expected, "Vary: Origin\r\n");
    assert(slice_equal(buf_slice(&out), buf_slice(&expected)));
    buf_fini(&out);
    buf_fini(&expected);
}

/* In the list, or the page's own; nothing that could not stand in a header line. */
static void check_allowed(const char *policy, const struct cors_request *r)
{
    struct slice list = slice_str(policy);
    const char *host = r->origin + (r->https ? strlen("https://") : strlen("http://"));
    bool listed = false;

    while (list.n > 0) {
        char *origin = take_string(&list, ',');
        listed = listed || strcasecmp(origin, r->origin) == 0;
        free(origin);
    }
    bool own = r->host != NULL && strlen(r->origin) > 7 && strcasecmp(host, r->host) == 0;
    assert(listed || own);
    for (const char *c = r->origin; *c; c++)
        assert(*c > ' ' && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    char *policy = take_string(&in, '\n'), *origin = take_string(&in, '\n');
    char *host = take_string(&in, '\n');
    struct cors *cors = cors_new(policy);
    bool any = strcmp(policy, "cross-origin") == 0;
    struct cors_request r = {*origin ? origin : NULL, *host ? host : NULL, in.n > 0};

    if (cors != NULL) {
        if (!any && r.origin != NULL && cors_allowed(cors, &r))
            check_allowed(policy, &r);
        assert(!any || cors_allowed(cors, &r));
        check_headers(cors, &r, any);
    }
    assert(cors != NULL || !any);
    cors_free(cors);
    free(policy);
    free(origin);
    free(host);
    return 0;
}

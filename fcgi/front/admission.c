#include "front/admission.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/percent.h"
#include "front/credential.h"
#include "front/query.h"
#include "guard/subject.h"
#include "stream/fanouts.h"

struct admission {
    struct admission_config config;
    struct limits *addresses, *subjects;
    struct limits *attempts; /* by address: its openings are refused tokens */
    bool draining;
};

/* -- what the request says of itself -- */

/* Appends the path percent-decoded once; its %2F stay as they are unless `slashes`. */
static bool decode_path(struct buf *out, struct slice path, bool slashes)
{
    size_t n;

    for (size_t i = 0; i < path.n; i += n) {
        n = path.p[i] == '%' && path.n - i >= 3 ? 3 : 1;
        struct slice piece = slice_of(path.p + i, n);
        bool slash = n == 3 && piece.p[1] == '2' && (piece.p[2] | 0x20) == 'f';
        if (slash && !slashes)
            buf_add_slice(out, piece);
        else if (!percent_decode(out, piece))
            return false;
    }
    return true;
}

static bool is_split(struct slice path, struct slice script, struct slice info)
{
    return script.n <= path.n && slice_equal(script, slice_of(path.p, script.n)) &&
           slice_equal(info, slice_of(path.p + script.n, path.n - script.n));
}

static bool is_split_once_decoded(struct slice path, struct slice script, struct slice info,
                                  bool slashes)
{
    struct buf decoded = {0};
    bool same = decode_path(&decoded, path, slashes) && is_split(buf_slice(&decoded), script, info);

    buf_fini(&decoded);
    return same;
}

/* What a front tells of the path must be the path, as it is or decoded once. */
static bool front_agrees(const struct request *r, struct slice path)
{
    struct slice script = slice_str(request_get(r, PARAM_SCRIPT_NAME));
    struct slice info = slice_str(request_get(r, PARAM_PATH_INFO));

    return script.n + info.n == 0 || is_split(path, script, info) ||
           is_split_once_decoded(path, script, info, false) ||
           is_split_once_decoded(path, script, info, true);
}

/* REQUEST_URI up to its first `?`, undecoded. */
static enum refusal find_destination(const struct admission *a, const struct request *r,
                                     struct destination *destination)
{
    struct slice path = slice_str(request_get(r, PARAM_URI));

    path.n = strcspn((const char *)path.p, "?");
    enum route_found found = routes_find(a->config.routes, path, destination);
    if (found == ROUTE_UNKNOWN || !front_agrees(r, path))
        return REFUSAL_ROUTE_UNKNOWN;
    return found == ROUTE_FOUND ? REFUSALS : REFUSAL_PATH_INVALID;
}

static bool guard_is_missing(const struct admission *a, const struct request *r)
{
    const char *demanded = request_get(r, PARAM_REQUIRE_GUARD);

    return a->config.gate->guard == NULL && demanded != NULL && strcmp(demanded, "0") != 0;
}

/* There is nothing to renew where nothing is guarded. */
static enum refusal judge_method(const struct admission *a, const struct request *r)
{
    struct slice method = slice_str(request_get(r, PARAM_METHOD));

    if (slice_equal(method, slice_str("GET")) || slice_equal(method, slice_str("HEAD")) ||
        slice_equal(method, slice_str("OPTIONS")))
        return REFUSALS;
    if (!slice_equal(method, slice_str("POST")))
        return REFUSAL_METHOD;
    if (request_is_form(r))
        return a->config.tells_streams ? REFUSALS : REFUSAL_STREAMS_NONE;
    if (!request_is_renewal(r))
        return REFUSAL_TYPE;
    if (a->config.gate->guard == NULL)
        return REFUSAL_METHOD;
    return a->config.gate->renewals == NULL ? REFUSAL_RENEWALS_NONE : REFUSALS;
}

enum refusal admission_judge(const struct admission *a, const struct request *r,
                             const struct cors_request *origin, struct destination *destination)
{
    enum refusal why;

    if (r->repeated)
        return REFUSAL_PARAM_TWICE;
    if (guard_is_missing(a, r))
        return REFUSAL_UNGUARDED;
    why = find_destination(a, r, destination);
    if (why != REFUSALS)
        return why;
    if (!cors_allowed(a->config.cors, origin))
        return REFUSAL_ORIGIN;
    return judge_method(a, r);
}

const char *admission_allowed(const struct admission *a)
{
    return a->config.gate->renewals || a->config.tells_streams
               ? "Allow: GET, HEAD, POST, OPTIONS\r\n"
               : "Allow: GET, HEAD, OPTIONS\r\n";
}

enum refusal admission_credentials(const struct request *r, struct buf *in_header,
                                   struct buf *in_url)
{
    struct slice token = {0};
    enum credential header = credential_from_header(request_get(r, PARAM_AUTHORIZATION), &token);
    enum credential url = credential_from_query(slice_str(request_get(r, PARAM_QUERY)), in_url);

    if (header == CREDENTIAL_BAD || url == CREDENTIAL_BAD)
        return REFUSAL_TOKEN_PLACE;
    buf_add_slice(in_header, token);
    return REFUSALS;
}

static bool lacks_scope(const struct destination *destination, const struct verdict *verdict)
{
    return (destination->route->scopes & ~verdict->scopes) != 0;
}

enum token_error admission_token_error(const struct destination *destination,
                                       const struct verdict *verdict)
{
    if (verdict->error)
        return verdict->error;
    return lacks_scope(destination, verdict) ? TOKEN_SCOPE : TOKEN_OK;
}

enum refusal admission_destination(const struct destination *destination,
                                   const struct verdict *verdict)
{
    if (verdict != NULL && lacks_scope(destination, verdict))
        return REFUSAL_SCOPE_MISSING;
    return destination->topic < 0 ? REFUSAL_TOPIC_UNKNOWN : REFUSALS;
}

/* -- limits -- */

/* Is there room for a stream? */
static enum refusal shortage(const struct admission *a)
{
    if (a->draining)
        return REFUSAL_DRAINING;
    return fanouts_count(a->config.fanouts) < (size_t)a->config.max_streams ? REFUSALS
                                                                            : REFUSAL_FULL;
}

/* Likewise for one of an address of which that is said. */
static enum refusal address_shortage(const struct admission *a, enum limit limit)
{
    enum refusal why = shortage(a);

    if (why != REFUSALS || limit == LIMIT_NONE)
        return why;
    return limit == LIMIT_STREAMS ? REFUSAL_ADDRESS_STREAMS : REFUSAL_ADDRESS_OPENS;
}

enum refusal admission_ask(const struct admission *a, const char *address)
{
    return address_shortage(a, limits_ask(a->addresses, slice_str(address), loop_now_ms()));
}

/* One that was good before needs no check: whoever shares an address with others' bad tokens goes
 * on. */
enum refusal admission_try_token(struct admission *a, const char *address, struct slice token,
                                 bool *counted)
{
    struct visitor *visitor;

    *counted = limits_enter(a->attempts, slice_str(address), loop_now_ms(), &visitor) == LIMIT_NONE;
    limits_leave(visitor);
    return *counted || guard_knows(a->config.gate->guard, token) ? REFUSALS
                                                                 : REFUSAL_ADDRESS_ATTEMPTS;
}

void admission_token_tried(struct admission *a, const char *address, enum token_error error,
                           bool *counted)
{
    if (*counted && (error == TOKEN_OK || error == TOKEN_BUSY))
        limits_give_back(a->attempts, slice_str(address));
    *counted = false;
}

/* A token without a subject is counted by itself. */
static enum refusal enter_by_subject(struct admission *a, struct slice token,
                                     const struct verdict *verdict, struct visitor **visitor)
{
    struct token_hash hash = token_hash(token);
    struct buf name = {0};

    if (verdict->subject != NULL)
        subject_add(&name, verdict->issuer, verdict->subject);
    else
        buf_add(&name, &hash, sizeof hash);
    enum limit limit = limits_enter(a->subjects, buf_slice(&name), loop_now_ms(), visitor);
    buf_fini(&name);
    switch (limit) {
    case LIMIT_STREAMS:
        return REFUSAL_SUBJECT_STREAMS;
    case LIMIT_OPENS:
        return REFUSAL_SUBJECT_OPENS;
    default:
        return REFUSALS;
    }
}

enum refusal admission_enter(struct admission *a, const char *address, struct slice token,
                             const struct verdict *verdict, struct guest *guest)
{
    enum limit limit =
        limits_enter(a->addresses, slice_str(address), loop_now_ms(), &guest->address);
    enum refusal why = address_shortage(a, limit);

    guest->subject = NULL;
    if (why == REFUSALS && verdict != NULL)
        why = enter_by_subject(a, token, verdict, &guest->subject);
    if (why != REFUSALS)
        admission_leave(guest);
    return why;
}

void admission_leave(const struct guest *guest)
{
    limits_leave(guest->address);
    limits_leave(guest->subject);
}

/* -- life -- */

void admission_drain(struct admission *a)
{
    a->draining = true;
}

struct admission *admission_new(const struct admission_config *config)
{
    struct admission *a = mem_zero(sizeof *a);

    a->config = *config;
    a->addresses = limits_new(&config->address);
    a->subjects = limits_new(&config->subject);
    a->attempts = limits_new(&(struct limits_config){.opens = config->max_attempts});
    return a;
}

void admission_free(struct admission *a)
{
    if (a == NULL)
        return;
    limits_free(a->addresses);
    limits_free(a->subjects);
    limits_free(a->attempts);
    free(a);
}

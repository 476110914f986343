#include "front/handler.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "front/answer.h"
#include "front/cors.h"
#include "front/credential.h"
#include "front/lastid.h"
#include "front/reply.h"
#include "front/request.h"
#include "front/standby.h"
#include "front/status.h"
#include "stream/fanout.h"
#include "stream/stream.h"
#include "topic/sse.h"

struct handler {
    struct handler_config config;
    struct fanout *fanout;
    struct replies *replies;
    struct cors *cors;
    struct decoder *decoder;
    struct gate gate;
    struct status *status;
    struct limits *addresses, *subjects;
    struct limits *attempts; /* by address: its openings are refused tokens */
    bool draining;
    size_t exchanges; /* that are under way */
    struct refusals refusals;
    uint64_t renewals[RENEWALS];
};

/* One request until it is answered, which may take some turns if a token must be verified: what is
 * needed then is copied. */
struct exchange {
    struct handler *h;
    int fd; /* -1: given away */
    uint16_t id;
    struct fcgi_input input; /* what has come behind the request: maybe half a record */
    bool head;
    bool wants_stream; /* and gives up for good on anything but one */
    char address_name[LIMITS_NAME];
    struct visitor *address, *subject;
    struct cors_request origin;
    struct buf origin_text, host_text, last_event_id;
    bool resumes;
    struct buf token;    /* what is verified */
    struct buf selector; /* the token in the URL; empty: none */
};

static const char *keep(struct buf *copy, const char *text)
{
    if (text == NULL)
        return NULL;
    buf_add(copy, text, strlen(text) + 1);
    return (const char *)copy->p;
}

static struct exchange *exchange_new(struct handler *h, int fd, uint16_t id,
                                     const struct request *r)
{
    struct exchange *x = mem_zero(sizeof *x);

    h->exchanges++;
    x->h = h;
    x->fd = fd;
    x->id = id;
    x->origin = request_origin(r);
    x->origin.origin = keep(&x->origin_text, x->origin.origin);
    x->origin.host = keep(&x->host_text, x->origin.host);
    limits_address_name(request_get(r, PARAM_REMOTE_ADDR), x->address_name);
    return x;
}

static void exchange_free(struct exchange *x)
{
    x->h->exchanges--;
    if (x->fd >= 0)
        close(x->fd);
    limits_leave(x->h->addresses, x->address);
    limits_leave(x->h->subjects, x->subject);
    buf_fini(&x->origin_text);
    buf_fini(&x->host_text);
    buf_fini(&x->last_event_id);
    buf_fini(&x->token);
    buf_fini(&x->selector);
    free(x);
}

/* Sends a whole response as text, and ends the exchange. */
static void finish_with(struct exchange *x, struct slice text)
{
    struct buf out = {0};
    size_t mark = fcgi_stdout_begin(&out);

    buf_add_slice(&out, text);
    fcgi_stdout_end(&out, mark, x->id);
    fcgi_end_add(&out, x->id, FCGI_STATUS_COMPLETE);
    reply_send(x->h->replies, x->fd, buf_slice(&out));
    x->fd = -1;
    buf_fini(&out);
    exchange_free(x);
}

/* Ends the exchange. */
static void finish(struct exchange *x, struct answer *answer)
{
    struct buf text = {0};

    cors_add_headers(&answer->headers, x->h->cors, &x->origin);
    answer_add_text(&text, answer, !x->head);
    finish_with(x, buf_slice(&text));
    buf_fini(&text);
    buf_fini(&answer->headers);
}

static void refuse(struct exchange *x, enum refusal why, const char *header)
{
    struct answer answer = answer_refusing(why);

    refusals_add(&x->h->refusals, why, NULL);
    if (header != NULL)
        buf_add_str(&answer.headers, header);
    finish(x, &answer);
}

/* Tells the client to come back, in the way that it understands. */
static void turn_away(struct exchange *x, enum refusal why)
{
    struct buf text = {0}, headers = {0};

    refusals_add_come_back(&x->h->refusals, why, loop_now_ms());
    cors_add_headers(&headers, x->h->cors, &x->origin);
    standby_add_come_back(&text, x->wants_stream, why, buf_slice(&headers));
    finish_with(x, buf_slice(&text));
    buf_fini(&headers);
    buf_fini(&text);
}

static const char *allowed_methods(const struct handler *h)
{
    return h->gate.guard ? "Allow: GET, HEAD, POST, OPTIONS\r\n" : "Allow: GET, HEAD, OPTIONS\r\n";
}

static void refuse_method(struct exchange *x)
{
    refuse(x, REFUSAL_METHOD, allowed_methods(x->h));
}

static void refuse_token(struct exchange *x, enum token_error error)
{
    enum refusal why = error == TOKEN_SCOPE      ? REFUSAL_SCOPE_MISSING
                       : error == TOKEN_TOO_LONG ? REFUSAL_TOKEN_TOO_LONG
                                                 : REFUSAL_TOKEN_INVALID;
    struct answer answer = answer_refusing(why);

    if (error == TOKEN_BUSY) {
        turn_away(x, REFUSAL_TOKENS_WAIT);
        return;
    }
    answer.detail = token_error_text(error);
    refusals_add(&x->h->refusals, why, answer.detail);
    buf_printf(&answer.headers,
               "WWW-Authenticate: Bearer error=\"%s\", error_description=\"%s\"\r\n",
               error == TOKEN_SCOPE ? "insufficient_scope" : "invalid_token", answer.detail);
    finish(x, &answer);
}

/* A request without a token is told no more than the scheme (RFC 6750, 3.1). */
static void refuse_without_token(struct exchange *x)
{
    refuse(x, REFUSAL_TOKEN_MISSING, "WWW-Authenticate: Bearer\r\n");
}

/* REQUEST_URI up to its first `?`, undecoded; what the front made of it must not differ. */
static bool path_is_ours(const struct handler *h, const struct request *r)
{
    struct slice path = slice_str(h->config.path), uri = slice_str(request_get(r, PARAM_URI));
    struct slice script = slice_str(request_get(r, PARAM_SCRIPT_NAME));
    struct slice info = slice_str(request_get(r, PARAM_PATH_INFO));

    if (uri.p == NULL)
        return false;
    uri.n = strcspn((const char *)uri.p, "?");
    if (!slice_equal(uri, path))
        return false;
    if (script.n + info.n == 0)
        return true;
    return script.n <= path.n && slice_equal(script, slice_of(path.p, script.n)) &&
           slice_equal(info, slice_of(path.p + script.n, path.n - script.n));
}

/* -- streams -- */

static void add_head(struct buf *out, const struct exchange *x)
{
    struct buf headers = {0};

    cors_add_headers(&headers, x->h->cors, &x->origin);
    if (x->h->gate.guard != NULL)
        buf_add_str(&headers, "Referrer-Policy: no-referrer\r\n");
    answer_add_stream_head(out, buf_slice(&headers));
    buf_fini(&headers);
}

static void answer_head(struct exchange *x)
{
    struct buf text = {0};

    add_head(&text, x);
    finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

/* What is given back when a stream ends; each may be NULL. */
struct guest {
    struct handler *h;
    struct session *session;
    struct visitor *address, *subject;
};

static struct guest *guest_new(struct exchange *x, struct session *session)
{
    struct guest *g = mem_zero(sizeof *g);

    *g = (struct guest){x->h, session, x->address, x->subject};
    x->address = x->subject = NULL;
    return g;
}

static void on_stream_end(void *arg)
{
    struct guest *g = arg;

    if (g->session != NULL)
        session_close(g->session);
    limits_leave(g->h->addresses, g->address);
    limits_leave(g->h->subjects, g->subject);
    free(g);
}

static void open_stream(struct exchange *x, struct session *session)
{
    bool owned = session != NULL || x->address != NULL || x->subject != NULL;
    struct stream_owner owner = {on_stream_end, owned ? guest_new(x, session) : NULL};
    struct slice id = x->resumes ? buf_slice(&x->last_event_id) : slice_of(NULL, 0);
    struct buf head = {0};
    size_t mark = fcgi_stdout_begin(&head);

    add_head(&head, x);
    sse_add_retry(&head, x->h->config.retry_ms);
    buf_add_str(&head, ":\n"); /* no blank line: half of the clients make an event of one */
    fcgi_stdout_end(&head, mark, 1);
    struct stream *s =
        fanout_open(x->h->fanout, x->fd, x->id, buf_slice(&head), id, owned ? &owner : NULL);
    x->fd = -1;
    if (s != NULL)
        stream_set_input(s, &x->input);
    if (session != NULL && s != NULL)
        session_attach(session, s);
    buf_fini(&head);
    exchange_free(x);
}

/* Is there room for a stream?  REFUSALS: yes. */
static enum refusal shortage(const struct handler *h)
{
    if (h->draining)
        return REFUSAL_DRAINING;
    return fanout_count(h->fanout) < (size_t)h->config.max_streams ? REFUSALS : REFUSAL_FULL;
}

/* Likewise for one of that address. */
static enum refusal address_shortage(const struct exchange *x, enum limit limit)
{
    enum refusal why = shortage(x->h);

    if (why != REFUSALS || limit == LIMIT_NONE)
        return why;
    return limit == LIMIT_STREAMS ? REFUSAL_ADDRESS_STREAMS : REFUSAL_ADDRESS_OPENS;
}

/* False, and the exchange is over, if there is a reason. */
static bool goes_on(struct exchange *x, enum refusal why)
{
    if (why == REFUSALS)
        return true;
    turn_away(x, why);
    return false;
}

/* Before its token is looked at, which costs more: counts nothing. */
static bool may_enter(struct exchange *x)
{
    struct slice name = slice_str(x->address_name);

    return goes_on(x, address_shortage(x, limits_ask(x->h->addresses, name, loop_now_ms())));
}

static bool enter_by_address(struct exchange *x)
{
    struct slice name = slice_str(x->address_name);
    enum limit limit = limits_enter(x->h->addresses, name, loop_now_ms(), &x->address);

    return goes_on(x, address_shortage(x, limit));
}

/* A token without a subject is counted by itself. */
static bool enter_by_subject(struct exchange *x, const struct verdict *verdict)
{
    struct token_hash hash = token_hash(buf_slice(&x->token));
    struct slice name = verdict->sub ? slice_str(verdict->sub) : slice_of(&hash, sizeof hash);

    switch (limits_enter(x->h->subjects, name, loop_now_ms(), &x->subject)) {
    case LIMIT_STREAMS:
        return goes_on(x, REFUSAL_SUBJECT_STREAMS);
    case LIMIT_OPENS:
        return goes_on(x, REFUSAL_SUBJECT_OPENS);
    default:
        return true;
    }
}

/* -- tokens -- */

/* Before its signature is checked, a token counts as one that is refused.  One that was good before
 * needs no check: whoever shares an address with others' bad tokens goes on. */
static bool begin_attempt(struct exchange *x)
{
    struct slice name = slice_str(x->address_name);
    struct visitor *visitor;
    enum limit limit = limits_enter(x->h->attempts, name, loop_now_ms(), &visitor);
    bool free = limit == LIMIT_NONE || guard_knows(x->h->gate.guard, buf_slice(&x->token));

    limits_leave(x->h->attempts, visitor);
    return goes_on(x, free ? REFUSALS : REFUSAL_ADDRESS_ATTEMPTS);
}

static void end_attempt(struct exchange *x, enum token_error error)
{
    if (error == TOKEN_OK || error == TOKEN_BUSY)
        limits_give_back(x->h->attempts, slice_str(x->address_name));
}

static void serve_stream(struct exchange *x, const struct verdict *verdict)
{
    struct sessions *sessions = x->h->gate.sessions;
    struct session *session = NULL;

    if (x->head) {
        answer_head(x);
        return;
    }
    if (!enter_by_address(x) || (verdict != NULL && !enter_by_subject(x, verdict)))
        return;
    if (sessions != NULL) {
        struct token_hash in_url = token_hash(buf_slice(&x->selector));
        session = session_open(sessions, verdict, x->selector.n > 0 ? &in_url : NULL);
    }
    open_stream(x, session);
}

static void on_stream_verdict(void *arg, const struct verdict *verdict)
{
    struct exchange *x = arg;

    end_attempt(x, verdict->error);
    if (verdict->error)
        refuse_token(x, verdict->error);
    else
        serve_stream(x, verdict);
}

/* Reads both places; false if one of them is malformed, and then the exchange is over. */
static bool read_credentials(struct exchange *x, const struct request *r)
{
    struct slice token = {0};
    enum credential header = credential_from_header(request_get(r, PARAM_AUTHORIZATION), &token);
    enum credential url =
        credential_from_query(slice_str(request_get(r, PARAM_QUERY)), &x->selector);

    if (header == CREDENTIAL_BAD || url == CREDENTIAL_BAD) {
        refuse(x, REFUSAL_TOKEN_PLACE, NULL);
        return false;
    }
    buf_add_slice(&x->token, token);
    return true;
}

static void get_stream(struct exchange *x, const struct request *r)
{
    x->resumes = lastid_find(request_get(r, PARAM_LAST_EVENT_ID),
                             slice_str(request_get(r, PARAM_QUERY)), &x->last_event_id);
    x->wants_stream = !x->head && standby_wants_stream(r);
    if (!x->head && !may_enter(x))
        return;
    if (x->h->gate.guard == NULL) {
        serve_stream(x, NULL);
        return;
    }
    if (!read_credentials(x, r))
        return;
    if (x->token.n == 0) /* the first place that carries one decides */
        buf_add_slice(&x->token, buf_slice(&x->selector));
    if (x->token.n == 0)
        refuse_without_token(x);
    else if (begin_attempt(x))
        guard_check(x->h->gate.guard, buf_slice(&x->token), on_stream_verdict, x);
}

/* -- renewals -- */

static void on_renewal(void *arg, enum renewal_outcome outcome, enum token_error error)
{
    struct exchange *x = arg;
    struct answer answer = {.status = 204};

    x->h->renewals[outcome]++;
    end_attempt(x, error);
    if (error)
        refuse_token(x, error);
    else if (outcome == RENEWAL_FORBIDDEN)
        refuse(x, REFUSAL_SUBJECT_DIFFERS, NULL);
    else if (outcome == RENEWAL_LIMITED)
        refuse(x, REFUSAL_RENEWALS_RATE, "Retry-After: 1\r\n");
    else if (outcome == RENEWAL_PEER)
        refuse(x, REFUSAL_PEER_AWAY, "Retry-After: 1\r\n");
    else
        finish(x, &answer);
}

static void post(struct exchange *x, const struct request *r)
{
    struct handler *h = x->h;

    if (!request_is_renewal(r)) {
        refuse(x, REFUSAL_TYPE, NULL);
        return;
    }
    if (h->gate.guard == NULL) {
        refuse_method(x); /* nothing to renew where nothing is guarded */
        return;
    }
    if (h->gate.renewals == NULL) {
        refuse(x, REFUSAL_RENEWALS_NONE, "Allow: GET, HEAD, OPTIONS\r\n");
        return;
    }
    if (!read_credentials(x, r)) {
        h->renewals[RENEWAL_TOKEN]++;
        return;
    }
    if (x->token.n == 0) { /* only the header's counts here */
        h->renewals[RENEWAL_TOKEN]++;
        refuse_without_token(x);
        return;
    }
    if (!begin_attempt(x)) {
        h->renewals[RENEWAL_LIMITED]++;
        return;
    }
    renewals_take(h->gate.renewals, buf_slice(&x->token), buf_slice(&x->selector), on_renewal, x);
}

/* -- requests -- */

static void options(struct exchange *x, const struct request *r)
{
    struct answer answer = {.status = 204};

    if (request_is_preflight(r))
        cors_add_preflight(&answer.headers);
    else
        buf_add_str(&answer.headers, allowed_methods(x->h));
    finish(x, &answer);
}

static void stand_by(struct exchange *x, const struct request *r)
{
    struct buf text = {0};

    standby_answer(&text, r, x->h->cors);
    finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

/* Only the front's configuration can set that parameter. */
static bool is_admin(const struct handler *h, const struct request *r)
{
    const char *admin = request_get(r, PARAM_ADMIN);

    return h->status != NULL && admin != NULL && strcmp(admin, "1") == 0;
}

static void tell_status(struct exchange *x, const struct request *r, const char *method)
{
    struct slice path = slice_str(request_get(r, PARAM_URI));
    struct buf text = {0};

    if (!x->head && strcmp(method, "GET") != 0) {
        refuse(x, REFUSAL_METHOD, "Allow: GET, HEAD\r\n");
        return;
    }
    if (path.p != NULL)
        path.n = strcspn((const char *)path.p, "?");
    status_answer(x->h->status, path, slice_str(request_get(r, PARAM_QUERY)), !x->head, &text);
    finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

static bool guard_is_missing(const struct handler *h, const struct request *r)
{
    const char *demanded = request_get(r, PARAM_REQUIRE_GUARD);

    return h->gate.guard == NULL && demanded != NULL && strcmp(demanded, "0") != 0;
}

static void dispatch(struct exchange *x, const struct request *r)
{
    const char *method = request_get(r, PARAM_METHOD) ? request_get(r, PARAM_METHOD) : "";

    x->head = strcmp(method, "HEAD") == 0;
    if (x->h->fanout == NULL)
        stand_by(x, r);
    else if (r->repeated)
        refuse(x, REFUSAL_PARAM_TWICE, NULL);
    else if (is_admin(x->h, r))
        tell_status(x, r, method);
    else if (guard_is_missing(x->h, r))
        refuse(x, REFUSAL_UNGUARDED, NULL);
    else if (!path_is_ours(x->h, r))
        refuse(x, REFUSAL_ROUTE_UNKNOWN, NULL);
    else if (!cors_allowed(x->h->cors, &x->origin))
        refuse(x, REFUSAL_ORIGIN, NULL);
    else if (x->head || strcmp(method, "GET") == 0)
        get_stream(x, r);
    else if (strcmp(method, "POST") == 0)
        post(x, r);
    else if (strcmp(method, "OPTIONS") == 0)
        options(x, r);
    else
        refuse_method(x);
}

static void send_records(struct handler *h, int fd, struct buf *records)
{
    reply_send(h->replies, fd, buf_slice(records));
    buf_fini(records);
}

/* To a request of which no more is known than its id. */
static void refuse_unread(struct handler *h, enum refusal why, uint16_t id, struct buf *out)
{
    struct cors_request unknown = {0};
    struct answer answer = answer_refusing(why);

    refusals_add(&h->refusals, why, NULL);
    cors_add_headers(&answer.headers, h->cors, &unknown);
    if (answer.status == 503)
        buf_add_str(&answer.headers, "Retry-After: 10\r\n");
    answer_add(out, id, &answer, true);
    buf_fini(&answer.headers);
}

static void on_request(void *arg, int fd, const struct fcgi_request *request, struct slice bytes)
{
    struct handler *h = arg;
    struct fcgi_input input = {0};
    struct buf out = {0};
    struct request r;

    if (request_decode(h->decoder, bytes.p, request->length, &r) < 0) {
        refuse_unread(h, REFUSAL_NOT_DECODED, request->id, &out);
        send_records(h, fd, &out);
    } else if (fcgi_input_ends(&input, bytes.p + request->length, bytes.n - request->length)) {
        fcgi_end_add(&out, request->id, FCGI_STATUS_COMPLETE);
        send_records(h, fd, &out);
    } else {
        struct exchange *x = exchange_new(h, fd, request->id, &r);
        x->input = input;
        dispatch(x, &r);
    }
}

static void on_refusal(void *arg, enum fcgi_state state, uint16_t id, struct buf *out)
{
    enum refusal why = state == FCGI_INCOMPLETE    ? REFUSAL_REQUESTS_WAIT
                       : state == FCGI_LARGE_STDIN ? REFUSAL_LARGE_BODY
                                                   : REFUSAL_LARGE_HEAD;

    if (state == FCGI_BAD_ROLE)
        fcgi_end_add(out, id, FCGI_STATUS_UNKNOWN_ROLE);
    else
        refuse_unread(arg, why, id, out);
}

/* -- life -- */

struct handler *handler_new(struct loop *loop, const struct handler_config *config,
                            struct fanout *fanout)
{
    struct handler *h = mem_zero(sizeof *h);

    h->config = *config;
    h->fanout = fanout;
    h->replies = replies_new(loop);
    refusals_init(&h->refusals, loop);
    h->cors = cors_new(config->cors);
    h->addresses = limits_new(&config->address);
    h->subjects = limits_new(&config->subject);
    h->attempts = limits_new(&(struct limits_config){.opens = config->max_attempts});
    h->decoder = decoder_new();
    if (h->cors == NULL || h->decoder == NULL) {
        handler_free(h);
        return NULL;
    }
    return h;
}

void handler_free(struct handler *h)
{
    if (h == NULL)
        return;
    replies_free(h->replies);
    refusals_fini(&h->refusals);
    cors_free(h->cors);
    limits_free(h->addresses);
    limits_free(h->subjects);
    limits_free(h->attempts);
    decoder_free(h->decoder);
    free(h);
}

void handler_set_gate(struct handler *h, const struct gate *gate)
{
    h->gate = *gate;
}

void handler_set_status(struct handler *h, struct status *status)
{
    h->status = status;
}

void handler_drain(struct handler *h)
{
    h->draining = true;
}

const uint64_t *handler_refusals(const struct handler *h)
{
    return h->refusals.count;
}

const uint64_t *handler_renewals(const struct handler *h)
{
    return h->renewals;
}

size_t handler_waiting(const struct handler *h)
{
    return h->exchanges + replies_count(h->replies);
}

static size_t held(void *arg)
{
    return handler_waiting(arg);
}

struct inlet_handler handler_inlet(struct handler *h)
{
    return (struct inlet_handler){.arg = h,
                                  .on_request = on_request,
                                  .on_refusal = on_refusal,
                                  .held = held,
                                  .max_held = (size_t)h->config.max_waiting};
}

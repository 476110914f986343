#include <stdlib.h>

#include "base/mem.h"
#include "front/condition.h"
#include "front/handler_inside.h"
#include "front/lastid.h"
#include "front/standby.h"
#include "front/status.h"
#include "front/stay.h"
#include "front/subscriptions.h"
#include "guard/rate.h"
#include "stream/fanouts.h"
#include "stream/stream.h"
#include "topic/sse.h"

/* -- streams -- */

static void add_head(struct buf *out, const struct exchange *x)
{
    struct buf headers = {0};

    cors_add_headers(&headers, x->handler->cors, &x->origin);
    if (x->handler->gate.guard != NULL)
        buf_add_str(&headers, "Referrer-Policy: no-referrer\r\n");
    answer_add_stream_head(out, x->format == FORMAT_SSE ? ANSWER_EVENT_STREAM : ANSWER_NDJSON,
                           buf_slice(&headers));
    buf_fini(&headers);
}

static void answer_head(struct exchange *x)
{
    struct buf text = {0};

    add_head(&text, x);
    exchange_finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

/* What a stream sends first; a finite one has to wait for that. */
static void add_first_bytes(struct buf *out, const struct exchange *x)
{
    if (x->format == FORMAT_JSON)
        return;
    size_t mark = fcgi_stdout_begin(out);
    add_head(out, x);
    if (x->format == FORMAT_SSE)
        sse_add_retry(out, x->handler->config.retry_ms);
    /* No blank line behind the comment: half of the client libraries make an event of one. */
    buf_add_str(out, x->format == FORMAT_SSE ? ":\n" : "\n");
    fcgi_stdout_end(out, mark, 1);
}

static struct stay *open_stay(struct exchange *x, struct session *session,
                              const struct guest *guest, struct selection *selection)
{
    struct handler *h = x->handler;
    size_t route = (size_t)(x->destination.route - routes_at(h->config.routes, 0));
    struct stay_config stay = {
        .admission = h->admission,
        .guest = *guest,
        .session = session,
        .streams = &h->streams[route],
        .snapshot = x->format == FORMAT_JSON ? snapshot_new(x, h->gate.guard != NULL) : NULL,
        .destination = &x->destination,
        .narrowing = &x->narrowing,
        .selection = selection,
        .handles = handler_has_handle(x) ? h->handles : NULL,
        .key = x->key,
        .resumes = x->resumes,
        .route = x->route,
    };

    return stay_new(&stay);
}

/* What a finite response is to be, of a client that may have something already. */
static struct finite_opening finite(struct exchange *x, const struct selection *selection)
{
    struct slice unless =
        condition_place((const char *)x->if_none_match.p, selection_tag(selection));

    x->waits = x->resumes || unless.p != NULL;
    return (struct finite_opening){.unless = unless,
                                   .wait_ms = x->waits ? x->wait_s * 1000 : 0,
                                   .head_only = x->head,
                                   .on_outcome = stay_on_outcome};
}

static void open_stream(struct exchange *x, struct session *session, const struct guest *guest,
                        struct selection *selection)
{
    struct fanout *fanout = x->handler->fanouts->at[x->destination.topic];
    const struct finite_opening ends = finite(x, selection);
    const struct route *route = x->destination.route;
    struct stay *stay = open_stay(x, session, guest, selection);
    const struct stream_owner owner = stay_owner(stay);
    struct buf head = {0};

    add_first_bytes(&head, x);
    const struct opening opening = {
        .head = buf_slice(&head),
        .last_event_id = x->resumes ? buf_slice(&x->last_event_id) : slice_of(NULL, 0),
        .selection = selection,
        .from = x->narrowing.has_from ? x->narrowing.from : route->from,
        .framing = x->format == FORMAT_NDJSON ? FRAMING_NDJSON : FRAMING_SSE,
        .enveloped = x->narrowing.has_data ? x->narrowing.enveloped : route->enveloped,
        .naming = route->naming,
        .keepalive_events = x->narrowing.keepalive_events,
        .tells_place = handler_has_handle(x),
        .finite = x->format == FORMAT_JSON ? &ends : NULL,
        .connection = x->connection,
        .owner = &owner,
    };
    struct stream *stream = fanout_open(fanout, x->fd, x->id, &opening);
    if (stream != NULL) {
        stream_set_input(stream, &x->input);
        stay_attach(stay, stream);
        if (handler_has_handle(x))
            handler_opened(x);
    }
    buf_fini(&head);
    exchange_free(x);
}

static struct session *open_session(const struct exchange *x, const struct verdict *verdict)
{
    struct sessions *sessions = x->handler->gate.sessions;

    if (sessions == NULL)
        return NULL;
    struct token_hash in_url = token_hash(buf_slice(&x->selector));
    struct session *session = session_open(sessions, verdict, x->destination.route->scopes,
                                           x->selector.n > 0 ? &in_url : NULL);
    if (verdict != NULL && handler_has_handle(x))
        session_name(session, verdict, &x->key);
    return session;
}

static void enter(struct exchange *x, const struct verdict *verdict, struct selection *selection)
{
    struct guest guest;
    enum refusal why =
        admission_enter(x->handler->admission, x->address, buf_slice(&x->token), verdict, &guest);

    if (why == REFUSALS)
        open_stream(x, open_session(x, verdict), &guest, selection);
    else
        exchange_turn_away(x, why);
}

static void serve_stream(struct exchange *x, const struct verdict *verdict)
{
    enum refusal why = admission_destination(&x->destination, verdict);
    struct selection *selection = NULL;

    if (why == REFUSALS && handler_asks_peers(x, verdict))
        return;
    if (why == REFUSALS)
        why = handler_take_handle(x, verdict);
    if (why == REFUSALS)
        why = narrowing_select(&x->narrowing, &x->destination, verdict ? verdict->claims : NULL,
                               &x->route, &selection, &x->lacks);
    if (why == REFUSAL_CLAIM_MISSING)
        exchange_refuse_claim(x, routes_claim(x->handler->config.routes)[x->lacks]);
    else if (why != REFUSALS)
        exchange_refuse(x, why, NULL);
    else if (x->head && x->format != FORMAT_JSON)
        answer_head(x);
    else
        enter(x, verdict, selection);
    selection_unref(selection);
}

static void on_stream_verdict(void *arg, const struct verdict *verdict)
{
    struct exchange *x = arg;
    enum token_error error = admission_token_error(&x->destination, verdict);

    if (!x->asked) /* else it was counted before */
        admission_token_tried(x->handler->admission, x->address, error);
    if (error)
        exchange_refuse_token(x, error);
    else if (x->tells)
        handler_subscribe(x, verdict);
    else
        serve_stream(x, verdict);
}

/* What the verdict said was borrowed; the token is known by now. */
void handler_serve_again(struct exchange *x)
{
    if (x->handler->gate.guard != NULL)
        guard_check(x->handler->gate.guard, buf_slice(&x->token), on_stream_verdict, x);
    else
        serve_stream(x, NULL);
}

static void check_stream(struct exchange *x, const struct request *r)
{
    struct handler *h = x->handler;
    enum refusal why = admission_credentials(r, &x->token, &x->selector);

    if (why != REFUSALS) {
        exchange_refuse(x, why, NULL);
        return;
    }
    if (x->token.n == 0) /* the first place that carries one decides */
        buf_add_slice(&x->token, buf_slice(&x->selector));
    if (x->token.n == 0) {
        handler_refuse_without_token(x);
        return;
    }
    why = admission_try_token(h->admission, x->address, buf_slice(&x->token));
    if (why == REFUSALS)
        guard_check(h->gate.guard, buf_slice(&x->token), on_stream_verdict, x);
    else
        exchange_turn_away(x, why);
}

static void post_form(struct exchange *x, const struct request *r)
{
    handler_read_handle(x, r);
    if (!handler_read_form(x))
        return;
    if (x->handler->gate.guard != NULL)
        check_stream(x, r);
    else
        handler_subscribe(x, NULL);
}

static void take_conditions(struct exchange *x, const struct request *r)
{
    const char *tags = request_get(r, PARAM_IF_NONE_MATCH);

    if (tags != NULL)
        buf_add(&x->if_none_match, tags, strlen(tags) + 1);
    x->wait_s = condition_wait_s(request_get(r, PARAM_PREFER));
}

static void get_stream(struct exchange *x, const struct request *r)
{
    enum refusal why;

    x->resumes_by_header = request_get(r, PARAM_LAST_EVENT_ID) != NULL;
    x->resumes = lastid_find(request_get(r, PARAM_LAST_EVENT_ID),
                             slice_str(request_get(r, PARAM_QUERY)), &x->last_event_id);
    narrowing_read(&x->narrowing, slice_str(request_get(r, PARAM_QUERY)), x->resumes);
    handler_read_handle(x, r);
    x->format = x->narrowing.has_format ? x->narrowing.format
                                        : format_accepted(request_get(r, PARAM_ACCEPT));
    x->wants_stream = !x->head && x->format == FORMAT_SSE && standby_wants_stream(r);
    if (x->format == FORMAT_JSON)
        take_conditions(x, r);
    why = x->head && x->format != FORMAT_JSON ? REFUSALS
                                              : admission_ask(x->handler->admission, x->address);
    if (why != REFUSALS)
        exchange_turn_away(x, why);
    else if (x->handler->gate.guard != NULL)
        check_stream(x, r);
    else
        serve_stream(x, NULL);
}

/* -- other requests -- */

static void options(struct exchange *x, const struct request *r)
{
    struct answer answer = {.status = 204};

    if (request_is_preflight(r))
        cors_add_preflight(&answer.headers);
    else
        buf_add_str(&answer.headers, admission_allowed(x->handler->admission));
    exchange_finish(x, &answer);
}

static void stand_by(struct exchange *x, const struct request *r)
{
    struct buf text = {0};

    standby_answer(&text, r, x->handler->cors, x->handler->config.stands_in);
    exchange_finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

/* Only the front's configuration can set that parameter. */
static bool is_admin(const struct handler *h, const struct request *r)
{
    const char *admin = request_get(r, PARAM_ADMIN);

    return h->status != NULL && !r->repeated && admin != NULL && strcmp(admin, "1") == 0;
}

static void tell_status(struct exchange *x, const struct request *r, const char *method)
{
    struct slice path = slice_str(request_get(r, PARAM_URI));
    struct buf text = {0};

    if (!x->head && strcmp(method, "GET") != 0) {
        exchange_refuse(x, REFUSAL_METHOD, "Allow: GET, HEAD\r\n");
        return;
    }
    if (path.p != NULL)
        path.n = strcspn((const char *)path.p, "?");
    status_answer(x->handler->status, path, slice_str(request_get(r, PARAM_QUERY)), !x->head,
                  &text);
    exchange_finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

static void serve(struct exchange *x, const struct request *r, const char *method)
{
    enum refusal why = admission_judge(x->handler->admission, r, &x->origin, &x->destination);

    if (why == REFUSAL_METHOD || why == REFUSAL_RENEWALS_NONE)
        exchange_refuse(x, why, admission_allowed(x->handler->admission));
    else if (why != REFUSALS)
        exchange_refuse(x, why, NULL);
    else if (strcmp(method, "POST") == 0 && request_is_form(r))
        post_form(x, r);
    else if (strcmp(method, "POST") == 0)
        handler_renew(x, r);
    else if (strcmp(method, "OPTIONS") == 0)
        options(x, r);
    else
        get_stream(x, r);
}

static void dispatch(struct exchange *x, const struct request *r)
{
    const char *method = request_get(r, PARAM_METHOD) ? request_get(r, PARAM_METHOD) : "";

    x->head = strcmp(method, "HEAD") == 0;
    if (x->handler->fanouts == NULL)
        stand_by(x, r);
    else if (is_admin(x->handler, r))
        tell_status(x, r, method);
    else
        serve(x, r, method);
}

/* -- what the inlet hands over -- */

static void on_request(void *arg, int fd, const struct fcgi_request *request, struct slice bytes)
{
    struct handler *h = arg;
    struct fcgi_input input = {0};
    struct buf out = {0};
    struct request r;

    if (request_decode(h->decoder, bytes.p, request->length, &r) < 0) {
        exchanges_refuse_unread(h->exchanges, REFUSAL_NOT_DECODED, request->id,
                                fcgi_request_is_head(bytes.p, bytes.n), &out);
        exchanges_send(h->exchanges, fd, buf_slice(&out));
    } else if (fcgi_input_ends(&input, bytes.p + request->length, bytes.n - request->length)) {
        fcgi_end_add(&out, request->id, FCGI_STATUS_COMPLETE);
        exchanges_send(h->exchanges, fd, buf_slice(&out));
    } else {
        struct exchange *x = exchange_new(h->exchanges, fd, request->id, &r);
        x->handler = h;
        x->input = input;
        dispatch(x, &r);
    }
    buf_fini(&out);
}

static void on_refusal(void *arg, enum fcgi_state state, uint16_t id, bool is_head, struct buf *out)
{
    struct handler *h = arg;
    enum refusal why = state == FCGI_INCOMPLETE    ? REFUSAL_REQUESTS_WAIT
                       : state == FCGI_LARGE_STDIN ? REFUSAL_LARGE_BODY
                       : state == FCGI_NUL         ? REFUSAL_REQUEST_INVALID
                                                   : REFUSAL_LARGE_HEAD;

    if (state == FCGI_BAD_ROLE)
        fcgi_end_add(out, id, FCGI_STATUS_UNKNOWN_ROLE);
    else
        exchanges_refuse_unread(h->exchanges, why, id, is_head, out);
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

/* -- life -- */

struct handler *handler_new(struct loop *loop, const struct handler_config *config,
                            struct fanouts *fanouts)
{
    struct handler *h = mem_zero(sizeof *h);

    h->config = *config;
    h->fanouts = fanouts;
    h->streams = mem_zero(routes_count(config->routes) * sizeof *h->streams);
    h->cors = cors_new(config->cors);
    h->decoder = decoder_new();
    h->exchanges = exchanges_new(loop, h->cors);
    h->admission =
        admission_new(&(struct admission_config){.routes = config->routes,
                                                 .cors = h->cors,
                                                 .fanouts = fanouts,
                                                 .gate = &h->gate,
                                                 .max_streams = config->max_streams,
                                                 .address = config->address,
                                                 .subject = config->subject,
                                                 .max_attempts = config->max_attempts,
                                                 .tells_streams = config->max_handles > 0});
    h->handles = handles_new((size_t)config->max_handles);
    h->rates = rates_new();
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
    handler_leave(h);
    exchanges_free(h->exchanges);
    admission_free(h->admission);
    handles_free(h->handles);
    rates_free(h->rates);
    decoder_free(h->decoder);
    cors_free(h->cors);
    free(h->streams);
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
    if (h->subscriptions != NULL)
        subscriptions_pass_on(h->subscriptions);
    admission_drain(h->admission);
}

size_t handler_waiting(const struct handler *h)
{
    return exchanges_waiting(h->exchanges);
}

const size_t *handler_streams(const struct handler *h)
{
    return h->streams;
}

const uint64_t *handler_refusals(const struct handler *h)
{
    return exchanges_refused(h->exchanges);
}

const uint64_t *handler_renewals(const struct handler *h)
{
    return h->renewals;
}

#include <stdlib.h>

#include "base/mem.h"
#include "front/handler_inside.h"
#include "front/standby.h"
#include "front/status.h"
#include "front/subscriptions.h"
#include "guard/rate.h"

/* -- what is answered at once -- */

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
    path.n = strcspn((const char *)path.p, "?");
    status_answer(x->handler->status, path, slice_str(request_get(r, PARAM_QUERY)), !x->head,
                  &text);
    exchange_finish_with(x, buf_slice(&text));
    buf_fini(&text);
}

static void serve(struct exchange *x, const struct request *r, const char *method)
{
    enum refusal why = admission_judge(x->handler->admission, r, &x->origin, &x->destination);

    bool has_allow = why != REFUSALS && refusal_row(why)->status == 405; /* RFC 9110, 15.5.6 */
    if (why != REFUSALS)
        exchange_refuse(x, why, has_allow ? admission_allowed(x->handler->admission) : NULL);
    else if (strcmp(method, "POST") == 0 && request_is_form(r))
        handler_post_form(x, r);
    else if (strcmp(method, "POST") == 0)
        handler_renew(x, r);
    else if (strcmp(method, "OPTIONS") == 0)
        options(x, r);
    else
        handler_get(x, r);
}

static void dispatch(struct exchange *x, const struct request *r)
{
    const char *method = request_get(r, PARAM_METHOD) ? request_get(r, PARAM_METHOD) : "";

    x->head = strcmp(method, "HEAD") == 0;
    if (x->handler->fanouts == NULL)
        stand_by(x, r);
    else if (request_get(r, PARAM_METHOD) == NULL || request_get(r, PARAM_URI) == NULL)
        exchange_refuse(x, REFUSAL_PARAMS_MISSING, NULL);
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

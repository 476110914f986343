#include "front/condition.h"
#include "front/handler_inside.h"
#include "front/lastid.h"
#include "front/snapshot.h"
#include "front/standby.h"
#include "front/stay.h"
#include "stream/fanouts.h"
#include "stream/stream.h"
#include "topic/sse.h"

static void add_head(struct buf *out, const struct exchange *x)
{
    struct buf headers = {0};

    exchange_add_cors(x, &headers);
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
        .guest = *guest,
        .session = session,
        .streams = &h->streams[route],
        .snapshot =
            x->format == FORMAT_JSON ? snapshot_new(x, h->gate.guard != NULL, session) : NULL,
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
        .owner = stay_owner(stay),
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

    admission_token_tried(x->handler->admission, x->address, error, &x->counted);
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
    why = admission_try_token(h->admission, x->address, buf_slice(&x->token), &x->counted);
    if (why == REFUSALS)
        guard_check(h->gate.guard, buf_slice(&x->token), on_stream_verdict, x);
    else
        exchange_turn_away(x, why);
}

void handler_post_form(struct exchange *x, const struct request *r)
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

void handler_get(struct exchange *x, const struct request *r)
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

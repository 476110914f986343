#include "front/handler_inside.h"

void handler_refuse_without_token(struct exchange *x)
{
    exchange_refuse(x, REFUSAL_TOKEN_MISSING, "WWW-Authenticate: Bearer\r\n");
}

static void on_renewal(void *arg, enum renewal_outcome outcome, enum token_error error)
{
    struct exchange *x = arg;
    struct answer answer = {.status = 204};

    x->handler->renewals[outcome]++;
    admission_token_tried(x->handler->admission, x->address, error, &x->counted);
    if (error)
        exchange_refuse_token(x, error);
    else if (outcome == RENEWAL_FORBIDDEN && x->handle_bad)
        exchange_refuse(x, REFUSAL_STREAM_INVALID, NULL);
    else if (outcome == RENEWAL_FORBIDDEN && x->lacks >= 0)
        exchange_refuse_claim(x, routes_claim(x->handler->config.routes)[x->lacks]);
    else if (outcome == RENEWAL_FORBIDDEN)
        exchange_refuse(x, REFUSAL_SUBJECT_DIFFERS, NULL);
    else if (outcome == RENEWAL_LIMITED)
        exchange_refuse(x, REFUSAL_RENEWALS_RATE, "Retry-After: 1\r\n");
    else if (outcome == RENEWAL_PEER)
        exchange_refuse(x, REFUSAL_PEER_AWAY, "Retry-After: 1\r\n");
    else
        exchange_finish(x, &answer);
}

/* The verdict on a token at a path whose topic is not served. */
static void on_renewal_astray(void *arg, const struct verdict *verdict)
{
    struct exchange *x = arg;
    enum token_error error = admission_token_error(&x->destination, verdict);

    x->handler->renewals[error ? renewals_outcome(error) : RENEWAL_FORBIDDEN]++;
    admission_token_tried(x->handler->admission, x->address, error, &x->counted);
    if (error)
        exchange_refuse_token(x, error);
    else
        exchange_refuse(x, REFUSAL_TOPIC_UNKNOWN, NULL);
}

/* Could it open a stream there? */
static bool opens(void *arg, const struct verdict *verdict)
{
    struct exchange *x = arg;
    struct selection *route;
    int lacks;

    if (x->handle_bad)
        return false;
    enum refusal why = narrowing_route(&x->destination, verdict->claims, &route, &lacks);
    selection_unref(route);
    if (why == REFUSAL_CLAIM_MISSING)
        x->lacks = lacks;
    return why != REFUSAL_CLAIM_MISSING;
}

static bool names(void *arg, const struct verdict *verdict, struct token_hash *handle)
{
    struct exchange *x = arg;

    if (!handler_has_handle(x))
        return false;
    handler_set_key(x, verdict);
    *handle = x->key;
    return true;
}

void handler_renew(struct exchange *x, const struct request *r)
{
    struct handler *h = x->handler;
    enum refusal why = admission_credentials(r, &x->token, &x->selector);

    if (why != REFUSALS) {
        h->renewals[RENEWAL_TOKEN]++;
        exchange_refuse(x, why, NULL);
        return;
    }
    if (x->token.n == 0) { /* only the header's counts here */
        h->renewals[RENEWAL_TOKEN]++;
        handler_refuse_without_token(x);
        return;
    }
    why = admission_try_token(h->admission, x->address, buf_slice(&x->token), &x->counted);
    if (why != REFUSALS) {
        h->renewals[RENEWAL_LIMITED]++;
        exchange_turn_away(x, why);
        return;
    }
    if (x->destination.topic < 0) { /* which is told to those who may be there alone */
        guard_check(h->gate.guard, buf_slice(&x->token), on_renewal_astray, x);
        return;
    }
    struct renewal_request request = {buf_slice(&x->token), buf_slice(&x->selector),
                                      x->destination.route->scopes, opens, names};
    handler_read_handle(x, r);
    x->lacks = -1;
    renewals_take(h->gate.renewals, &request, on_renewal, x);
}

#include "front/handler_inside.h"
#include "front/stay.h"
#include "front/subscriptions.h"
#include "guard/rate.h"

void handler_read_handle(struct exchange *x, const struct request *r)
{
    const char *uri = request_get(r, PARAM_URI);

    x->handle_bad = !handle_in_query(slice_str(request_get(r, PARAM_QUERY)), x->handle);
    if (x->handle[0] != 0)
        buf_add(&x->path, uri, strcspn(uri, "?"));
}

void handler_set_key(struct exchange *x, const struct verdict *verdict)
{
    x->key = handle_key(buf_slice(&x->path), verdict ? verdict->issuer : NULL,
                        verdict ? verdict->subject : NULL, slice_str(x->handle));
}

/* Of the handle; NULL: it is not known here. */
static struct handle *find(const struct exchange *x)
{
    struct handler *h = x->handler;
    struct handle *handle = handles_find(h->handles, &x->key, loop_now_ms());

    if (handle != NULL || h->subscriptions == NULL)
        return handle;
    subscriptions_hear(h->subscriptions);
    return handles_find(h->handles, &x->key, loop_now_ms());
}

/* What peers know of it, unless something newer is known here. */
static void take_found(const struct exchange *x, struct handle *handle)
{
    if (x->recalled)
        handle_tell(handle, buf_slice(&x->form), x->told_at);
    else if (handle->told_at < x->told_at)
        handle_untell(handle, x->told_at);
}

/* One that comes back with an id goes on with what it was told. */
static void recall(struct exchange *x)
{
    struct handle *handle = handles_find(x->handler->handles, &x->key, loop_now_ms());

    if (handle != NULL)
        take_found(x, handle);
    if (handle != NULL ? handle->told : x->recalled)
        narrowing_replace(&x->narrowing, buf_slice(handle != NULL ? &handle->form : &x->form));
}

/* -- streams that are opened -- */

bool handler_has_handle(const struct exchange *x)
{
    return x->handle[0] != 0 && x->format != FORMAT_JSON && x->handler->config.max_handles > 0;
}

static void on_found(void *arg, enum subscription_answer answer, const struct handle_message *told)
{
    struct exchange *x = arg;

    x->recalled = answer == SUBSCRIPTION_TOLD;
    if (x->recalled)
        buf_add_slice(&x->form, told->form);
    if (told != NULL)
        x->told_at = told->told_at;
    handler_serve_again(x);
}

bool handler_asks_peers(struct exchange *x, const struct verdict *verdict)
{
    struct handler *h = x->handler;

    if (h->subscriptions == NULL || x->asked || !x->resumes || x->handle_bad ||
        !handler_has_handle(x))
        return false;
    handler_set_key(x, verdict);
    const struct handle *handle = find(x);
    if (handle != NULL && !handle->passed)
        return false;
    x->asked = true;
    subscriptions_ask(h->subscriptions, &x->key, slice_of(NULL, 0), on_found, x);
    return true;
}

void handler_opened(struct exchange *x)
{
    struct handler *h = x->handler;
    struct handle *handle = handles_find(h->handles, &x->key, loop_now_ms());

    if (handle == NULL)
        return;
    take_found(x, handle);
    if (h->subscriptions != NULL)
        subscriptions_opened(h->subscriptions, &x->key, handle);
}

enum refusal handler_take_handle(struct exchange *x, const struct verdict *verdict)
{
    if (x->handle_bad)
        return REFUSAL_STREAM_INVALID;
    if (!handler_has_handle(x))
        return REFUSALS;
    handler_set_key(x, verdict);
    if (x->resumes)
        recall(x);
    return REFUSALS;
}

/* -- streams that are told -- */

bool handler_read_form(struct exchange *x)
{
    struct narrowing form = {0};

    x->tells = true;
    if (!request_read_body(x->handler->decoder, &x->form, SUBSCRIPTION_FORM_MAX)) {
        exchange_refuse(x, REFUSAL_LARGE_BODY, NULL);
        return false;
    }
    narrowing_read(&form, buf_slice(&x->form), true);
    x->narrowing.why = form.why;
    narrowing_fini(&form);
    return true;
}

static subscription_done on_told;

static void ask_peers(struct exchange *x)
{
    subscriptions_ask(x->handler->subscriptions, &x->key,
                      slice_of(x->form.p ? x->form.p : (const uint8_t *)"", x->form.n), on_told, x);
}

/* A stream that comes back just now may have left the responder where it was before that was asked,
 * and not have been at its new one when that was: by now it is. */
static bool ask_again(struct exchange *x)
{
    if (x->asked || x->handler->subscriptions == NULL)
        return false;
    x->asked = true;
    ask_peers(x);
    return true;
}

static void on_told(void *arg, enum subscription_answer answer, const struct handle_message *told)
{
    struct exchange *x = arg;
    struct answer taken = {.status = 204};

    (void)told;
    if (answer == SUBSCRIPTION_UNKNOWN && ask_again(x))
        return;
    x->handler->told += answer == SUBSCRIPTION_KNOWN;
    if (answer == SUBSCRIPTION_KNOWN)
        exchange_finish(x, &taken);
    else if (answer == SUBSCRIPTION_LIMITED)
        exchange_refuse(x, REFUSAL_STREAM_RATE, "Retry-After: 1\r\n");
    else if (answer == SUBSCRIPTION_AWAY)
        exchange_refuse(x, REFUSAL_PEER_AWAY, "Retry-After: 1\r\n");
    else
        exchange_refuse(x, REFUSAL_STREAM_UNKNOWN, NULL);
}

static enum subscription_answer tell_here(struct exchange *x, struct handle *handle)
{
    struct subscriptions *peers = x->handler->subscriptions;

    handle_tell(handle, buf_slice(&x->form), stay_clock());
    bool told = peers == NULL || subscriptions_told(peers, &x->key, handle);
    if (handle->stay != NULL)
        stay_narrow(handle->stay, buf_slice(&x->form));
    return told ? SUBSCRIPTION_KNOWN : SUBSCRIPTION_AWAY;
}

/* Its stream takes it, or it waits for that to come back: here, or where it is known. */
static void tell(struct exchange *x)
{
    struct handle *handle = find(x);

    if (handle == NULL && x->handler->subscriptions != NULL)
        ask_peers(x);
    else
        on_told(x, handle != NULL ? tell_here(x, handle) : SUBSCRIPTION_UNKNOWN, NULL);
}

void handler_subscribe(struct exchange *x, const struct verdict *verdict)
{
    enum refusal why = admission_destination(&x->destination, verdict);

    if (why == REFUSALS && (x->handle_bad || x->handle[0] == 0))
        why = REFUSAL_STREAM_INVALID;
    if (why == REFUSALS)
        why = x->narrowing.why;
    if (why != REFUSALS) {
        exchange_refuse(x, why, NULL);
        return;
    }
    handler_set_key(x, verdict);
    if (rates_allow(x->handler->rates, &x->key, loop_now_ms()))
        tell(x);
    else
        on_told(x, SUBSCRIPTION_LIMITED, NULL);
}

/* -- all of them -- */

bool handler_join(struct handler *h, struct loop *loop, const char *directory,
                  struct slice agreement, char *error, size_t size)
{
    h->subscriptions =
        subscriptions_new(loop, h->handles, h->rates, directory, agreement, error, size);
    return h->subscriptions != NULL;
}

void handler_leave(struct handler *h)
{
    subscriptions_free(h->subscriptions);
    h->subscriptions = NULL;
}

size_t handler_handles(const struct handler *h)
{
    return handles_count(h->handles);
}

uint64_t handler_handles_forgotten(const struct handler *h)
{
    return handles_forgotten(h->handles);
}

uint64_t handler_told(const struct handler *h)
{
    return h->told;
}

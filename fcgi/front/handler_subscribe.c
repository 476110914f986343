#include "front/handler_inside.h"
#include "front/stay.h"
#include "guard/rate.h"

enum { FORM_MAX = 8192 };

void handler_read_handle(struct exchange *x, const struct request *r)
{
    const char *uri = request_get(r, PARAM_URI);

    buf_add(&x->path, uri, strcspn(uri, "?"));
    x->handle_bad = !handle_in_query(slice_str(request_get(r, PARAM_QUERY)), x->handle);
}

static void set_key(struct exchange *x, const struct verdict *verdict)
{
    x->key = handle_key(buf_slice(&x->path), verdict ? verdict->issuer : NULL,
                        verdict ? verdict->subject : NULL, slice_str(x->handle));
}

/* One that comes back with an id goes on with what it was told. */
static void recall(struct exchange *x)
{
    const struct handle *handle = handles_find(x->handler->handles, &x->key, loop_now_ms());

    if (handle != NULL && handle->told)
        narrowing_replace(&x->narrowing, buf_slice(&handle->form));
}

/* -- streams that are opened -- */

bool handler_has_handle(const struct exchange *x)
{
    return x->handle[0] != 0 && x->format != FORMAT_JSON && x->handler->config.max_handles > 0;
}

enum refusal handler_take_handle(struct exchange *x, const struct verdict *verdict)
{
    const struct narrowing none = {.why = REFUSALS};

    if (x->handle_bad)
        return REFUSAL_STREAM_INVALID;
    if (!handler_has_handle(x))
        return REFUSALS;
    set_key(x, verdict);
    if (x->resumes)
        recall(x);
    return narrowing_select(&none, &x->destination, verdict ? verdict->claims : NULL, &x->route,
                            &x->lacks);
}

/* -- streams that are told -- */

bool handler_read_form(struct exchange *x)
{
    struct narrowing form = {0};

    x->tells = true;
    if (!request_read_body(x->handler->decoder, &x->form, FORM_MAX)) {
        exchange_refuse(x, REFUSAL_LARGE_BODY, NULL);
        return false;
    }
    narrowing_read(&form, buf_slice(&x->form), true);
    x->narrowing.why = form.why;
    narrowing_fini(&form);
    return true;
}

/* Its stream takes it, or it waits for that to come back. */
static enum refusal tell(struct exchange *x)
{
    struct handler *h = x->handler;
    int64_t now = loop_now_ms();

    if (!rates_allow(h->rates, &x->key, now))
        return REFUSAL_STREAM_RATE;
    struct handle *handle = handles_find(h->handles, &x->key, now);
    if (handle == NULL)
        return REFUSAL_STREAM_UNKNOWN;
    h->told++;
    handle_tell(handle, buf_slice(&x->form));
    if (handle->stay != NULL)
        stay_narrow(handle->stay, buf_slice(&x->form));
    return REFUSALS;
}

void handler_subscribe(struct exchange *x, const struct verdict *verdict)
{
    enum refusal why = admission_destination(&x->destination, verdict);
    struct answer answer = {.status = 204};

    if (why == REFUSALS && (x->handle_bad || x->handle[0] == 0))
        why = REFUSAL_STREAM_INVALID;
    if (why == REFUSALS)
        why = x->narrowing.why;
    if (why == REFUSALS) {
        set_key(x, verdict);
        why = tell(x);
    }
    if (why == REFUSALS)
        exchange_finish(x, &answer);
    else
        exchange_refuse(x, why, why == REFUSAL_STREAM_RATE ? "Retry-After: 1\r\n" : NULL);
}

/* What an open stream is told to select.  The query of its URL stands in the first line, the form
 * behind it. */
#include "front/narrowing.h"
#include "front/subscriptions.h"
#include "fuzz.h"

static void check_equal(const struct values *a, const struct values *b)
{
    assert(a->n == b->n);
    for (size_t i = 0; i < a->n; i++)
        assert(slice_equal(values_at(a, i), values_at(b, i)));
}

/* The form counts in place of the URL's keys, and changes nothing else. */
static void check_replaced(struct slice query, struct slice form, const struct narrowing *told)
{
    struct narrowing n = {0}, url = {0};

    narrowing_read(&url, query, false);
    narrowing_read(&n, query, false);
    for (int i = 0; i < 2; i++) {
        narrowing_replace(&n, form);
        assert(n.any == told->any);
        check_equal(&n.keys, &told->keys);
    }
    assert(n.why == url.why && n.has_from == url.has_from && n.format == url.format);
    assert(n.enveloped == url.enveloped && n.keepalive_events == url.keepalive_events);
    narrowing_fini(&n);
    narrowing_fini(&url);
}

/* Of what a route selects nothing is added to. */
static void check_narrowed(const struct narrowing *told)
{
    struct values keys = {0};

    values_add(&keys, slice_str("a"));
    values_add(&keys, slice_str("b"));
    values_sort(&keys);
    struct selection *route = selection_new(&keys), *s = narrowing_apply(told, route);
    for (size_t i = 0; i < selection_count(s); i++)
        assert(selection_passes(route, selection_key(s, i)));
    assert(told->any || selection_equal(s, route));
    selection_unref(s);
    selection_unref(route);
    values_fini(&keys);
}

/* Another responder reads the same. */
static void check_passed_on(struct slice form)
{
    const struct handle_message told = {
        .type = MESSAGE_TOLD, .answer = SUBSCRIPTION_TOLD, .told_at = 1, .form = form};
    struct handle_message heard;
    struct buf text = {0};

    handle_message_add(&text, &told);
    assert(handle_message_parse(buf_slice(&text), &heard) && slice_equal(heard.form, form));
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice form = slice_of(data, n), query = take_until(&form, '\n');
    struct narrowing told = {0};

    if (form.n > SUBSCRIPTION_FORM_MAX)
        return 0;
    narrowing_read(&told, form, true);
    if (told.why == REFUSALS) {
        assert(told.keys.n <= NARROWING_VALUES && told.keys.bytes.n <= NARROWING_BYTES);
        check_replaced(query, form, &told);
        check_narrowed(&told);
        check_passed_on(form);
    }
    narrowing_fini(&told);
    return 0;
}

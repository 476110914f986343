/* What peers say of handles: a message that is one comes out as it went in. */
#include "front/subscriptions.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct handle_message m;
    struct buf again = {0};

    if (!handle_message_parse(slice_of(data, n), &m))
        return 0;
    assert(m.type >= MESSAGE_FIND && m.type <= MESSAGE_PASSED);
    assert(m.answer <= SUBSCRIPTION_LIMITED && m.form.n <= SUBSCRIPTION_FORM_MAX);
    handle_message_add(&again, &m);
    assert(slice_equal(buf_slice(&again), slice_of(data, n)));
    buf_fini(&again);
    return 0;
}

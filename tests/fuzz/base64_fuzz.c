/* base64url: the input as bytes and as text. */
#include "base/base64.h"

#include "fuzz.h"

static struct slice without_padding(struct slice text)
{
    while (text.n > 0 && text.p[text.n - 1] == '=')
        text.n--;
    return text;
}

static void check_bytes(struct slice in)
{
    struct buf text = {0}, back = {0};

    base64url_add(&text, in);
    assert(text.n == base64url_length(in.n));
    assert(base64url_decode(&back, buf_slice(&text)));
    assert(slice_equal(buf_slice(&back), in));
    buf_fini(&text);
    buf_fini(&back);
}

/* Bytes have one text only, but for its padding. */
static void check_text(struct slice in)
{
    struct buf bytes = {0}, again = {0};

    buf_add_str(&bytes, "before");
    if (base64url_decode(&bytes, in)) {
        base64url_add(&again, slice_of(bytes.p + 6, bytes.n - 6));
        assert(slice_equal(without_padding(buf_slice(&again)), without_padding(in)));
    } else {
        assert(bytes.n == 6);
    }
    assert(memcmp(bytes.p, "before", 6) == 0);
    buf_fini(&bytes);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_bytes(slice_of(data, n));
    check_text(slice_of(data, n));
    return 0;
}

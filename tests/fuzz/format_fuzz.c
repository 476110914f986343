/* An Accept header. */
#include "front/format.h"

#include <stdlib.h>

#include "fuzz.h"

static enum format with(const char *before, const char *accept, const char *after)
{
    struct buf text = {0};

    buf_add_str(&text, before);
    buf_add_str(&text, accept);
    buf_add(&text, after, strlen(after) + 1);
    enum format format = format_accepted((const char *)text.p);
    buf_fini(&text);
    return format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    char *accept = take_string(&in, 0);
    enum format format = format_accepted(accept);

    assert(format <= FORMAT_JSON);
    assert(with("text/event-stream,", accept, "") == FORMAT_SSE);
    assert(with("text/html,", accept, "") == format);
    assert(with("text/event-stream;q=0,", accept, "") == format);
    if (strchr(accept, '"') == NULL)
        assert(with("", accept, ",text/event-stream") == FORMAT_SSE);
    if (strcasestr(accept, "application/") == NULL)
        assert(format == FORMAT_SSE);
    if (format == FORMAT_SSE && strcasestr(accept, "text/event-stream") == NULL) {
        assert(with("application/json,", accept, "") == FORMAT_JSON);
        assert(with("application/jsonl,", accept, "") == FORMAT_NDJSON);
    }
    free(accept);
    return 0;
}

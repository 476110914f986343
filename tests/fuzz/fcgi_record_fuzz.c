/* What a front sends: first the sizes of the pieces in which it arrives, up to a 0xff byte; then
 * the bytes, of a request and of what comes after it. */
#include "base/fcgi_record.h"

#include <stdlib.h>

#include "front/request.h"
#include "fuzz.h"

/* -- is it a request? -- */

/* However it is cut into pieces, it is the same, and told as early as it can be. */
static void check_pieces(struct slice in, struct slice cuts, enum fcgi_state whole,
                         const struct fcgi_request *request)
{
    size_t at = 0;

    while (at < in.n) {
        size_t step = cuts.n ? (size_t)take_byte(&cuts) + 1 : in.n;
        struct fcgi_request r = {0};
        at = step < in.n - at ? at + step : in.n;
        enum fcgi_state state = fcgi_request_parse(in.p, at, &r);
        if (state == FCGI_INCOMPLETE)
            continue;
        assert(state == whole && r.id == request->id && r.length == request->length);
        return;
    }
    assert(whole == FCGI_INCOMPLETE);
}

static void check_length(struct slice in, const struct fcgi_request *request)
{
    struct fcgi_request r;

    assert(request->length <= in.n);
    assert(fcgi_request_parse(in.p, request->length, &r) == FCGI_COMPLETE);
    assert(fcgi_request_parse(in.p, request->length - 1, &r) == FCGI_INCOMPLETE);
}

/* -- what does it say? -- */

static size_t take_length(struct slice *pairs)
{
    size_t n = take_byte(pairs);

    if (n < 0x80)
        return n;
    n = (n & 0x7f) << 24;
    n |= (size_t)take_byte(pairs) << 16;
    n |= (size_t)take_byte(pairs) << 8;
    return n | take_byte(pairs);
}

static struct slice take_bytes(struct slice *in, size_t n)
{
    assert(n <= in->n);
    struct slice taken = slice_of(in->p, n);
    in->p += n;
    in->n -= n;
    return taken;
}

/* The last value of that name, as libfcgi must have it, and how many there are. */
static int look_up(struct slice pairs, const char *name, struct slice *value)
{
    int count = 0;

    while (pairs.n > 0) {
        size_t name_length = take_length(&pairs), value_length = take_length(&pairs);
        bool same = slice_equal(take_bytes(&pairs, name_length), slice_str(name));
        struct slice v = take_bytes(&pairs, value_length);
        if (same) {
            *value = v;
            count++;
        }
    }
    return count;
}

static void collect_params(struct slice in, struct buf *params)
{
    while (in.n > 0) {
        struct slice header = take_bytes(&in, FCGI_RECORD_HEADER);
        struct slice content = take_bytes(&in, (size_t)header.p[4] << 8 | header.p[5]);
        take_bytes(&in, header.p[6]);
        if (header.p[1] == 4)
            buf_add_slice(params, content);
    }
}

/* Of a front that passes none by itself. */
static int look_up_query(const char *uri, struct slice *query)
{
    const char *mark = uri ? strchr(uri, '?') : NULL;

    if (mark != NULL)
        *query = slice_str(mark + 1);
    return mark != NULL;
}

static void check_decoded(struct slice request)
{
    static const struct {
        enum param param;
        const char *name;
    } some[] = {{PARAM_METHOD, "REQUEST_METHOD"},
                {PARAM_URI, "REQUEST_URI"},
                {PARAM_QUERY, "QUERY_STRING"},
                {PARAM_AUTHORIZATION, "HTTP_AUTHORIZATION"},
                {PARAM_REQUIRE_GUARD, "SKF_REQUIRE_GUARD"}};
    static struct decoder *decoder;
    struct request r;
    struct buf params = {0};

    if (decoder == NULL)
        decoder = decoder_new();
    assert(request_decode(decoder, request.p, request.n, &r) == 0);
    collect_params(request, &params);
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct slice expected = {0};
        int count = look_up(buf_slice(&params), some[i].name, &expected);
        if (count == 0 && some[i].param == PARAM_QUERY)
            count = look_up_query(r.param[PARAM_URI], &expected);
        assert((count > 0) == (r.param[some[i].param] != NULL));
        assert(slice_equal(slice_str(r.param[some[i].param]), expected));
        assert(count < 2 || r.repeated);
    }
    buf_fini(&params);
}

/* -- what comes after it -- */

static bool ends_in_pieces(struct slice in, struct slice cuts)
{
    struct fcgi_input input = {0};
    bool ends = false;

    while (in.n > 0 && !ends) {
        size_t step = cuts.n ? (size_t)take_byte(&cuts) + 1 : in.n;
        struct slice piece = take_bytes(&in, step < in.n ? step : in.n);
        ends = fcgi_input_ends(&input, piece.p, piece.n);
    }
    return ends;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n), cuts = take_until(&in, 0xff), none = {0};
    struct fcgi_request request = {0};
    enum fcgi_state state = fcgi_request_parse(in.p, in.n, &request);

    check_pieces(in, cuts, state, &request);
    if (state == FCGI_COMPLETE) {
        check_length(in, &request);
        check_decoded(take_bytes(&in, request.length));
    }
    assert(ends_in_pieces(in, cuts) == ends_in_pieces(in, none));
    return 0;
}

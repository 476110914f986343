/* A parameter's name in the first line, then a query string. */
#include "front/query.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/percent.h"
#include "fuzz.h"

static void check_find(struct slice query, const char *name)
{
    struct slice rest = query, first = {0};
    size_t count, expected = 0;
    struct slice found = query_find(query, name, &count);

    while (rest.n > 0) {
        struct slice value = take_until(&rest, '&');
        if (slice_equal(take_until(&value, '='), slice_str(name)) && expected++ == 0)
            first = value;
    }
    assert(count == expected);
    assert(slice_equal(found, first));
    assert(count > 0 || found.n == 0);
}

static bool well_encoded(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '%' && (s.n - i <= 2 || !isxdigit(s.p[i + 1]) || !isxdigit(s.p[i + 2])))
            return false;
    return true;
}

static void check_decode(struct slice encoded)
{
    struct buf decoded = {0}, again = {0}, back = {0};

    buf_add_byte(&decoded, '!');
    bool ok = percent_decode(&decoded, encoded);
    assert(ok == well_encoded(encoded));
    assert(ok || decoded.n == 1);
    for (size_t i = 1; i < decoded.n; i++)
        buf_printf(&again, i % 2 ? "%%%02x" : "%%%02X", decoded.p[i]);
    assert(percent_decode(&back, buf_slice(&again)));
    assert(slice_equal(buf_slice(&back), slice_of(decoded.p + 1, decoded.n - 1)));
    buf_fini(&decoded);
    buf_fini(&again);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice query = slice_of(data, n);
    char *name = take_string(&query, '\n');

    check_find(query, name);
    check_decode(query);
    free(name);
    return 0;
}

/* A Last-Event-ID header in the first line, then a query string. */
#include "front/lastid.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/percent.h"
#include "front/query.h"
#include "fuzz.h"

/* The name as its letters are. */
static bool names_it(struct slice name)
{
    struct buf plain = {0};

    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '-' && name.p[i] != '_')
            buf_add_byte(&plain, (uint8_t)tolower(name.p[i]));
    struct slice text = buf_slice(&plain);
    bool result = slice_equal(text, slice_str("lasteventid")) ||
                  slice_equal(text, slice_str("evslasteventid"));
    buf_fini(&plain);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice query = slice_of(data, n), rest, last = {0}, name, value;
    char *header = take_string(&query, '\n');
    struct buf id = {0}, expected = {0};

    bool found = lastid_find(*header ? header : NULL, query, &id);
    for (rest = query; query_next(&rest, &name, &value);)
        last = names_it(name) ? value : last;
    if (*header)
        buf_add_str(&expected, header);
    else if (!percent_decode(&expected, last))
        buf_add_slice(&expected, last);
    assert(slice_equal(buf_slice(&id), buf_slice(&expected)));
    assert(found == (id.n > 0));
    buf_fini(&id);
    buf_fini(&expected);
    free(header);
    return 0;
}

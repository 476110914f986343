#include "front/format.h"

#include <strings.h>

#include "front/element.h"

static const struct {
    const char *type;
    enum format format;
} types[] = {
    {"text/event-stream", FORMAT_SSE},
    {"application/json", FORMAT_JSON},
    {"application/x-ndjson", FORMAT_NDJSON},
    {"application/jsonl", FORMAT_NDJSON},
};

bool format_parse(struct slice value, enum format *format)
{
    static const char *const names[] = {
        [FORMAT_SSE] = "sse", [FORMAT_NDJSON] = "ndjson", [FORMAT_JSON] = "json"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal(value, slice_str(names[i]))) {
            *format = (enum format)i;
            return true;
        }
    return false;
}

/* Is that parameter, up to `end`, a quality of 0: `q=0`, `q=0.000`? */
static bool is_refusing(const char *at, const char *end)
{
    at += strspn(at, ELEMENT_BLANKS);
    if (strncasecmp(at, "q=0", 3) != 0)
        return false;
    at += 3;
    if (*at == '.')
        at += 1 + strspn(at + 1, "0");
    return at + strspn(at, ELEMENT_BLANKS) == end;
}

/* Between a range's type and `end`. */
static bool is_refused(const char *at, const char *end)
{
    while (at < end) {
        const char *next = element_end(at + 1, ";,");
        if (is_refusing(at + 1, next))
            return true;
        at = next;
    }
    return false;
}

/* The number of that type among ours, or how many these are. */
static size_t find_type(struct slice type)
{
    size_t i = 0;

    while (i < sizeof types / sizeof types[0] &&
           (strlen(types[i].type) != type.n ||
            strncasecmp(types[i].type, (const char *)type.p, type.n) != 0))
        i++;
    return i;
}

enum format format_accepted(const char *accept)
{
    const size_t unknown = sizeof types / sizeof types[0];
    enum format found = FORMAT_SSE;
    bool any = false;

    for (const char *at = accept; at != NULL && *at != 0; at += *at == ',') {
        at += strspn(at, ELEMENT_BLANKS);
        const char *end = element_end(at, ",");
        size_t n = strcspn(at, ELEMENT_BLANKS ";,");
        size_t type = find_type(slice_of(at, n));
        if (type != unknown && !is_refused(at + strcspn(at, ";,"), end)) {
            if (types[type].format == FORMAT_SSE)
                return FORMAT_SSE;
            found = any ? found : types[type].format;
            any = true;
        }
        at = end;
    }
    return found;
}

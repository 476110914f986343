/* Routes, a path in a line each, up to an empty line; then the path of a request.  A route's topic
 * is the one in its path, if that has a {topic}. */
#include "route/routes.h"

#include <stdlib.h>

#include "base/percent.h"
#include "fuzz.h"

/* The pattern with the values in the places of its parameters. */
static void put_in(struct buf *out, const char *text, const struct slice *values)
{
    size_t n = 0;

    while (*text != 0) {
        if (*text != '{') {
            buf_add_byte(out, (uint8_t)*text++);
            continue;
        }
        buf_add_slice(out, values[n++]);
        text = strchr(text, '}') + 1;
    }
}

/* A segment of its own, unless it is the rest. */
static void check_values(const char *text, const struct slice *values)
{
    for (size_t n = 0; (text = strchr(text, '{')) != NULL; n++, text++) {
        const char *end = strchr(text, '}');
        assert(values[n].n > 0 && values[n].n <= 3 * PATTERN_VALUE);
        assert(end[-1] == '*' || memchr(values[n].p, '/', values[n].n) == NULL);
        assert(end[-1] != '*' || end[1] == 0);
    }
}

/* Which route must be found, and what of it. */
static enum route_found expect(const struct routes *r, struct slice path, size_t *which)
{
    for (size_t i = 0; i < routes_count(r); i++) {
        const char *text = pattern_text(routes_at(r, i)->path);
        struct slice values[PATTERN_PARAMS] = {{0}};
        struct buf back = {0}, decoded = {0};
        bool good = true;

        if (!pattern_fits(routes_at(r, i)->path, path, values))
            continue;
        put_in(&back, text, values);
        assert(slice_equal(buf_slice(&back), path));
        check_values(text, values);
        for (size_t k = 0; k < PATTERN_PARAMS; k++)
            good = good && percent_decode(&decoded, values[k]);
        buf_fini(&back);
        buf_fini(&decoded);
        *which = i;
        return good ? ROUTE_FOUND : ROUTE_BAD_ESCAPE;
    }
    return ROUTE_UNKNOWN;
}

static void check(const struct routes *r, struct slice path)
{
    struct destination to = {.route = NULL, .topic = -2};
    size_t which = 0;
    enum route_found found = routes_find(r, path, &to);

    assert(found == expect(r, path, &which));
    if (found == ROUTE_FOUND)
        assert(to.route == routes_at(r, which) && to.topic >= -1 && to.topic < 2);
    else
        assert(to.topic == -2);
}

static void add(struct routes *r, const char *path)
{
    struct route_text text = {.path = path, .topic = "{topic}"};
    char wrong[256] = "";
    size_t before = routes_count(r);

    if (!routes_add(r, &text, wrong, sizeof wrong)) {
        assert(*wrong != 0);
        text.topic = "orders";
        if (!routes_add(r, &text, wrong, sizeof wrong)) {
            assert(routes_count(r) == before);
            return;
        }
    }
    assert(routes_count(r) == before + 1);
    if (strpbrk(path, "{}") == NULL) /* a literal one fits itself */
        assert(pattern_fits(routes_at(r, before)->path, slice_str(path), NULL));
    assert(!routes_add(r, &text, wrong, sizeof wrong)); /* there is one now */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct routes *r = routes_new();

    routes_add_topic(r, "orders");
    routes_add_topic(r, "prices");
    while (in.n > 0 && *in.p != '\n') {
        char *path = take_string(&in, '\n');
        add(r, path);
        free(path);
    }
    if (in.n > 0)
        take_byte(&in);
    check(r, in);
    routes_free(r);
    return 0;
}

/* pattern - the path of a route: literal segments, `{name}` for any one segment, and at the end
 * `{name*}` for all that is left.  Pure.
 *
 * A path is compared as it stands in the request.  What a parameter stands for is data: it is
 * percent-decoded once, by whoever uses it, and never a pattern itself. */
#ifndef SKF_ROUTE_PATTERN_H
#define SKF_ROUTE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct pattern;

enum {
    PATTERN_MAX = 1000,   /* bytes of a text */
    PATTERN_PARAMS = 8,   /* of one path */
    PATTERN_VALUE = 4096, /* bytes that one may stand for, decoded */
};

/* NULL, and what is wrong with the text. */
struct pattern *pattern_new(const char *text, const char **wrong);
/* Of a text without parameters: its braces are braces. */
struct pattern *pattern_literal(const char *text);
void pattern_free(struct pattern *p);

const char *pattern_text(const struct pattern *p);
/* Do both fit the same paths?  How their parameters are named does not matter. */
bool pattern_same(const struct pattern *a, const struct pattern *b);
/* Does a fit each path that b fits, but for those with a value that is too long? */
bool pattern_covers(const struct pattern *a, const struct pattern *b);
/* Why no client may reach it, as a literal part is not as browsers write it or web servers pass it
 * on; NULL: they do. */
const char *pattern_doubt(const struct pattern *p);
/* The number of the parameter of that name, -1: there is none. */
int pattern_param(const struct pattern *p, struct slice name);

/* The name of a parameter; p is NULL if there are not so many. */
struct slice pattern_param_name(const struct pattern *p, int number);

/* Does it fit?  `values` gets what its parameters stand for, borrowed and still encoded. */
bool pattern_fits(const struct pattern *p, struct slice path, struct slice values[PATTERN_PARAMS]);

#endif

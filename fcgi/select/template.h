/* template - what a route selects: texts, of which some are filled in by the path and by the claims
 * of each stream's token.
 *
 * "select" of a route is a list; a record passes if one of its entries holds, an entry holds if all
 * its members do, and a member if the record has one of its texts there.  By key alone all that
 * comes down to a set of keys.  Pure. */
#ifndef SKF_SELECT_TEMPLATE_H
#define SKF_SELECT_TEMPLATE_H

#include <jansson.h>

#include "select/values.h"

struct template;

/* Which {name} and {claim:PATH} there are. */
struct template_names {
    /* The number of the path's parameter, -1: it has none of that name. */
    int (*param)(void *arg, struct slice name);
    /* The number of the claim, -1: there are too many. */
    int (*claim)(void *arg, const char *path);
    void *arg;
};

/* NULL, and what is wrong with it. */
struct template *template_new(const json_t *select, const struct template_names *names, char *wrong,
                              size_t size);
void template_free(struct template *t);

bool template_has_claims(const struct template *t);
/* It is filled in by that parameter. */
bool template_has_param(const struct template *t, int number);

enum template_result {
    TEMPLATE_FILLED,
    TEMPLATE_LACKS,      /* no entry can hold, for a claim is not there */
    TEMPLATE_NOT_BASE64, /* a parameter that is to be base64url is not */
};
/* The keys that it selects, with these parameters and claims, both by their numbers; those of a
 * claim that is not there are none.  *lacks: which claim, if TEMPLATE_LACKS. */
enum template_result template_fill(const struct template *t, const struct values *params,
                                   const struct values *claims, struct values *keys, int *lacks);

#endif

/* query - parameters of a query string, which its readers decode: event ids and tokens hold no
 * blanks, so that a plus sign is one there; elsewhere it is a blank (front/narrowing.h). */
#ifndef SKF_FRONT_QUERY_H
#define SKF_FRONT_QUERY_H

#include "base/buf.h"

/* Takes the first parameter off the query; false if there is none left.  Name and value are still
 * encoded; without a `=` the value is empty. */
bool query_next(struct slice *query, struct slice *name, struct slice *value);

/* The still encoded value of the first parameter of that name, which is compared as it stands;
 * *count gets how many there are.  p is NULL if there is none. */
struct slice query_find(struct slice query, const char *wanted, size_t *count);

#endif

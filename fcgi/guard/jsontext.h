/* jsontext - JSON that others have written.
 *
 * jansson refuses a whole text for one number that it cannot hold, for one \u0000 and for one half
 * of a surrogate pair, also in members that nobody reads.  Here such a value alone is lost. */
#ifndef SKF_GUARD_JSONTEXT_H
#define SKF_GUARD_JSONTEXT_H

#include <jansson.h>

#include "base/buf.h"

/* Parses the text, whose bytes may change.  In a text that jansson refuses as it stands, a number
 * out of its range becomes null, and an escape of NUL or of half a surrogate pair becomes a NUL in
 * a string (which no string that we accept holds) and U+FFFD in a name; *tamed tells that.  NULL,
 * and `why`, if it is no JSON all the same.  `flags`: of json_loadb(). */
json_t *jsontext_load(struct buf *text, size_t flags, bool *tamed, json_error_t *why);

#endif

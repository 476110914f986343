/* claim - what a token's payload has at a path, and what it says there. */
#ifndef SKF_GUARD_CLAIM_H
#define SKF_GUARD_CLAIM_H

#include <jansson.h>
#include <stdbool.h>

#include "select/values.h"

/* The member at a dotted path, NULL if there is none; a name that holds the dots itself wins over
 * the path (Auth0's are URLs).  Both functions take NULL for an object that is not there. */
const json_t *claim_at(const json_t *object, const char *path);
/* A member that is a string without NUL, so that it can be compared as a C string; else NULL. */
const char *claim_text(const json_t *object, const char *name);

/* Adds what a stream may be selected by: a string, a number, or those of an array, of its first
 * CLAIM_VALUES.  What is empty, or of another kind, is as if it were not there. */
enum { CLAIM_VALUES = 1024 };
void claim_add_values(const json_t *claim, struct values *out);

/* A string that is `wanted`, or an array that holds it (RFC 7519, 4.1.3). */
bool claim_is_or_has(const json_t *claim, const char *wanted);
/* A string of words between blanks that holds `word`, or an array that does (RFC 8693, 4.2). */
bool claim_has_word(const json_t *claim, const char *word);

#endif

/* field - what a record's value has at a path, if it is JSON (topic/minify.h says what is). */
#ifndef SKF_TOPIC_FIELD_H
#define SKF_TOPIC_FIELD_H

#include "base/buf.h"

/* Of an array so many elements are looked at. */
enum { FIELD_ELEMENTS = 64 };

/* Appends the first text that is there: a string's, or a number or boolean as it stands; of an
 * array the first of those among its elements.  The path is first taken as one name, then its dots
 * lead into objects; of a name that comes twice the last counts.  False: there is none. */
bool field_first(struct buf *out, struct slice json, const char *path);

#endif

/* headers - those headers of a record that are kept, packed into bytes: the number of each one's
 * name among those that its topic keeps, and its value. */
#ifndef SKF_BASE_HEADERS_H
#define SKF_BASE_HEADERS_H

#include "base/buf.h"

/* Of one topic. */
enum { HEADERS_MAX = 16 };

/* Appends one; a value whose p is NULL is there, but null. */
void headers_add(struct buf *packed, unsigned name, struct slice value);

/* Takes the first off (the value is borrowed); false: there is none. */
bool headers_next(struct slice *packed, unsigned *name, struct slice *value);

#endif

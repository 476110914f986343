/* subject - who a token speaks for, as a key of a table: two issuers may both know an `alice`. */
#ifndef SKF_GUARD_SUBJECT_H
#define SKF_GUARD_SUBJECT_H

#include "base/buf.h"

/* Appends issuer and subject, as no other two look; subject NULL: none, which is not the empty one.
 */
void subject_add(struct buf *out, const char *issuer, const char *subject);

#endif

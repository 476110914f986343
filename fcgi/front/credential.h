/* credential - where a request carries its token: bytes in, bytes out. */
#ifndef SKF_FRONT_CREDENTIAL_H
#define SKF_FRONT_CREDENTIAL_H

#include "base/buf.h"

enum credential { CREDENTIAL_NONE, CREDENTIAL_FOUND, CREDENTIAL_BAD };

/* The token of an Authorization header (NULL: not sent) whose scheme is Bearer, in any case;
 * another scheme counts as none.  BAD: empty, or with a blank or comma in it (RFC 6750, 2.1). */
enum credential credential_from_header(const char *authorization, struct slice *token);

/* The decoded `access_token` of a query.  BAD likewise, and if there are two or it is badly
 * encoded. */
enum credential credential_from_query(struct slice query, struct buf *token);

#endif

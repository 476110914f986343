/* lastid - where a request carries the last event id: bytes in, bytes out. */
#ifndef SKF_FRONT_LASTID_H
#define SKF_FRONT_LASTID_H

#include "base/buf.h"

/* Appends the id and returns true if there is one: the header's (NULL: not sent) if it is not
 * empty, else the query's last parameter whose name is `lastEventId` in any spelling that clients
 * use: in any case, with or without `-` and `_`, and behind `evs_`.  What is badly encoded is taken
 * as it stands, which no event id is. */
bool lastid_find(const char *header, struct slice query, struct buf *id);

#endif

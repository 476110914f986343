/* snapshot - the head of a finite response (stream/finite.h), which is not known before the topic
 * was looked at: a document, 304, or 503.  Until then it keeps what must be known of the request.
 */
#ifndef SKF_FRONT_SNAPSHOT_H
#define SKF_FRONT_SNAPSHOT_H

#include "front/exchange.h"
#include "guard/session.h"
#include "stream/stream.h"

struct snapshot;

/* `guarded`: it is for those alone who have a token.  The session is borrowed; NULL: it has none.
 */
struct snapshot *snapshot_new(const struct exchange *x, bool guarded,
                              const struct session *session);
void snapshot_free(struct snapshot *s);

/* Appends the head; all of the response, unless a document follows.  See struct finite_opening. */
void snapshot_add_head(struct snapshot *s, enum finite_outcome outcome, struct slice place,
                       struct buf *text);

#endif

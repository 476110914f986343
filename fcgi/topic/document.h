/* document - a topic as one JSON object, a piece at a time:
 *
 *     {"records":[ENVELOPE,ENVELOPE],"id":"PLACE"}
 *
 * with "reset" before the records if an id could not be honoured.  Records are as topic/envelope.h
 * has them; where some are lost, {"event":"gap",...} stands among them.  Each piece is framed as
 * FastCGI STDOUT of request 1. */
#ifndef SKF_TOPIC_DOCUMENT_H
#define SKF_TOPIC_DOCUMENT_H

#include "topic/envelope.h"
#include "topic/progress.h"

/* `reset`: the code; NULL: none. */
void document_add_begin(struct buf *out, const char *reset);
/* Whoever is `first` has no comma before it. */
void document_add_record(struct buf *out, const struct envelope *e, bool first,
                         const struct record *r);
/* `json`: an object with the members of the gap. */
void document_add_gap(struct buf *out, const struct envelope *e, bool first, const char *json);
void document_add_end(struct buf *out, const struct progress *at, struct slice tag);

#endif

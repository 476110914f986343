/* event - one record as the bytes that a stream sends: `id:`, `event:`, `data:`, blank line, framed
 * as FastCGI STDOUT of request 1.  Encoded once, sent to every stream at that place. */
#ifndef SKF_TOPIC_EVENT_H
#define SKF_TOPIC_EVENT_H

#include "base/record.h"
#include "topic/progress.h"

/* How the id of an event is written. */
enum event_id {
    EVENT_ID_PROGRESS, /* PROGRESS[/ETAG] */
    EVENT_ID_KEY,      /* ["KEY in base64url" or null,"PROGRESS[/ETAG]"] */
};

/* A record with neither key nor value says nothing: no event. */
static inline bool event_none(const struct record *r)
{
    return r->key.p == NULL && r->value.p == NULL;
}

/* Appends the event of r; `at` is the stream's progress with r in it. */
void event_encode(struct buf *out, enum event_id form, const struct progress *at,
                  const struct record *r);

/* Appends an event of ours (`reset`, `gap`) that carries a place, but no record. */
void event_encode_notice(struct buf *out, enum event_id form, const struct progress *at,
                         const char *type, const char *json);

#endif

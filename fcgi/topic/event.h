/* event - one record as the bytes that a stream sends: `id:`, `event:`, `data:`, blank line, or a
 * line of JSON, framed as FastCGI STDOUT of request 1.  Encoded once, sent to every stream of that
 * shape at that place. */
#ifndef SKF_TOPIC_EVENT_H
#define SKF_TOPIC_EVENT_H

#include "base/record.h"
#include "topic/progress.h"
#include "topic/shape.h"

/* A record with neither key nor value says nothing: no event. */
static inline bool event_none(const struct record *r)
{
    return r->key.p == NULL && r->value.p == NULL;
}

/* Appends the event of r; `at` is the stream's progress with r in it, `tag` what stands for its
 * selection (empty: it has none).  Returns how many of the appended bytes stand before the place
 * where the tag belongs. */
size_t event_encode(struct buf *out, const struct shape *shape, const struct progress *at,
                    struct slice tag, const struct record *r);

/* The event (whole) was encoded without a tag: appends what a stream with that tag is sent in place
 * of its first bytes, up to `tag_at`, as event_encode() returned it.  Returns how many bytes of the
 * event it stands for: the rest is sent as it is.  *put: where in `out` the tag stands, in whose
 * place another may be put. */
size_t event_add_head(struct buf *out, const struct shape *shape, struct slice event, size_t tag_at,
                      struct slice tag, size_t *put);

/* Appends an event of ours (`reset`, `gap`) that carries a place, but no record; `json` is an
 * object that is not empty, which an envelope's topic is named in besides. */
void event_encode_notice(struct buf *out, const struct shape *shape, const struct progress *at,
                         struct slice tag, const char *type, const char *json);

/* Appends an id alone, which clients remember and make no event of (WHATWG HTML, 9.2.6); a line
 * must be something: the keep-alive of those who read events. */
void event_encode_place(struct buf *out, const struct shape *shape, const struct progress *at,
                        struct slice tag);

/* Appends what readers skip: a comment, or an empty line. */
void event_encode_comment(struct buf *out, const struct shape *shape);

/* Appends the keep-alive of those who cannot see comments. */
void event_encode_keepalive(struct buf *out, const struct shape *shape, const struct progress *at,
                            struct slice tag);

#endif

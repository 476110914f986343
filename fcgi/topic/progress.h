/* progress - how far a stream is: per partition the next offset; and its text, the event id.
 *
 * The id is base64url, padded, of the byte 0x01, the number of partitions, and for each its number
 * and next offset, all as zigzag varints: Zilla's form, so that clients can move over.  `AQIAAg==`
 * is partition 0, next offset 1.  What a stream selects follows as `~` and a tag; behind that a `~`
 * says that the stream was on its way to another selection (stream/move.h). */
#ifndef SKF_TOPIC_PROGRESS_H
#define SKF_TOPIC_PROGRESS_H

#include "base/buf.h"

enum {
    OFFSET_BEGINNING = -2, /* not known yet, or from the first there is */
    EVENT_ID_MAX = 4096,   /* an etag or a key that would make an id longer is left out */
    /* An id names that many partitions at most, in up to 16 bytes each: a front must let it pass as
     * a header field.  It bounds what a stream that waits with an id keeps of it, too. */
    EVENT_ID_PARTITIONS = 2000,
    EVENT_ID_PARSED = 33 * 1024, /* a longer one is malformed, and none of ours */
    PROGRESS_TAG = 8,            /* characters of base64url */
};

/* Indexed by partition.  `{0}` is an empty one; partitions beyond n are at OFFSET_BEGINNING. */
struct progress {
    int32_t n;
    int64_t *next;
};

void progress_resize(struct progress *p, int32_t n);
void progress_copy(struct progress *to, const struct progress *from);
void progress_fini(struct progress *p);

static inline int64_t progress_get(const struct progress *p, int32_t partition)
{
    return partition < p->n ? p->next[partition] : OFFSET_BEGINNING;
}

/* Appends the text of p. */
void progress_add(struct buf *out, const struct progress *p);
/* The same with the tag of a selection (empty: none) behind it.  Returns where the tag stands, or
 * would. */
size_t progress_add_tagged(struct buf *out, const struct progress *p, struct slice tag);

struct progress_at {
    int32_t partition;
    int64_t next; /* OFFSET_BEGINNING also for Zilla's -1, "live" */
};

/* Places read from an id, as it named them: the partitions need not exist. */
struct progress_id {
    struct progress_at *at; /* owned */
    int32_t n;
    char tag[PROGRESS_TAG + 1]; /* of what its stream selected; empty: it selected nothing */
    bool moving;                /* to another selection */
};

/* Reads an id in either form, TEXT[~TAG[~]][/ETAG] or ["KEY","TEXT[~TAG[~]][/ETAG]"]; of a stream
 * that selected nothing and was moving TEXT~~.  0, or -EINVAL and
 * `out` untouched if it is malformed: one that names a partition twice is, or more than may be. */
int progress_id_parse(struct slice id, struct progress_id *out);
void progress_id_fini(struct progress_id *id);

#endif

/* naming - where an event gets its name from, and whether that is one it may have. */
#ifndef SKF_TOPIC_NAMING_H
#define SKF_TOPIC_NAMING_H

#include "topic/envelope.h"

enum naming_by {
    NAMING_NONE,
    NAMING_TOPIC,
    NAMING_HEADER, /* that is kept: its last value, as Kafka's own clients take it */
    NAMING_FIELD,  /* of a value that is JSON (topic/field.h) */
};

enum { NAMING_MAX = 64 }; /* bytes of a name */

struct naming {
    enum naming_by by;
    const char *of; /* the header's name, or the path; borrowed */
};

/* `topic`, `header:NAME` or `field:PATH`, which *out then refers to.  False: it is none of these.
 */
bool naming_parse(const char *text, struct naming *out);

static inline bool naming_equal(const struct naming *a, const struct naming *b)
{
    return a->by == b->by && (a->by <= NAMING_TOPIC || strcmp(a->of, b->of) == 0);
}

/* Appends the name of the event of a record with a value.  False, and nothing appended: it has
 * none, or one that no event of a record may have: longer, of other bytes than A-Za-z0-9_.-, or one
 * that browsers or we use ourselves. */
bool naming_add(struct buf *out, const struct naming *n, const struct envelope *e,
                const struct record *r);

#endif

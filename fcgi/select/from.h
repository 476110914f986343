/* from - where a stream starts that has no event id: "from" of a route, `--from`, `?from=`. */
#ifndef SKF_SELECT_FROM_H
#define SKF_SELECT_FROM_H

#include "base/buf.h"

enum from_kind {
    FROM_EARLIEST, /* at the newest record of each key, or all there is if nothing is compacted */
    FROM_LATEST,   /* behind what was there when it came */
    FROM_TIME,     /* at the first record of each partition that is not older */
    FROM_LAST,     /* at the last records */
};

enum { FROM_LAST_MAX = 10000 };

struct from {
    enum from_kind kind;
    int64_t value; /* milliseconds since 1970; how many records */
};

/* `earliest`, `latest`, a time (RFC 3339, in which a blank before the zone counts as a plus; or
 * milliseconds since 1970), or -N.  False, and `out` untouched, if it is nothing of that. */
bool from_parse(struct slice text, struct from *out);

/* Appends it as from_parse() takes it; a time is in UTC. */
void from_add(struct buf *out, const struct from *from);

#endif

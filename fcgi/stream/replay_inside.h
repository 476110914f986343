/* replay_inside - where a replay is: for replay.c, which goes on from there, replay_start.c and
 * replay_judge.c. */
#ifndef SKF_STREAM_REPLAY_INSIDE_H
#define SKF_STREAM_REPLAY_INSIDE_H

#include "stream/replay.h"
#include "stream/since.h"

struct replay {
    uint64_t pos;    /* the number to go on with */
    uint64_t judged; /* what was forgotten up to here is known not to matter */
    uint64_t losses; /* of the cache, when gaps were last looked for */
    struct progress at;
    struct progress spared; /* by partition: no_deletes of one that came late; empty: none */
    struct since *since;    /* NULL: of any time */
    struct place until;     /* see replay_until() */
    uint32_t to_find;       /* so many of the last records, back from `pos`, before it begins */
};

/* It is of a partition that is hidden, and beyond what is shown of that. */
static inline bool scope_hides(const struct replay_scope *scope, const struct record *record)
{
    return scope->shown != NULL &&
           record_next(record) > progress_get(scope->shown, record->partition);
}

#endif

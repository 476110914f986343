/* since - records from a time on: of each partition its first one that is not older, and all behind
 * that, whatever their times say. */
#ifndef SKF_STREAM_SINCE_H
#define SKF_STREAM_SINCE_H

#include "base/record.h"

struct since;

/* For a topic of n partitions; of those that come later all records pass. */
struct since *since_new(int64_t ms, int32_t n);
void since_free(struct since *s);

/* To be asked in the order of numbers; it may go back and ask again. */
bool since_passes(struct since *s, const struct record *record, uint64_t number);
/* A record of that partition was asked about. */
bool since_knows(const struct since *s, int32_t partition);

#endif

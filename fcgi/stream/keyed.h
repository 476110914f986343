/* keyed - the newest records of selected keys, found by the cache's index of keys. */
#ifndef SKF_STREAM_KEYED_H
#define SKF_STREAM_KEYED_H

#include "select/selection.h"
#include "topic/cache.h"

/* `{0}` is an empty one. */
struct keyed {
    uint64_t *numbers; /* of records, in order */
    size_t cap;
};
void keyed_fini(struct keyed *k);

/* How many keys there may be to look for: one of each partition. */
uint64_t keyed_count(const struct cache *c, const struct selection *s);
/* Finds those whose number is not below `from`; how many. */
size_t keyed_find(struct keyed *k, const struct cache *c, const struct selection *s, uint64_t from);

#endif

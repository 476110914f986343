/* keyindex - the newest entry of each (partition, key): an open-addressing hash table.
 *
 * Kafka compacts per partition, so the same key in two partitions is two keys.  The table is cut
 * into parts that grow one at a time: growing never stalls the loop for the whole of it.  The
 * entries belong to the cache. */
#ifndef SKF_TOPIC_KEYINDEX_H
#define SKF_TOPIC_KEYINDEX_H

#include "base/slice.h"

struct keyindex;
struct entry;

struct keyindex *keyindex_new(void);
void keyindex_free(struct keyindex *index);

/* Makes e the entry of its key and returns the one that it supersedes, or NULL. */
struct entry *keyindex_put(struct keyindex *index, struct entry *e);

/* The entry of that key, or NULL. */
struct entry *keyindex_get(const struct keyindex *index, int32_t partition, struct slice key);

/* Forgets e, which must be the entry of its key. */
void keyindex_remove(struct keyindex *index, const struct entry *e);

size_t keyindex_count(const struct keyindex *index);
/* The bytes that the table itself takes. */
size_t keyindex_bytes(const struct keyindex *index);

#endif

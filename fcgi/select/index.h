/* index - who wants which key: a record asks once, and those that it is not for are not looked at.
 *
 *     key -> want -> wish, wish, ...      a wish is one reader's, for one key
 *
 * Chained hashing, cut into parts that grow one at a time: growing never stalls the loop for the
 * whole of it. */
#ifndef SKF_SELECT_INDEX_H
#define SKF_SELECT_INDEX_H

#include <sys/queue.h>

#include "base/slice.h"

struct index;

/* A key that somebody wants. */
struct want {
    struct want *next; /* in its chain */
    LIST_HEAD(wish_list, wish) sole, among;
    uint32_t soles; /* so many are sole */
    /* Its owner's: the newest event of that key that came while somebody waits for one. */
    uint32_t at;
    void *block;
    uint32_t waiting; /* so many do */
    uint32_t due;     /* its place among those that are (stream/due.h) */
    uint32_t hash, key_len;
    uint8_t key[];
};

struct wish {
    LIST_ENTRY(wish) link; /* of its want */
    struct want *want;
};

struct index *index_new(void);
/* Nobody may want anything. */
void index_free(struct index *index);

/* The wish (the caller's) is for that key (copied).  `sole`: its reader wants nothing else. */
void index_add(struct index *index, struct wish *wish, struct slice key, bool sole);
void index_remove(struct index *index, struct wish *wish, bool sole);

/* NULL: nobody wants that key; p NULL, a record without one, is wanted by nobody. */
struct want *index_find(const struct index *index, struct slice key);
/* How many different keys are wanted. */
size_t index_count(const struct index *index);

#endif

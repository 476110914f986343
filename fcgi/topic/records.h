/* records - what the cache holds: a log of records under rising numbers (topic/segments.h), the
 * newest record of each key if the topic is compacted, and the deletes among them.  No policy
 * here: how long what is kept, and who must be told of what is lost, is the cache's. */
#ifndef SKF_TOPIC_RECORDS_H
#define SKF_TOPIC_RECORDS_H

#include "topic/segments.h"

/* To be read by the cache alone. */
struct records {
    struct segments *log;
    uint64_t end; /* the number of the next one */
    size_t count;
    TAILQ_HEAD(, deletion) deletions; /* the one that expires first is first */
    uint32_t *aged;                   /* by partition: how many of its records are aged ones */
    /* Its own. */
    bool compacted;
    int32_t partitions;
    size_t entry_bytes;
    struct keyindex *index;
    struct segments *trash; /* of before a reset: to free millions of records takes its time */
};

void records_init(struct records *rs);
void records_fini(struct records *rs);

/* Forgets all records and partitions; numbers go on rising. */
void records_reset(struct records *rs, bool compacted);
/* Frees some of what was forgotten. */
void records_free_some(struct records *rs);
bool records_all_freed(const struct records *rs);

/* It has n partitions now, never fewer than before. */
void records_set_partitions(struct records *rs, int32_t n);

/* Puts a record (copied) at the log's end and returns its number; the one of its key that it
 * supersedes goes.  `at` is the log's progress before it; expires_at_ms: of a delete. */
uint64_t records_append(struct records *rs, const struct record *r, const struct progress *at,
                        int64_t expires_at_ms);
/* The delete, which is in the log, expires at another time, the last one of all. */
void records_postpone(struct records *rs, struct deletion *d, int64_t expires_at_ms);
/* Takes an entry out of the log and frees it. */
void records_drop(struct records *rs, struct entry *e);

/* The number of the newest record of that key, if the topic is compacted; 0: there is none. */
uint64_t records_newest(const struct records *rs, int32_t partition, struct slice key);
/* Keys known, those deleted included; 0 if not compacted. */
size_t records_keys(const struct records *rs);
/* What all this takes, with what malloc adds. */
size_t records_bytes(const struct records *rs);

#endif

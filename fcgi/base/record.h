/* record - one record of a Kafka topic, as it is handed from room to room.  Its bytes are
 * borrowed: valid for the call that passes it. */
#ifndef SKF_BASE_RECORD_H
#define SKF_BASE_RECORD_H

#include "base/slice.h"

struct record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* the producer's or the broker's word; -1: none */
    struct slice key;     /* p NULL: no key */
    struct slice value;   /* p NULL: no value, a tombstone if there is a key */
    struct slice etag;    /* the record's header of that name; p NULL: none */
    struct slice headers; /* those that its topic keeps, packed (base/headers.h); p NULL: none */
    bool aged;            /* no record of Kafka's, but a delete that is to be told: the broker has
                             dropped the newest of that key.  It stands before `offset`. */
};

/* The partition's next offset behind it. */
static inline int64_t record_next(const struct record *r)
{
    return r->offset + !r->aged;
}

#endif

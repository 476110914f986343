/* cluster - the brokers and the topic's whole history: what was ever written, and what became of
 * it.  The fake librdkafka reads it as a consumer may; the model, as one who knows the truth. */
#ifndef SKF_SIMULATE_CLUSTER_H
#define SKF_SIMULATE_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { BROKERS = 3, PARTITIONS_MAX = 6, KEYS = 12, LIVES_MAX = 60, NO_KEY = -1, NO_VALUE = -1 };
enum {
    KEY_BYTES = 9,
    KEY_EMPTY = 10,
    KEY_LONG = 11,
    KEY_LONG_BYTES = 4096
}; /* those that are no words */

struct written {
    enum { PENDING, COMMITTED, ABORTED, MARKER } fate;
    int16_t key;        /* NO_KEY */
    int16_t born;       /* the life of the topic in which it was written */
    uint8_t read_by;    /* by number: responders that have fetched it since they started anew */
    bool gone;          /* the broker has it no more: compacted, or too old */
    bool aged;          /* likewise, and it was the newest of its key */
    int32_t size;       /* of the value; NO_VALUE */
    int64_t next;       /* the next one of its key that all can see; -1: it is the newest */
    int64_t timestamp;  /* as its producer has put it, by the wall clock */
    int64_t seen_ms;    /* since when consumers can see it */
    int64_t aged_ms;    /* when it became too old */
    int64_t cleaned_ms; /* of a delete: when what it supersedes was dropped; 0: not yet */
};

struct partition_log {
    struct written *at; /* by offset */
    int64_t end, cap;
    int64_t start;        /* the log's first offset */
    int64_t visible;      /* the last stable offset */
    int64_t altered;      /* its end when the policy was altered */
    int64_t newest[KEYS]; /* visible offset; -1: none */
    bool in_transaction;
    int leader; /* a broker; -1: none */
};

/* One life of the topic, from its making to its deletion, or to the loss of records that consumers
 * had seen (an unclean election), or to another cleanup.policy: what is left is another topic then.
 */
struct topic {
    int life; /* 1, 2, ... */
    int32_t n;
    bool compacted, ages; /* cleanup.policy */
    int64_t delete_retention_ms;
    int64_t shortest_retention_ms; /* that it ever had */
    int64_t made_ms;
    bool cut; /* it was the one before, but for a partition's records from `cut_end` on */
    int32_t cut_partition;
    int64_t cut_end;
    struct partition_log partitions[PARTITIONS_MAX];
};

struct broker {
    enum { BROKER_ANSWERS, BROKER_REFUSES, BROKER_HANGS } state;
    int64_t slow_ms; /* of each answer */
};

struct cluster_config {
    int32_t partitions;
    bool compacted, ages;
    int64_t delete_retention_ms;
};

/* on_change(arg) is called whenever a consumer may find something new. */
void cluster_begin(const struct cluster_config *config, void (*on_change)(void));
void cluster_end(void);

/* As it is now; NULL: there is none. */
struct topic *cluster_topic(void);
/* By its life, also a former one. */
const struct topic *cluster_life(int life);
int cluster_lives(void);
struct broker *cluster_broker(int broker);
/* How much longer than usual the load of a topic may take: many answers of the slowest broker, now
 * or a moment ago.  To be asked now and then. */
int64_t cluster_load_ms(void);
/* Tells of a change of the structs above. */
void cluster_changed(void);

/* -- what happens there -- */

/* Appends one record; inside the partition's transaction, if there is one.  Returns its offset. */
int64_t cluster_produce(int32_t partition, int key, int32_t size, int64_t timestamp);
void cluster_begin_transaction(int32_t partition);
void cluster_end_transaction(int32_t partition, bool commit);
/* The cleaner goes over all but the last `keep` offsets.  Deletes of which it has dropped for
 * delete.retention.ms, and for no less than `least_ms`, what they supersede go, too. */
void cluster_compact(int32_t partition, int64_t keep, int64_t least_ms);
/* All but the last `keep` offsets are too old. */
void cluster_age(int32_t partition, int64_t keep);
void cluster_add_partitions(int32_t n);
void cluster_delete_topic(void);
void cluster_make_topic(const struct cluster_config *config);
/* It is compacted from now on, or is not any more. */
void cluster_alter(void);
/* Deletes are kept for another time from now on. */
void cluster_retain(int64_t delete_retention_ms);
/* The partition's leader has lost the last `lost` offsets. */
void cluster_cut(int32_t partition, int64_t lost);

/* Consumers can reach its leader. */
bool cluster_served(int32_t partition);

/* -- what is in it -- */

/* The key's text, which may be any bytes, none, or thousands; and the partition and key of such a
 * text: false, if it is none. */
struct slice cluster_key(int32_t partition, int key);
bool cluster_parse_key(struct slice text, int32_t *partition, int *key);
/* The header that a record has; empty: most have none. */
void cluster_etag(int64_t offset, char text[16]);
/* The value, and what a client is to make of it; it begins with its place. */
void cluster_value(const struct topic *t, int32_t partition, int64_t offset, struct buf *out);
bool cluster_parse_value(struct slice text, int *born, int32_t *partition, int64_t *offset);

/* The bytes of all records that ever were and that are events. */
size_t cluster_event_bytes(void);
/* A record that consumers can see, or could before it was gone, and that is an event. */
bool cluster_shown(const struct topic *t, int32_t partition, int64_t offset);

#endif

/* round - one question to a leader: about its partitions, of all topics.  A survey's thread puts it
 * together and takes it apart under the survey's lock, and asks without. */
#ifndef SKF_KAFKA_ROUND_H
#define SKF_KAFKA_ROUND_H

#include "kafka/findings.h"

/* One topic of it. */
struct round_topic {
    struct findings *findings;
    uint64_t generation; /* an answer about another one is void */
    int32_t end;         /* of its extents */
};

struct round {
    int32_t leader;
    bool settled; /* it is about those partitions that are, or about the others */
    uint64_t ticket;
    int64_t asked_ms; /* by CLOCK_BOOTTIME */
    /* Its own. */
    struct extent *extents; /* topic by topic */
    int32_t n;
    struct round_topic *topics;
    const char **names;
    struct topic_id *ids;
    int32_t topics_n;
};

/* Such partitions of the topic that the leader has, by what is known; name and findings are
 * borrowed. */
void round_add(struct round *r, const char *name, struct findings *findings);
void round_ask(struct round *r, rd_kafka_t *rk);
/* Adds what was answered to what is known.  False if none of it is about topics that are still the
 * same; *answered: the leader has answered about one that is. */
bool round_merge(const struct round *r, bool *answered);
void round_fini(struct round *r);

#endif

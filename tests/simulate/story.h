/* story - what happens, as a list of steps that a seed has written.  Any of them can be taken out,
 * and the rest still makes a story. */
#ifndef SKF_SIMULATE_STORY_H
#define SKF_SIMULATE_STORY_H

#include "client.h"
#include "cluster.h"
#include "responder.h"

struct step {
    int64_t at_ms; /* since the story began */
    uint8_t kind;
    uint32_t a, b, c; /* what they mean is the kind's */
};

enum { CROWD_MAX = 100 };

/* Seeds from here on are of long stories: hours at life's own pace, in which little happens. */
#define LONG_SEEDS (UINT64_C(1) << 40)

struct story {
    uint64_t seed;
    unsigned responders;
    unsigned crowd; /* clients of a group */
    struct cluster_config cluster;
    struct responder_config responder;
    bool small_cache;
    bool forgets;               /* deletes come often, and are kept for a moment */
    uint32_t verify_ms;         /* at most, of a signature */
    int64_t length_ms, look_ms; /* and how often clients are looked at */
    int64_t token_s;            /* how long tokens last, at most */
    uint32_t wish_keys;         /* that a client names, at most */
    struct step *steps;         /* in the order of time */
    size_t n;
};

/* The story of that seed; the same each time. */
void story_write(struct story *s, uint64_t seed);
void story_fini(struct story *s);

#endif

/* play - plays a story: the responders, the clients, the cluster, step by step to its end, and some
 * quiet time, after which every client must know the topic. */
#ifndef SKF_SIMULATE_PLAY_H
#define SKF_SIMULATE_PLAY_H

#include "dice.h"
#include "story.h"

/* To the end, or until a rule is broken (world_breach()).  Returns the hours that streams were
 * open. */
double play(const struct story *story);

/* -- for clients -- */

/* A responder that listens: its descriptor and number; -1: there is none. */
int pool_pick(struct pool *pool, struct dice *d, unsigned *responder);
int64_t pool_runs_since_ms(const struct pool *pool, unsigned responder);
/* Since when consumers can reach the partition's leader; INT64_MAX: they cannot. */
int64_t pool_served_since_ms(int32_t partition);

/* Since when all responders answer their peers at once; INT64_MAX: one does not, or there is none.
 */
int64_t pool_answers_since_ms(const struct pool *pool);
/* All have done so for so long that what was sent to one before is known to all. */
bool pool_hears(const struct pool *pool);
/* When the last one went of which nobody has what it knew; 0: none did. */
int64_t pool_lost_ms(const struct pool *pool);
/* By the routes of which version it selects for its streams. */
unsigned pool_routes(const struct pool *pool, unsigned responder);

/* -- for steps -- */

/* A group comes, goes and slows down together; mostly it is one client. */
enum { GROUPS = 24, CLIENTS_MAX = GROUPS * CROWD_MAX };

struct pool {
    const struct story *story;
    struct responder *responders[RESPONDERS_MAX]; /* NULL: it does not run */
    struct client *clients[CLIENTS_MAX];          /* NULL: not come yet */
    unsigned n;                                   /* of clients that may come */
    struct subscription *shared;                  /* by all clients that have one handle */
    size_t handles;                               /* that there were ... */
    uint64_t handle_uses;                         /* ... and how often one may have been used */
    unsigned routes; /* the version that responders have that are started from now on */
    bool passed_on[RESPONDERS_MAX];
    int64_t lost_ms;
    int64_t silent_ms; /* when the last one ended that did not answer: it may have done so then */
    bool quiet;        /* the steps are over */
};

/* It ends, and passes on what it knows, if there is anybody who is to stay. */
void pool_drain_responder(struct pool *pool, unsigned responder);
/* It is started again after a while. */
void pool_free_responder(struct pool *pool, unsigned responder);
/* The clock of the responders' host is set. */
void pool_step_wall(struct pool *pool, int64_t by_ms);

#endif

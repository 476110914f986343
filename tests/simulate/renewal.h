/* renewal - a client's answer to a challenge: a POST with a new token, to any responder, again and
 * again until it is answered for good. */
#ifndef SKF_SIMULATE_RENEWAL_H
#define SKF_SIMULATE_RENEWAL_H

#include "response.h"
#include "world.h"

struct line;
struct pool;

struct renewal_try {
    struct pool *pool;
    uint64_t who; /* throws its dice */
    char name[16];
    char token[512], selector[512]; /* selector empty: the stream has none */
    void (*done)(void *arg, bool accepted);
    void *arg;
    struct errand go, read;
    struct line *line; /* NULL: none is under way */
    struct response response;
    int tries;
};

/* Both are free until renewal_start(). */
void renewal_init(struct renewal_try *r, struct pool *pool, uint64_t who,
                  void (*done)(void *arg, bool accepted), void *arg);
void renewal_start(struct renewal_try *r, const char *name, struct slice token,
                   struct slice selector, int64_t delay_ms);
void renewal_stop(struct renewal_try *r);

#endif

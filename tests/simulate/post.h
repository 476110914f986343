/* post - what a client posts: to any responder, again and again until it is answered for good. */
#ifndef SKF_SIMULATE_POST_H
#define SKF_SIMULATE_POST_H

#include "response.h"
#include "world.h"

struct line;
struct pool;

/* What it says; all of it is copied.  Empty: it has none. */
struct post_text {
    const char *what; /* it does by that, for the story; stays where it is */
    const char *path, *type;
    struct slice token, query, body;
};

struct post {
    struct pool *pool;
    uint64_t who; /* throws its dice */
    char name[16];
    const char *what;
    struct buf request;
    /* A try begins; was answered, with status 0 by nothing but the end.  last: it is not tried
     * again. */
    void (*on_try)(void *arg);
    void (*on_answer)(void *arg, int status, bool last);
    void *arg;
    struct errand go, read;
    struct line *line; /* NULL: none is under way */
    struct response response;
    int tries;
};

/* on_try and on_answer are the caller's to set. */
void post_init(struct post *p, struct pool *pool, uint64_t who, const char *name, void *arg);
void post_fini(struct post *p);
/* In place of the one that is under way. */
void post_start(struct post *p, const struct post_text *text, int64_t delay_ms);
void post_stop(struct post *p);
bool post_is_under_way(const struct post *p);

#endif

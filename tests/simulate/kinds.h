/* kinds - what clients are like: a new kind is a new row of the table in kinds.c. */
#ifndef SKF_SIMULATE_KINDS_H
#define SKF_SIMULATE_KINDS_H

#include "model.h"
#include "unwrap.h"

struct kind {
    const char *name;
    /* What it does before it comes, and comes back. */
    void (*prepare)(struct view *v, struct dice *d);
    uint32_t bytes; /* that it reads a second; UINT32_MAX: all that comes */
    int64_t room;   /* bytes that wait unread on their way to it, at most */
    bool in_url;    /* where it has its token */
    enum wish_way way;
    enum form form;
    enum handle_of {
        HANDLE_NONE,
        HANDLE_OWN,    /* it can be told what to select */
        HANDLE_SHARED, /* by all of its kind */
    } handle;
};

const struct kind *kind_of(unsigned kind);

#endif

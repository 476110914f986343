/* stay - what there is of a request while its stream is open: what is given back when it ends, and
 * what it asked for, where a new token, or who knows its handle, may have it select otherwise. */
#ifndef SKF_FRONT_STAY_H
#define SKF_FRONT_STAY_H

#include "front/admission.h"
#include "front/narrowing.h"
#include "front/snapshot.h"

struct stay;

/* What comes with a stream. */
struct stay_config {
    struct guest guest;
    size_t *streams;           /* counts it */
    struct session *session;   /* NULL: none */
    struct snapshot *snapshot; /* taken over; NULL: it is not finite */
    /* Where it may come to select otherwise both are taken over, and left empty. */
    struct destination *destination;
    struct narrowing *narrowing;
    struct selection *selection; /* counted by the stay */
    /* Of one that has a handle: in which table it is, as what; NULL: it has none. */
    struct handles *handles;
    struct token_hash key;
    bool resumes;            /* it goes on with what it was told */
    struct selection *route; /* what its route selects; counted by the stay */
};

/* In ns, the same for all responders of the host. */
uint64_t stay_clock(void);

struct stay *stay_new(struct stay_config *config);
/* For its stream, whose end is its own. */
struct stream_owner *stay_owner(struct stay *s);
/* See struct finite_opening. */
void stay_on_outcome(struct stream_owner *owner, enum finite_outcome outcome, struct slice place,
                     struct buf *text);
/* There is a stream now.  Another stream of its handle gives way to it. */
void stay_attach(struct stay *s, struct stream *stream);

/* It is to select what a form says, of what its route selects.  The form was read before. */
void stay_narrow(struct stay *s, struct slice form);
/* Its handle is another stream's now: it ends, and its client is not to come back. */
void stay_give_way(struct stay *s);

#endif

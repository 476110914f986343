/* stay - what there is of a request while its stream is open: what is given back when it ends, and
 * what it asked for, where a new token may have it select otherwise. */
#ifndef SKF_FRONT_STAY_H
#define SKF_FRONT_STAY_H

#include "front/admission.h"
#include "front/narrowing.h"

struct stay;

/* What comes with a stream. */
struct stay_config {
    struct admission *admission;
    struct guest guest;
    size_t *streams;         /* counts it */
    struct session *session; /* NULL: none */
    /* Where the route selects by claims both are taken over, and left empty. */
    struct destination *destination;
    struct narrowing *narrowing;
    struct selection *selection; /* counted by the stay */
};

struct stay *stay_new(struct stay_config *config);
/* There is a stream now. */
void stay_attach(struct stay *s, struct stream *stream);
/* The stream has ended. */
void stay_free(struct stay *s);

#endif

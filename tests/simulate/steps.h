/* steps - all that can happen in a story.  A new kind of step is a new row of the table. */
#ifndef SKF_SIMULATE_STEPS_H
#define SKF_SIMULATE_STEPS_H

#include "play.h"

struct step_kind {
    const char *name;
    unsigned percent; /* of stories that have it at all */
    unsigned weight;  /* how often it comes there, against the others */
    /* Does it and tells of it.  a, b and c of the step are any numbers. */
    void (*run)(struct pool *pool, const struct step *step);
};

extern const struct step_kind step_kinds[];
unsigned step_kinds_count(void);

/* What steps have broken is whole again: from now on nothing is left to excuse anybody. */
void steps_heal(struct pool *pool);

#endif

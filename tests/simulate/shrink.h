/* shrink - the shortest story that still breaks the same rule (delta debugging). */
#ifndef SKF_SIMULATE_SHRINK_H
#define SKF_SIMULATE_SHRINK_H

#include "trial.h"

/* Takes away from the story what is not needed to break that rule, for some real time at most. */
void shrink(struct story *story, const struct breach *breach);

#endif

/* memory - how much the responders may hold.
 *
 * What counts is the process's heap, without what the simulation itself holds there. */
#ifndef SKF_SIMULATE_MEMORY_H
#define SKF_SIMULATE_MEMORY_H

#include "play.h"

void memory_begin(void);
/* While anything may happen. */
void memory_check(const struct pool *pool);
/* It has been quiet for a while: what was under way is gone. */
void memory_check_quiet(const struct pool *pool);

#endif

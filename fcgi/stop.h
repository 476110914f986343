/* stop - how a responder comes to its end.
 *
 * Told for the first time it takes no more requests, answers those that have come, and ends its
 * streams one by one; told again it ends at once. */
#ifndef SKF_STOP_H
#define SKF_STOP_H

#include "program.h"

void stop(struct program *p);

/* Gives the listening socket up, if it has one. */
void stop_listening(struct program *p);

#endif

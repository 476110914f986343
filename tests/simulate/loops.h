/* loops - base/loop.h in simulated time: one loop for each responder, a turn at a time.
 *
 * What is ready in a turn (descriptors, timers) is called in an order that dice throw, and so are
 * the tasks that were deferred.  As the real loop does when there is much, a turn may stop early
 * and leave the rest of what is ready for the next one. */
#ifndef SKF_SIMULATE_LOOPS_H
#define SKF_SIMULATE_LOOPS_H

#include "base/loop.h"

/* When it has something to do: now or earlier, later, or never (INT64_MAX). */
int64_t loop_due_ms(const struct loop *loop);
void loop_turn(struct loop *loop);

/* What the watch waits for may have come. */
void watch_touch(struct watch *watch);

/* A signal has come. */
void loop_signal(struct loop *loop, int signo);
/* The wall clock was set. */
void loop_clock_stepped(struct loop *loop);

#endif

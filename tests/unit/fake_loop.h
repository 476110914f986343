/* fake_loop - a stand-in for base/loop.c: the clock stands still until the test moves it, and a
 * turn is taken when the test says so.  Descriptors are real. */
#ifndef SKF_UNIT_FAKE_LOOP_H
#define SKF_UNIT_FAKE_LOOP_H

#include "base/loop.h"

/* One turn: what is ready, urgent first, then the work that was deferred. */
void fake_loop_turn(void);
/* Turns until nothing is ready and no work is left. */
void fake_loop_settle(void);
/* Waits in real time, for what comes from another thread; a tenth of a second at most. */
void fake_loop_wait(void);
/* Time passes; the timers that become due in it are called in order, each with its turns. */
void fake_loop_pass(int64_t ms);
/* Time passes and nothing is done: the process is stopped. */
void fake_loop_stop(int64_t ms);

#endif

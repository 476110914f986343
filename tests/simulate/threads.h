/* threads - the program's threads as coroutines: one runs at a time, until it has to wait.
 *
 * Stands in for pthread_create() and what threads wait with.  Which of them goes on, and when, is
 * thrown by dice; a question that blocks (of librdkafka) is thread_sleep(). */
#ifndef SKF_SIMULATE_THREADS_H
#define SKF_SIMULATE_THREADS_H

#include <stdint.h>

/* The caller, a thread of the program, waits.  The loop's thread must not. */
void thread_sleep(int64_t ms);

/* The responder's process was stopped, and goes on. */
void threads_continue(unsigned responder);

/* The wall clock was set: who sleeps by it looks again. */
void threads_wall_stepped(void);

/* The responders have ended: so do their threads, in a while. */
void threads_end(void);

#endif

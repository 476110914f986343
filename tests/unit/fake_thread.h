/* fake_thread - a stand-in for pthread_create() and pthread_join(): the work of a thread is done at
 * once by its creator, or when the test says so. */
#ifndef SKF_UNIT_FAKE_THREAD_H
#define SKF_UNIT_FAKE_THREAD_H

#include <stdbool.h>

/* From now on threads wait for fake_thread_run(), or to be joined. */
void fake_thread_hold(bool hold);
/* Does the work of the one that waits; false if there is none. */
bool fake_thread_run(void);
/* The next one cannot be made. */
void fake_thread_fail(void);
/* How many were made since the last look. */
int fake_thread_count(void);

#endif

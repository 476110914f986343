#include "fake_thread.h"

#include <errno.h>
#include <pthread.h>

#include "support.h"

static void *(*held)(void *arg); /* NULL: none waits */
static void *held_arg;
static bool hold, fails;
static int count;

void fake_thread_hold(bool on)
{
    hold = on;
}

bool fake_thread_run(void)
{
    void *(*run)(void *arg) = held;

    held = NULL;
    if (run != NULL)
        run(held_arg);
    return run != NULL;
}

void fake_thread_fail(void)
{
    fails = true;
}

int fake_thread_count(void)
{
    int n = count;

    count = 0;
    return n;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
                          void *arg)
{
    (void)attr;
    if (fails) {
        fails = false;
        return EAGAIN;
    }
    assert_null(held);
    *thread = pthread_self();
    held = run;
    held_arg = arg;
    count++;
    if (!hold)
        fake_thread_run();
    return 0;
}

/* Waits until its work is done, so does it. */
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    (void)thread;
    (void)result;
    fake_thread_run();
    return 0;
}

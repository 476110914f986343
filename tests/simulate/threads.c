#include "threads.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>
#include <ucontext.h>

#include "base/mem.h"
#include "world.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 256 * 1024 };

/* Storage of pthread_mutex_t, pthread_cond_t and pthread_condattr_t. */
struct mutex {
    struct thread *holder;
};
struct condition {
    clockid_t clock;
};

struct thread {
    TAILQ_ENTRY(thread) link;
    jmp_buf context; /* where it stands; a switch by swapcontext() is two system calls */
    uint8_t *stack;
    void *(*run)(void *arg);
    void *arg;
    struct errand wake;
    const struct condition *waits_for; /* NULL: for time alone, or nothing */
    int64_t until_wall_ms;             /* its time-out is by the wall clock; 0: it is not */
    bool timed_out, begun, ended, detached;
    unsigned responder;
    bool late; /* it was to go on while its process was stopped */
    void *fake_stack;
};

static TAILQ_HEAD(, thread) all = TAILQ_HEAD_INITIALIZER(all);
static struct thread *running; /* NULL: the main thread, with its loops */
static struct thread main_thread;
/* What the main thread waits for, if it does. */
static const struct condition *loop_waits_for;
static bool loop_woken;
static const void *main_stack;
static size_t main_stack_size;

/* -- switching -- */

static void begin(void);

/* On a stack of its own.  It does not return, so AddressSanitizer would never unmark its frame. */
__attribute__((no_sanitize_address)) static void enter(struct thread *t)
{
    ucontext_t context;

    t->begun = true;
    getcontext(&context);
    context.uc_stack = (stack_t){.ss_sp = t->stack, .ss_size = STACK_BYTES};
    makecontext(&context, begin, 0);
    setcontext(&context);
    abort();
}

static void switch_to(struct thread *from, struct thread *to)
{
#ifdef __SANITIZE_ADDRESS__
    const void *bottom = to == &main_thread ? main_stack : to->stack;
    size_t size = to == &main_thread ? main_stack_size : STACK_BYTES;
    __sanitizer_start_switch_fiber(from->ended ? NULL : &from->fake_stack, bottom, size);
#endif
    if (_setjmp(from->context) == 0) {
        if (to == &main_thread || to->begun)
            _longjmp(to->context, 1);
        enter(to);
    }
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

static void to_main(void)
{
    struct thread *from = running;

    running = NULL;
    switch_to(from, &main_thread);
}

static void begin(void)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, &main_stack, &main_stack_size);
#endif
    running->run(running->arg);
    running->ended = true;
    to_main();
}

static void forget(struct thread *t)
{
    TAILQ_REMOVE(&all, t, link);
    errand_stop(&t->wake);
    world_give_back(t->stack, STACK_BYTES);
    free(t);
}

static void go_on(void *arg)
{
    struct thread *t = arg;

    assert(running == NULL);
    t->late = world_responder_stopped(t->responder);
    if (t->late)
        return;
    running = t;
    world_set_responder(t->responder);
    switch_to(&main_thread, t);
    if (t->ended && t->detached)
        forget(t);
}

/* Time passes for threads alone, until the next one has run: while a loop waits for one, it stands
 * still.  False if none goes on by then. */
static bool run_next(int64_t until_ms)
{
    struct thread *first = NULL, *t;

    TAILQ_FOREACH(t, &all, link)
    if (errand_started(&t->wake) && (!first || t->wake.node.at_ms < first->wake.node.at_ms))
        first = t;
    if (first == NULL || first->wake.node.at_ms > until_ms)
        return false;
    int64_t left = first->wake.node.at_ms - world_now_ms();
    world_pass(left > 0 ? left : 0);
    errand_stop(&first->wake);
    go_on(first);
    return true;
}

void threads_continue(unsigned responder)
{
    struct thread *t;

    TAILQ_FOREACH(t, &all, link)
    if (t->responder == responder && t->late)
        errand_start(&t->wake, 0);
}

void thread_sleep(int64_t ms)
{
    assert(running != NULL); /* a loop would stand still */
    errand_start(&running->wake, ms);
    to_main();
}

/* -- what the program calls -- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    struct thread *t = mem_zero(sizeof *t);

    int detached = PTHREAD_CREATE_JOINABLE;

    (void)main_stack, (void)main_stack_size; /* the sanitizer's */
    if (attr != NULL)
        pthread_attr_getdetachstate(attr, &detached);
    t->detached = detached == PTHREAD_CREATE_DETACHED;
    t->stack = world_grow(NULL, 0, STACK_BYTES);
    t->responder = world_responder();
    t->run = run;
    t->arg = arg;
    t->wake = (struct errand){.run = go_on, .arg = t, .amid = true};
    TAILQ_INSERT_TAIL(&all, t, link);
    errand_start(&t->wake, dice_below(world_dice(WHO_THREAD), 3));
    *thread = (pthread_t)t;
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct thread *t = (struct thread *)thread;

    (void)result;
    while (!t->ended && running == NULL)
        if (!run_next(INT64_MAX))
            world_breach("deadlock", "a thread is waited for that waits for ever itself");
    while (!t->ended)
        thread_sleep(1);
    forget(t);
    return 0;
}

int __wrap_pthread_mutex_init(struct mutex *m, const void *attr);
int __wrap_pthread_mutex_init(struct mutex *m, const void *attr)
{
    (void)attr;
    m->holder = NULL;
    return 0;
}

int __wrap_pthread_mutex_destroy(struct mutex *m);
int __wrap_pthread_mutex_destroy(struct mutex *m)
{
    assert(m->holder == NULL);
    return 0;
}

int __wrap_pthread_mutex_lock(struct mutex *m);
int __wrap_pthread_mutex_lock(struct mutex *m)
{
    if (running == NULL && m->holder != NULL)
        world_breach("blocking", "a loop waits for a lock whose holder waits");
    while (m->holder != NULL)
        thread_sleep(1);
    m->holder = running ? running : &main_thread;
    return 0;
}

int __wrap_pthread_mutex_unlock(struct mutex *m);
int __wrap_pthread_mutex_unlock(struct mutex *m)
{
    m->holder = NULL;
    return 0;
}

int __wrap_pthread_condattr_init(struct condition *attr);
int __wrap_pthread_condattr_init(struct condition *attr)
{
    attr->clock = CLOCK_REALTIME;
    return 0;
}

int __wrap_pthread_condattr_setclock(struct condition *attr, clockid_t clock);
int __wrap_pthread_condattr_setclock(struct condition *attr, clockid_t clock)
{
    attr->clock = clock;
    return 0;
}

int __wrap_pthread_condattr_destroy(struct condition *attr);
int __wrap_pthread_condattr_destroy(struct condition *attr)
{
    (void)attr;
    return 0;
}

int __wrap_pthread_cond_init(struct condition *c, const struct condition *attr);
int __wrap_pthread_cond_init(struct condition *c, const struct condition *attr)
{
    c->clock = attr ? attr->clock : CLOCK_REALTIME;
    return 0;
}

int __wrap_pthread_cond_destroy(struct condition *c);
int __wrap_pthread_cond_destroy(struct condition *c)
{
    (void)c;
    return 0;
}

int __wrap_pthread_cond_broadcast(struct condition *c);
int __wrap_pthread_cond_broadcast(struct condition *c)
{
    struct thread *t;

    loop_woken = loop_woken || loop_waits_for == c;
    TAILQ_FOREACH(t, &all, link)
    {
        if (t->waits_for != c)
            continue;
        t->waits_for = NULL;
        t->timed_out = false;
        errand_start(&t->wake, dice_below(world_dice(WHO_THREAD), 2));
    }
    return 0;
}

/* It may wake more than one: who waits must look again. */
int __wrap_pthread_cond_signal(struct condition *c);
int __wrap_pthread_cond_signal(struct condition *c)
{
    return __wrap_pthread_cond_broadcast(c);
}

/* With the lock given back meanwhile.  By CLOCK_REALTIME if by_wall; INT64_MAX: without a time-out.
 */
static int thread_waits(const struct condition *c, struct mutex *m, int64_t until_ms, bool by_wall)
{
    running->waits_for = c;
    running->timed_out = true;
    running->until_wall_ms = by_wall ? until_ms : 0;
    if (until_ms != INT64_MAX)
        errand_start(&running->wake, until_ms - (by_wall ? world_wall_ms() : world_now_ms()));
    m->holder = NULL;
    to_main();
    running->waits_for = NULL;
    running->until_wall_ms = 0;
    __wrap_pthread_mutex_lock(m);
    return running->timed_out ? ETIMEDOUT : 0;
}

static int loop_waits(const struct condition *c, struct mutex *m, int64_t until_ms)
{
    loop_waits_for = c;
    loop_woken = false;
    m->holder = NULL;
    while (!loop_woken && run_next(until_ms))
        ;
    if (!loop_woken && until_ms == INT64_MAX)
        world_breach("deadlock", "a loop waits for threads that wait for ever themselves");
    if (!loop_woken && until_ms > world_now_ms())
        world_pass(until_ms - world_now_ms());
    loop_waits_for = NULL;
    __wrap_pthread_mutex_lock(m);
    return loop_woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(struct condition *c, struct mutex *m);
int __wrap_pthread_cond_wait(struct condition *c, struct mutex *m)
{
    return running ? thread_waits(c, m, INT64_MAX, false) : loop_waits(c, m, INT64_MAX);
}

int __wrap_pthread_cond_timedwait(struct condition *c, struct mutex *m,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(struct condition *c, struct mutex *m,
                                  const struct timespec *until)
{
    int64_t until_ms = (int64_t)until->tv_sec * 1000 + (until->tv_nsec + 999999) / 1000000;
    bool by_wall = c->clock == CLOCK_REALTIME;

    if (running)
        return thread_waits(c, m, until_ms, by_wall);
    return loop_waits(c, m, until_ms - (by_wall ? world_wall_ms() - world_now_ms() : 0));
}

void threads_wall_stepped(void)
{
    struct thread *t;

    TAILQ_FOREACH(t, &all, link)
    if (t->until_wall_ms != 0 && t->waits_for != NULL)
        errand_start(&t->wake, t->until_wall_ms - world_wall_ms());
}

void threads_end(void)
{
    while (run_next(INT64_MAX))
        ;
    if (!TAILQ_EMPTY(&all))
        world_breach("deadlock", "a thread is left that waits for ever");
}

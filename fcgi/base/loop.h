/* loop - one thread's events: descriptors, timers, signals and deferred work.  A thin layer over
 * libevent, so that the rest of the program knows these few functions only.
 *
 * A turn of the loop is: wait, call what is ready, then run the tasks that were deferred in it. */
#ifndef SKF_BASE_LOOP_H
#define SKF_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;
struct watch;
struct timer;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
/* Returns after loop_stop(), at the end of that turn. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* A turn that takes over a second keeps all streams waiting: it is logged and counted. */
struct loop_turns {
    uint64_t count;
    int64_t busy_ms; /* in all of them */
    int64_t longest_ms;
    uint64_t long_ones;
    int64_t last_long_ms; /* by loop_now_ms(); 0: never */
};
const struct loop_turns *loop_turns(const struct loop *loop);

/* Milliseconds of a clock that never goes back, and goes on while the machine is suspended
 * (CLOCK_BOOTTIME): a suspend is to us what a stop of the process is. */
int64_t loop_now_ms(void);
/* Milliseconds since 1970 (CLOCK_REALTIME). */
int64_t loop_wall_ms(void);

/* Work for the end of this turn, or of the next one when deferred by another task.  The caller
 * owns the struct; deferring what is deferred already does nothing. */
struct task {
    void (*run)(void *arg);
    void *arg;
    bool queued;
    uint64_t turn; /* in which it was deferred */
    TAILQ_ENTRY(task) link;
};
void loop_defer(struct loop *loop, struct task *task);
void loop_cancel(struct loop *loop, struct task *task);

/* Calls ready(arg, what) whenever the descriptor is readable (or at its end) or writable.  With
 * LOOP_URGENT, for one descriptor of a loop, it comes before all others of a turn.  The descriptor
 * stays the caller's. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_URGENT = 4 };
struct watch *watch_new(struct loop *loop, int fd, int what, void (*ready)(void *arg, int what),
                        void *arg);
void watch_change(struct watch *watch, int what);
void watch_free(struct watch *watch);

/* A timer that is not running until timer_start(); starting it again moves it. */
struct timer *timer_new(struct loop *loop, void (*due)(void *arg), void *arg);
void timer_start(struct timer *timer, int64_t delay_ms);
void timer_stop(struct timer *timer);
bool timer_running(const struct timer *timer);
void timer_free(struct timer *timer);

/* Calls caught(arg) in the loop for each such signal; stays until loop_free(). */
void loop_on_signal(struct loop *loop, int signo, void (*caught)(void *arg), void *arg);

/* Calls stepped(arg) after the wall clock was set, or the machine woke from a suspend; stays until
 * loop_free(). */
void loop_on_clock_step(struct loop *loop, void (*stepped)(void *arg), void *arg);

#endif

#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    EVENTS_MS = 5, /* of what is ready in one turn */
    LONG_TURN_MS = 1000,
    FAR_S = 10 * 366 * 86400, /* ten years: a timer that is not to come */
};
enum { PRIORITY_URGENT, PRIORITY_NORMAL, PRIORITIES };

struct watch {
    struct event event;
    void (*ready)(void *arg, int what);
    void *arg;
    struct loop *loop;
};

struct timer {
    struct event event;
    struct loop *loop;
    void (*due)(void *arg);
    void *arg;
};

struct signal_watch {
    struct event event;
    struct loop *loop;
    void (*caught)(void *arg);
    void *arg;
    SLIST_ENTRY(signal_watch) link;
};

/* A timer of the wall clock that never comes, but is cancelled when that clock is set. */
struct clock_watch {
    struct watch *watch;
    int fd;
    void (*stepped)(void *arg);
    void *arg;
    SLIST_ENTRY(clock_watch) link;
};

struct loop {
    struct event_base *base;
    TAILQ_HEAD(, task) tasks;
    uint64_t turn;
    struct watch *served; /* the urgent one, when it has had its turn */
    SLIST_HEAD(, signal_watch) signals;
    SLIST_HEAD(, clock_watch) clocks;
    int64_t turn_began_ms;   /* with its first callback; 0: it waits */
    int64_t events_began_ms; /* those of the turn that are not urgent */
    struct loop_turns turns;
    bool stopped;
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_zero(sizeof *loop);

    TAILQ_INIT(&loop->tasks);
    SLIST_INIT(&loop->signals);
    SLIST_INIT(&loop->clocks);
    loop->base = event_base_new();
    if (loop->base == NULL || event_base_priority_init(loop->base, PRIORITIES) < 0)
        abort(); /* only out of memory or descriptors at the very start */
    return loop;
}

void loop_free(struct loop *loop)
{
    struct signal_watch *s;
    struct clock_watch *c;

    while ((c = SLIST_FIRST(&loop->clocks)) != NULL) {
        SLIST_REMOVE_HEAD(&loop->clocks, link);
        watch_free(c->watch);
        close(c->fd);
        free(c);
    }
    while ((s = SLIST_FIRST(&loop->signals)) != NULL) {
        SLIST_REMOVE_HEAD(&loop->signals, link);
        event_del(&s->event);
        free(s);
    }
    event_base_free(loop->base);
    free(loop);
}

/* The turn's time counts from what it does first, not from its waiting for that. */
static void begin_turn(struct loop *loop)
{
    if (loop->turn_began_ms == 0)
        loop->events_began_ms = loop->turn_began_ms = loop_now_ms();
}

/* Thousands may be ready at once: the others keep their place, behind what is urgent and what was
 * deferred.  What is urgent takes no time of theirs: while it stays ready, it is first in every
 * turn. */
static void end_events_in_time(struct loop *loop, bool urgent)
{
    int64_t now = loop_now_ms();

    if (urgent)
        loop->events_began_ms = now;
    else if (now - loop->events_began_ms >= EVENTS_MS)
        event_base_loopbreak(loop->base);
}

static void end_turn(struct loop *loop)
{
    int64_t now = loop_now_ms(), took = now - loop->turn_began_ms;

    if (loop->turn_began_ms == 0)
        return;
    loop->turn_began_ms = 0;
    loop->turns.count++;
    loop->turns.busy_ms += took;
    if (took > loop->turns.longest_ms)
        loop->turns.longest_ms = took;
    if (took <= LONG_TURN_MS)
        return;
    loop->turns.long_ones++;
    loop->turns.last_long_ms = now;
    log_warn("loop: a turn took %lld ms, all streams had to wait", (long long)took);
}

const struct loop_turns *loop_turns(const struct loop *loop)
{
    return &loop->turns;
}

static void run_tasks(struct loop *loop)
{
    struct task *task;
    uint64_t turn = loop->turn++;

    if (!TAILQ_EMPTY(&loop->tasks))
        begin_turn(loop);
    /* What a task defers is for the next turn. */
    while ((task = TAILQ_FIRST(&loop->tasks)) != NULL && task->turn <= turn) {
        loop_cancel(loop, task);
        task->run(task->arg);
    }
}

/* libevent calls the most urgent that are ready, and looks again before it calls others: what stays
 * ready would starve them.  So an urgent watch is off for the rest of its turn. */
static void run_events(struct loop *loop)
{
    int more = TAILQ_EMPTY(&loop->tasks) ? 0 : EVLOOP_NONBLOCK;

    event_base_loop(loop->base, EVLOOP_ONCE | more);
    if (loop->served != NULL)
        event_add(&loop->served->event, NULL);
    loop->served = NULL;
}

void loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        run_events(loop);
        run_tasks(loop);
        end_turn(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t loop_now_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

int64_t loop_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

void loop_defer(struct loop *loop, struct task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->turn = loop->turn;
    TAILQ_INSERT_TAIL(&loop->tasks, task, link);
}

void loop_cancel(struct loop *loop, struct task *task)
{
    if (!task->queued)
        return;
    task->queued = false;
    TAILQ_REMOVE(&loop->tasks, task, link);
}

static bool is_urgent(const struct watch *watch)
{
    return event_get_priority(&watch->event) == PRIORITY_URGENT;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct watch *watch = arg;
    struct loop *loop = watch->loop; /* the watch may be freed meanwhile */
    bool urgent = is_urgent(watch);

    (void)fd;
    begin_turn(loop);
    if (urgent) {
        event_del(&watch->event);
        loop->served = watch;
    }
    watch->ready(watch->arg,
                 ((what & EV_READ) ? LOOP_READ : 0) | ((what & EV_WRITE) ? LOOP_WRITE : 0));
    end_events_in_time(loop, urgent);
}

static void watch_add(struct watch *watch, int fd, int what)
{
    short events = EV_PERSIST;

    if (what & LOOP_READ)
        events |= EV_READ;
    if (what & LOOP_WRITE)
        events |= EV_WRITE;
    event_assign(&watch->event, watch->loop->base, fd, events, on_ready, watch);
    event_priority_set(&watch->event, what & LOOP_URGENT ? PRIORITY_URGENT : PRIORITY_NORMAL);
    event_add(&watch->event, NULL);
}

struct watch *watch_new(struct loop *loop, int fd, int what, void (*ready)(void *arg, int what),
                        void *arg)
{
    struct watch *watch = mem_zero(sizeof *watch);

    watch->loop = loop;
    watch->ready = ready;
    watch->arg = arg;
    watch_add(watch, fd, what);
    return watch;
}

void watch_change(struct watch *watch, int what)
{
    int fd = event_get_fd(&watch->event);

    event_del(&watch->event);
    watch_add(watch, fd, what);
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->loop->served == watch)
        watch->loop->served = NULL;
    event_del(&watch->event);
    free(watch);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct timer *timer = arg;

    (void)fd;
    (void)what;
    begin_turn(timer->loop);
    timer->due(timer->arg);
}

struct timer *timer_new(struct loop *loop, void (*due)(void *arg), void *arg)
{
    struct timer *timer = mem_zero(sizeof *timer);

    timer->loop = loop;
    timer->due = due;
    timer->arg = arg;
    evtimer_assign(&timer->event, loop->base, on_due, timer);
    return timer;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    if (delay_ms < 0)
        delay_ms = 0;
    struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};
    evtimer_add(&timer->event, &delay);
}

void timer_stop(struct timer *timer)
{
    evtimer_del(&timer->event);
}

bool timer_running(const struct timer *timer)
{
    return evtimer_pending(&timer->event, NULL);
}

void timer_free(struct timer *timer)
{
    if (timer == NULL)
        return;
    evtimer_del(&timer->event);
    free(timer);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct signal_watch *s = arg;

    (void)fd;
    (void)what;
    begin_turn(s->loop);
    s->caught(s->arg);
}

void loop_on_signal(struct loop *loop, int signo, void (*caught)(void *arg), void *arg)
{
    struct signal_watch *s = mem_zero(sizeof *s);

    s->loop = loop;
    s->caught = caught;
    s->arg = arg;
    evsignal_assign(&s->event, loop->base, signo, on_signal, s);
    evsignal_add(&s->event, NULL);
    SLIST_INSERT_HEAD(&loop->signals, s, link);
}

static void arm_clock(const struct clock_watch *c)
{
    struct itimerspec far = {0};

    clock_gettime(CLOCK_REALTIME, &far.it_value);
    far.it_value.tv_sec += FAR_S;
    timerfd_settime(c->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void on_clock(void *arg, int what)
{
    struct clock_watch *c = arg;
    uint64_t expirations;

    (void)what;
    ssize_t n = read(c->fd, &expirations, sizeof expirations);
    bool stepped = n < 0 && errno == ECANCELED;
    arm_clock(c);
    if (stepped)
        c->stepped(c->arg);
}

void loop_on_clock_step(struct loop *loop, void (*stepped)(void *arg), void *arg)
{
    struct clock_watch *c = mem_zero(sizeof *c);

    c->stepped = stepped;
    c->arg = arg;
    c->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    arm_clock(c);
    c->watch = watch_new(loop, c->fd, LOOP_READ, on_clock, c);
    SLIST_INSERT_HEAD(&loop->clocks, c, link);
}

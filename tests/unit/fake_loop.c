#include "fake_loop.h"

#include <poll.h>
#include <stdlib.h>

#include "support.h"

struct watch {
    TAILQ_ENTRY(watch) link;
    uint64_t serial; /* an address may come back, this does not */
    int fd, what;
    void (*ready)(void *arg, int what);
    void *arg;
};

struct timer {
    TAILQ_ENTRY(timer) link;
    bool running;
    int64_t at_ms;
    void (*due)(void *arg);
    void *arg;
};

struct loop {
    TAILQ_HEAD(, watch) watches;
    TAILQ_HEAD(, timer) timers;
    TAILQ_HEAD(, task) tasks;
    uint64_t serial;
};

static struct loop the_loop = {
    .watches = TAILQ_HEAD_INITIALIZER(the_loop.watches),
    .timers = TAILQ_HEAD_INITIALIZER(the_loop.timers),
    .tasks = TAILQ_HEAD_INITIALIZER(the_loop.tasks),
};
static int64_t now_ms = 1000000;

struct loop *loop_new(void)
{
    return &the_loop;
}

void loop_free(struct loop *loop)
{
    assert_true(TAILQ_EMPTY(&loop->watches));
    assert_true(TAILQ_EMPTY(&loop->timers));
    assert_true(TAILQ_EMPTY(&loop->tasks));
}

int64_t loop_now_ms(void)
{
    return now_ms;
}

int64_t loop_wall_ms(void)
{
    return INT64_C(1800000000000) + now_ms;
}

void loop_defer(struct loop *loop, struct task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    TAILQ_INSERT_TAIL(&loop->tasks, task, link);
}

void loop_cancel(struct loop *loop, struct task *task)
{
    if (task->queued)
        TAILQ_REMOVE(&loop->tasks, task, link);
    task->queued = false;
}

struct watch *watch_new(struct loop *loop, int fd, int what, void (*ready)(void *arg, int what),
                        void *arg)
{
    struct watch *w = malloc(sizeof *w);

    *w = (struct watch){
        .serial = ++loop->serial, .fd = fd, .what = what, .ready = ready, .arg = arg};
    TAILQ_INSERT_TAIL(&loop->watches, w, link);
    return w;
}

void watch_change(struct watch *watch, int what)
{
    watch->what = what;
}

void watch_free(struct watch *watch)
{
    if (watch != NULL)
        TAILQ_REMOVE(&the_loop.watches, watch, link);
    free(watch);
}

struct timer *timer_new(struct loop *loop, void (*due)(void *arg), void *arg)
{
    struct timer *t = malloc(sizeof *t);

    *t = (struct timer){.due = due, .arg = arg};
    TAILQ_INSERT_TAIL(&loop->timers, t, link);
    return t;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    timer->at_ms = now_ms + (delay_ms > 0 ? delay_ms : 0);
    timer->running = true;
}

void timer_stop(struct timer *timer)
{
    timer->running = false;
}

bool timer_running(const struct timer *timer)
{
    return timer->running;
}

void timer_free(struct timer *timer)
{
    if (timer != NULL)
        TAILQ_REMOVE(&the_loop.timers, timer, link);
    free(timer);
}

static struct watch *find(uint64_t serial)
{
    struct watch *w;

    TAILQ_FOREACH(w, &the_loop.watches, link)
    if (w->serial == serial)
        return w;
    return NULL;
}

enum { MAX_WATCHES = 4096 };
static struct pollfd fds[MAX_WATCHES];
static uint64_t serials[MAX_WATCHES];

/* Polls the urgent, or the others. */
static nfds_t poll_watches(int urgent, int timeout_ms)
{
    nfds_t n = 0;
    struct watch *w;

    TAILQ_FOREACH(w, &the_loop.watches, link)
    {
        if ((w->what & LOOP_URGENT) != urgent)
            continue;
        assert_true(n < MAX_WATCHES);
        serials[n] = w->serial;
        fds[n++] = (struct pollfd){.fd = w->fd,
                                   .events = (short)((w->what & LOOP_READ ? POLLIN : 0) |
                                                     (w->what & LOOP_WRITE ? POLLOUT : 0))};
    }
    poll(fds, n, timeout_ms);
    return n;
}

/* Calls what is ready; false if nothing was. */
static bool call_ready(int urgent)
{
    nfds_t n = poll_watches(urgent, 0);
    bool called = false;

    for (nfds_t i = 0; i < n; i++) {
        int what = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) ? LOOP_READ : 0) |
                   (fds[i].revents & (POLLOUT | POLLHUP | POLLERR) ? LOOP_WRITE : 0);
        struct watch *w = what ? find(serials[i]) : NULL;
        if (w == NULL || !(what & w->what))
            continue;
        called = true;
        w->ready(w->arg, what & w->what);
    }
    return called;
}

/* What a task defers is for the next turn. */
static bool run_tasks(void)
{
    struct task *task, *run[64];
    size_t n = 0;

    TAILQ_FOREACH(task, &the_loop.tasks, link)
    {
        assert_true(n < sizeof run / sizeof run[0]);
        run[n++] = task;
    }
    for (size_t i = 0; i < n; i++) {
        if (!run[i]->queued)
            continue;
        loop_cancel(&the_loop, run[i]);
        run[i]->run(run[i]->arg);
    }
    return n > 0;
}

static bool turn(void)
{
    bool urgent = call_ready(LOOP_URGENT), others = call_ready(0), tasks = run_tasks();

    return urgent || others || tasks;
}

void fake_loop_turn(void)
{
    turn();
}

void fake_loop_settle(void)
{
    for (int i = 0; turn(); i++)
        assert_true(i < 100000);
}

void fake_loop_wait(void)
{
    poll_watches(0, 100);
}

void fake_loop_stop(int64_t ms)
{
    now_ms += ms;
}

void fake_loop_pass(int64_t ms)
{
    int64_t until = now_ms + ms;

    for (;;) {
        struct timer *t, *first = NULL;
        TAILQ_FOREACH(t, &the_loop.timers, link)
        if (t->running && t->at_ms <= until && (first == NULL || t->at_ms < first->at_ms))
            first = t;
        if (first == NULL)
            break;
        if (first->at_ms > now_ms)
            now_ms = first->at_ms;
        first->running = false;
        first->due(first->arg);
        fake_loop_settle();
    }
    now_ms = until;
}

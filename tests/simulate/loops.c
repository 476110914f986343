#include "loops.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sockets.h"
#include "world.h"

enum {
    CREEP_PERMILLE = 30, /* that time passes while the clock is looked at */
    CREEP_MS = 4,
    /* A turn that has looked so often does so for each of many records, and they are quick. */
    QUICK = 50,
    QUICK_PERMILLE = 1,
    STOP_EARLY_PERCENT = 10,
    SIGNALS_MAX = 8,
};

static unsigned looks; /* at the clock, in this turn of any loop */

struct watch {
    LIST_ENTRY(watch) link;
    TAILQ_ENTRY(watch) touched_link;
    bool touched; /* it is to be looked at */
    struct loop *loop;
    int fd, what;
    void (*ready)(void *arg, int what);
    void *arg;
};

struct timer {
    struct heap_node node;
    struct loop *loop;
    uint64_t serial;
    void (*due)(void *arg);
    void *arg;
};

/* What a turn has found ready; neither: it was freed meanwhile. */
struct call {
    struct watch *watch;
    struct timer *timer;
    int what;
};

struct loop {
    unsigned number;
    LIST_HEAD(, watch) watches;
    TAILQ_HEAD(, watch) looked_at; /* those that were touched */
    TAILQ_HEAD(, task) tasks;
    struct heap timers;
    uint64_t serial, turn;
    bool touched, stopped;
    struct call *calls; /* of this turn */
    size_t calls_n, calls_cap;
    struct {
        int signo;
        void (*caught)(void *arg);
        void *arg;
    } signals[SIGNALS_MAX];
    size_t signals_n;
    void (*stepped)(void *arg);
    void *stepped_arg;
    struct loop_turns turns;
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_zero(sizeof *loop);

    looks = 0;
    loop->number = world_responder();
    LIST_INIT(&loop->watches);
    TAILQ_INIT(&loop->looked_at);
    TAILQ_INIT(&loop->tasks);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!LIST_EMPTY(&loop->watches) || !TAILQ_EMPTY(&loop->tasks))
        world_breach("left over", "a watch or a task is left when the loop is freed");
    heap_fini(&loop->timers);
    free(loop->calls);
    free(loop);
}

void loop_run(struct loop *loop)
{
    (void)loop;
    abort(); /* loop_turn() is called instead */
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

const struct loop_turns *loop_turns(const struct loop *loop)
{
    return &loop->turns;
}

/* Time passes within a turn, too, and other threads go on meanwhile. */
int64_t loop_now_ms(void)
{
    struct dice *d = world_dice(WHO_LOOP + 4095);

    if (dice_below(d, 1000) < (looks++ < QUICK ? CREEP_PERMILLE : QUICK_PERMILLE)) {
        world_pass(dice_below(d, CREEP_MS));
        while (world_run_errand_amid())
            ;
    }
    return world_now_ms();
}

int64_t loop_wall_ms(void)
{
    return world_wall_ms();
}

/* -- tasks -- */

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

/* Any of those that were deferred in this turn, or before; NULL: they were run. */
static struct task *pick_task(struct loop *loop, uint64_t turn)
{
    struct task *task, *picked = NULL;
    uint32_t n = 0;

    TAILQ_FOREACH(task, &loop->tasks, link)
    if (task->turn <= turn && dice_below(world_dice(WHO_LOOP + loop->number), ++n) == 0)
        picked = task;
    return picked;
}

static void run_tasks(struct loop *loop)
{
    struct task *task;
    uint64_t turn = loop->turn++;

    while ((task = pick_task(loop, turn)) != NULL) {
        loop_cancel(loop, task);
        task->run(task->arg);
    }
}

/* -- descriptors -- */

void watch_touch(struct watch *watch)
{
    watch->loop->touched = true;
    if (watch->touched)
        return;
    watch->touched = true;
    TAILQ_INSERT_TAIL(&watch->loop->looked_at, watch, touched_link);
}

static void untouch(struct watch *watch)
{
    if (watch->touched)
        TAILQ_REMOVE(&watch->loop->looked_at, watch, touched_link);
    watch->touched = false;
}

struct watch *watch_new(struct loop *loop, int fd, int what, void (*ready)(void *arg, int what),
                        void *arg)
{
    struct watch *w = mem_zero(sizeof *w);

    *w = (struct watch){.loop = loop, .fd = fd, .what = what, .ready = ready, .arg = arg};
    LIST_INSERT_HEAD(&loop->watches, w, link);
    socket_watched(fd, loop, w);
    watch_touch(w);
    return w;
}

void watch_change(struct watch *watch, int what)
{
    watch->what = what;
    watch_touch(watch);
}

/* A call of it is not made. */
static void forget_calls(struct loop *loop, const struct watch *watch, const struct timer *timer)
{
    for (size_t i = 0; i < loop->calls_n; i++)
        if ((watch != NULL && loop->calls[i].watch == watch) ||
            (timer != NULL && loop->calls[i].timer == timer))
            loop->calls[i] = (struct call){.what = 0};
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    forget_calls(watch->loop, watch, NULL);
    untouch(watch);
    socket_unwatched(watch->fd, watch);
    LIST_REMOVE(watch, link);
    free(watch);
}

/* -- timers -- */

struct timer *timer_new(struct loop *loop, void (*due)(void *arg), void *arg)
{
    struct timer *t = mem_zero(sizeof *t);

    *t = (struct timer){.loop = loop, .serial = ++loop->serial, .due = due, .arg = arg};
    return t;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    timer_stop(timer);
    timer->node.at_ms = world_now_ms() + (delay_ms > 0 ? delay_ms : 0);
    timer->node.order = timer->serial;
    heap_add(&timer->loop->timers, &timer->node);
}

void timer_stop(struct timer *timer)
{
    heap_remove(&timer->loop->timers, &timer->node);
}

bool timer_running(const struct timer *timer)
{
    return timer->node.place != 0;
}

void timer_free(struct timer *timer)
{
    if (timer == NULL)
        return;
    forget_calls(timer->loop, NULL, timer);
    timer_stop(timer);
    free(timer);
}

/* -- turns -- */

static void add_call(struct loop *loop, struct call call)
{
    if (loop->calls_n == loop->calls_cap) {
        loop->calls_cap = loop->calls_cap ? 2 * loop->calls_cap : 16;
        loop->calls = mem_resize_array(loop->calls, loop->calls_cap, sizeof *loop->calls);
    }
    loop->calls[loop->calls_n++] = call;
}

/* One that is ready is looked at again in the next turn. */
static void look_at_watches(struct loop *loop, bool urgent)
{
    struct watch *w, *next;

    for (w = TAILQ_FIRST(&loop->looked_at); w != NULL; w = next) {
        next = TAILQ_NEXT(w, touched_link);
        if (!(w->what & LOOP_URGENT) != !urgent)
            continue;
        int what = socket_ready(w->fd, w->what);
        if (what)
            add_call(loop, (struct call){.watch = w, .what = what});
        else
            untouch(w);
    }
}

static void look_at_timers(struct loop *loop)
{
    struct heap_node *first;

    while ((first = heap_first(&loop->timers)) != NULL && first->at_ms <= world_now_ms()) {
        struct timer *t = (struct timer *)first; /* its first member */
        timer_stop(t);
        add_call(loop, (struct call){.timer = t});
    }
    /* A callback may stop one, or free it: until then they count as running. */
    for (size_t i = 0; i < loop->calls_n; i++)
        if (loop->calls[i].timer != NULL)
            heap_add(&loop->timers, &loop->calls[i].timer->node);
}

static bool is_due(const struct timer *timer)
{
    return timer_running(timer) && timer->node.at_ms <= world_now_ms();
}

static void make_call(const struct call *call)
{
    if (call->timer != NULL && is_due(call->timer)) {
        timer_stop(call->timer);
        call->timer->due(call->timer->arg);
    } else if (call->watch != NULL) {
        int what = call->what & call->watch->what;
        if (what)
            call->watch->ready(call->watch->arg, what);
    }
}

/* In any order; what is left over when the turn stops early is found again in the next one. */
static void make_calls(struct loop *loop)
{
    struct dice *d = world_dice(WHO_LOOP + loop->number);
    bool early = dice_chance(d, STOP_EARLY_PERCENT);

    while (loop->calls_n > 0) {
        size_t i = dice_below(world_dice(WHO_LOOP + loop->number), (uint32_t)loop->calls_n);
        struct call call = loop->calls[i];
        loop->calls[i] = loop->calls[--loop->calls_n];
        make_call(&call);
        if (early && dice_chance(world_dice(WHO_LOOP + loop->number), 50))
            break;
    }
    loop->touched = loop->calls_n > 0;
    loop->calls_n = 0;
}

int64_t loop_due_ms(const struct loop *loop)
{
    const struct heap_node *timer = heap_first(&loop->timers);

    if (loop->touched || !TAILQ_EMPTY(&loop->tasks))
        return world_now_ms();
    return timer ? timer->at_ms : INT64_MAX;
}

void loop_turn(struct loop *loop)
{
    looks = 0;
    loop->touched = false;
    loop->calls_n = 0;
    look_at_watches(loop, true);
    make_calls(loop);
    look_at_watches(loop, false);
    look_at_timers(loop);
    bool some = loop->calls_n > 0;
    make_calls(loop);
    run_tasks(loop);
    loop->touched = loop->touched || some; /* what is still ready is called again */
    loop->turns.count++;
}

/* -- signals and the wall clock -- */

void loop_on_signal(struct loop *loop, int signo, void (*caught)(void *arg), void *arg)
{
    assert(loop->signals_n < SIGNALS_MAX);
    loop->signals[loop->signals_n].signo = signo;
    loop->signals[loop->signals_n].caught = caught;
    loop->signals[loop->signals_n++].arg = arg;
}

void loop_signal(struct loop *loop, int signo)
{
    for (size_t i = 0; i < loop->signals_n; i++)
        if (loop->signals[i].signo == signo)
            loop->signals[i].caught(loop->signals[i].arg);
}

void loop_on_clock_step(struct loop *loop, void (*stepped)(void *arg), void *arg)
{
    assert(loop->stepped == NULL);
    loop->stepped = stepped;
    loop->stepped_arg = arg;
}

void loop_clock_stepped(struct loop *loop)
{
    if (loop->stepped != NULL)
        loop->stepped(loop->stepped_arg);
}

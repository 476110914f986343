#include "base/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "support.h"

/* The loop's clock, if it is ours to move. */
static int64_t clock_ms; /* 0: the real one */
static time_t suspended_s;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    if (clock_ms == 0) {
        int done = __real_clock_gettime(clock, t);
        t->tv_sec += clock == CLOCK_BOOTTIME ? suspended_s : 0;
        return done;
    }
    *t = (struct timespec){clock_ms / 1000, clock_ms % 1000 * 1000000};
    return 0;
}

/* When the last timer of the wall clock was to come. */
static time_t far_s;

int __real_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old)
{
    far_s = t->it_value.tv_sec;
    return __real_timerfd_settime(fd, flags, t, old);
}

/* Everything that is called notes its letter; the loop stops after the last one. */
static struct loop *loop;
static char notes[64];
static char stop_after;

static void note(char letter)
{
    size_t n = strlen(notes);

    assert_true(n < sizeof notes - 1);
    notes[n] = letter;
    if (letter == stop_after)
        loop_stop(loop);
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    memset(notes, 0, sizeof notes);
    stop_after = 0;
    clock_ms = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

struct step {
    struct task task;
    char letter;
    struct step *defers, *cancels;
};

static void run_step(void *arg)
{
    struct step *s = arg;

    note(s->letter);
    if (s->cancels)
        loop_cancel(loop, &s->cancels->task);
    if (s->defers)
        loop_defer(loop, &s->defers->task);
}

#define STEP(name) struct step name = {.task = {.run = run_step, .arg = &name}, .letter = #name[0]}

static void deferred_work_is_done_in_order(void **state)
{
    STEP(a);
    STEP(b);
    STEP(c);

    (void)state;
    loop_defer(loop, &b.task);
    loop_defer(loop, &a.task);
    loop_defer(loop, &c.task);
    stop_after = 'c';
    loop_run(loop);
    assert_string_equal(notes, "bac");
}

static void work_that_is_deferred_twice_is_done_once(void **state)
{
    STEP(a);
    STEP(b);

    (void)state;
    loop_defer(loop, &a.task);
    loop_defer(loop, &b.task);
    loop_defer(loop, &a.task);
    stop_after = 'b';
    loop_run(loop);
    assert_string_equal(notes, "ab");
}

static void cancelled_work_is_not_done(void **state)
{
    STEP(a);
    STEP(b);
    STEP(c);

    (void)state;
    b.cancels = &c;
    loop_defer(loop, &a.task);
    loop_defer(loop, &b.task);
    loop_defer(loop, &c.task);
    loop_cancel(loop, &a.task);
    loop_cancel(loop, &a.task);
    stop_after = 'b';
    loop_run(loop);
    assert_string_equal(notes, "b");
}

static void on_ready(void *arg, int what)
{
    (void)what;
    note(*(const char *)arg);
}

/* A descriptor that is readable in each turn, so that turns can be seen. */
static struct watch *watch_turns(int *fds)
{
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    return watch_new(loop, fds[0], LOOP_READ, on_ready, "-");
}

static void unwatch_turns(struct watch *watch, const int *fds)
{
    watch_free(watch);
    close(fds[0]);
    close(fds[1]);
}

static void what_work_defers_is_done_in_the_next_turn(void **state)
{
    int fds[2];
    struct watch *watch = watch_turns(fds);
    STEP(a);
    STEP(b);

    (void)state;
    a.defers = &b;
    loop_defer(loop, &a.task);
    stop_after = 'b';
    loop_run(loop);
    unwatch_turns(watch, fds);
    assert_string_equal(notes, "-a-b");
}

static void what_work_defers_waits_for_the_next_turn_if_other_work_was_cancelled_too(void **state)
{
    int fds[2];
    struct watch *watch = watch_turns(fds);
    STEP(a);
    STEP(b);
    STEP(c);

    (void)state;
    a.defers = &c;
    a.cancels = &b;
    loop_defer(loop, &a.task);
    loop_defer(loop, &b.task);
    stop_after = 'c';
    loop_run(loop);
    unwatch_turns(watch, fds);
    assert_string_equal(notes, "-a-c");
}

static void work_may_defer_itself_again(void **state)
{
    STEP(a);
    STEP(b);
    STEP(c);

    (void)state;
    a.defers = &a;
    b.defers = &c;
    loop_defer(loop, &a.task);
    loop_defer(loop, &b.task);
    stop_after = 'c';
    loop_run(loop);
    assert_string_equal(notes, "abac");
}

static int last_what;

static void on_io(void *arg, int what)
{
    (void)arg;
    last_what = what;
    note('i');
}

static int what_is_ready(int fd, int what)
{
    struct watch *watch = watch_new(loop, fd, what, on_io, NULL);

    stop_after = 'i';
    loop_run(loop);
    watch_free(watch);
    return last_what;
}

static void a_readable_descriptor_is_told(void **state)
{
    int fds[2];

    (void)state;
    small_socketpair(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(what_is_ready(fds[0], LOOP_READ), LOOP_READ);
    close(fds[0]);
    close(fds[1]);
}

static void a_writable_descriptor_is_told(void **state)
{
    int fds[2];

    (void)state;
    small_socketpair(fds);
    assert_int_equal(what_is_ready(fds[0], LOOP_READ | LOOP_WRITE), LOOP_WRITE);
    close(fds[0]);
    close(fds[1]);
}

static void the_end_of_a_descriptor_is_readable(void **state)
{
    int fds[2];

    (void)state;
    small_socketpair(fds);
    close(fds[1]);
    assert_int_equal(what_is_ready(fds[0], LOOP_READ), LOOP_READ);
    close(fds[0]);
}

static void a_watch_can_be_changed(void **state)
{
    int fds[2];

    (void)state;
    small_socketpair(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    struct watch *watch = watch_new(loop, fds[0], LOOP_READ, on_io, NULL);
    watch_change(watch, LOOP_WRITE);
    stop_after = 'i';
    loop_run(loop);
    watch_free(watch);
    assert_int_equal(last_what, LOOP_WRITE);
    close(fds[0]);
    close(fds[1]);
}

static int urgent_fds[2], turn_fds[2];
static int64_t urgent_takes_ms;

static void on_urgent(void *arg, int what)
{
    char byte;

    (void)what;
    if (arg == NULL) /* to be ready once only */
        assert_int_equal(read(urgent_fds[0], &byte, 1), 1);
    clock_ms += urgent_takes_ms;
    note('u');
}

/* What is called until '-' was, if an urgent descriptor is ready with two others. */
static void run_with_urgent(void *stays_ready)
{
    assert_int_equal(pipe2(urgent_fds, O_CLOEXEC), 0);
    assert_int_equal(write(urgent_fds[1], "x", 1), 1);
    struct watch *turns = watch_turns(turn_fds);
    struct watch *urgent =
        watch_new(loop, urgent_fds[0], LOOP_READ | LOOP_URGENT, on_urgent, stays_ready);
    stop_after = '-';
    loop_run(loop);
    watch_free(urgent);
    unwatch_turns(turns, turn_fds);
    close(urgent_fds[0]);
    close(urgent_fds[1]);
}

static void an_urgent_descriptor_comes_first(void **state)
{
    (void)state;
    run_with_urgent(NULL);
    assert_string_equal(notes, "u-");
}

static void the_others_have_their_turn_although_an_urgent_descriptor_stays_ready(void **state)
{
    (void)state;
    run_with_urgent(notes);
    assert_string_equal(notes, "u-");
}

static void the_others_have_their_turn_although_what_is_urgent_takes_long(void **state)
{
    (void)state;
    clock_ms = 5000;
    urgent_takes_ms = 500;
    run_with_urgent(notes);
    urgent_takes_ms = 0;
    assert_string_equal(notes, "u-");
}

/* Two watches that are ready in one turn; the first to be called frees both. */
static struct watch *doomed[2];

static void free_both(void *arg, int what)
{
    (void)arg;
    (void)what;
    watch_free(doomed[0]);
    watch_free(doomed[1]);
    note('f');
}

static void a_callback_may_free_its_own_and_another_ready_watch(void **state)
{
    int fds[2];

    (void)state;
    small_socketpair(fds);
    doomed[0] = watch_new(loop, fds[0], LOOP_WRITE, free_both, NULL);
    doomed[1] = watch_new(loop, fds[1], LOOP_WRITE, free_both, NULL);
    stop_after = 'f';
    loop_run(loop);
    assert_string_equal(notes, "f");
    close(fds[0]);
    close(fds[1]);
}

static void on_due(void *arg)
{
    note(*(const char *)arg);
}

static void timers_are_due_in_the_order_of_their_times(void **state)
{
    struct timer *later = timer_new(loop, on_due, "b"), *sooner = timer_new(loop, on_due, "a");

    (void)state;
    timer_start(later, 200);
    timer_start(sooner, 1);
    stop_after = 'b';
    loop_run(loop);
    assert_string_equal(notes, "ab");
    timer_free(later);
    timer_free(sooner);
}

static void a_timer_runs_from_its_start_until_it_is_due(void **state)
{
    struct timer *timer = timer_new(loop, on_due, "a");

    (void)state;
    assert_false(timer_running(timer));
    timer_start(timer, -5);
    assert_true(timer_running(timer));
    stop_after = 'a';
    loop_run(loop);
    assert_false(timer_running(timer));
    timer_free(timer);
}

static void a_timer_that_is_started_again_moves(void **state)
{
    struct timer *moved = timer_new(loop, on_due, "m"), *other = timer_new(loop, on_due, "o");

    (void)state;
    timer_start(moved, 1);
    timer_start(moved, 3600000);
    timer_start(other, 2);
    stop_after = 'o';
    loop_run(loop);
    assert_string_equal(notes, "o");
    timer_free(moved);
    timer_free(other);
}

static void a_stopped_timer_is_not_due(void **state)
{
    struct timer *stopped = timer_new(loop, on_due, "s"), *other = timer_new(loop, on_due, "o");

    (void)state;
    timer_start(stopped, 0);
    timer_stop(stopped);
    timer_start(other, 1);
    assert_false(timer_running(stopped));
    stop_after = 'o';
    loop_run(loop);
    assert_string_equal(notes, "o");
    timer_free(stopped);
    timer_free(other);
}

static void each_signal_is_told_to_those_who_asked(void **state)
{
    (void)state;
    loop_on_signal(loop, SIGUSR1, on_due, "1");
    loop_on_signal(loop, SIGUSR2, on_due, "2");
    raise(SIGUSR2);
    stop_after = '2';
    loop_run(loop);
    assert_string_equal(notes, "2");
}

static void the_clock_does_not_go_back(void **state)
{
    int64_t last = loop_now_ms();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = loop_now_ms();
        assert_true(now >= last);
        last = now;
    }
    assert_true(loop_wall_ms() > INT64_C(1700000000000));
}

/* -- many that are ready at once -- */

static void take_2_ms(void *arg, int what)
{
    (void)arg;
    (void)what;
    clock_ms += 2;
    note('e');
    if (strlen(notes) == 8)
        loop_stop(loop);
}

/* Eight descriptors of 2 ms: after 6 ms the others wait for the next turn. */
/* The clock by which libevent waits stands still meanwhile. */
static void a_suspend_of_the_machine_counts(void **state)
{
    int64_t before = loop_now_ms();

    (void)state;
    suspended_s = 3600;
    assert_true(loop_now_ms() - before >= 3600 * 1000);
    suspended_s = 0;
}

static void what_is_deferred_does_not_wait_for_all_that_are_ready(void **state)
{
    enum { READY = 8 };
    struct watch *watches[READY];
    STEP(t);
    int fds[READY][2];

    (void)state;
    clock_ms = 5000;
    for (int i = 0; i < READY; i++) {
        small_socketpair(fds[i]);
        watches[i] = watch_new(loop, fds[i][0], LOOP_WRITE, take_2_ms, NULL);
    }
    loop_defer(loop, &t.task);
    loop_run(loop);
    assert_memory_equal(notes, "eeete", 5);
    assert_int_equal(loop_turns(loop)->longest_ms, 6);
    for (int i = 0; i < READY; i++) {
        watch_free(watches[i]);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

/* -- long turns -- */

struct work {
    struct task task;
    int64_t takes_ms;
    struct work *then; /* in the next turn; NULL: the loop stops */
};

static void run_work(void *arg)
{
    struct work *w = arg;

    clock_ms += w->takes_ms;
    if (w->then != NULL)
        loop_defer(loop, &w->then->task);
    else
        loop_stop(loop);
}

#define WORK(name, ms, next)                                                                       \
    struct work name = {.task = {.run = run_work, .arg = &name}, .takes_ms = ms, .then = next}

static void run_from(struct work *w)
{
    clock_ms = 5000;
    loop_defer(loop, &w->task);
    loop_run(loop);
}

static void check_turns(int64_t longest_ms, uint64_t long_ones, int64_t last_long_ms)
{
    const struct loop_turns *turns = loop_turns(loop);

    assert_int_equal(turns->longest_ms, longest_ms);
    assert_int_equal(turns->long_ones, long_ones);
    assert_int_equal(turns->last_long_ms, last_long_ms);
}

static void a_turn_of_over_a_second_is_long(void **state)
{
    WORK(w, 1001, NULL);

    (void)state;
    check_turns(0, 0, 0);
    run_from(&w);
    check_turns(1001, 1, 6001);
}

static void turns_and_their_time_are_counted(void **state)
{
    WORK(third, 0, NULL);
    WORK(second, 40, &third);
    WORK(first, 2, &second);

    (void)state;
    run_from(&first);
    assert_int_equal(loop_turns(loop)->count, 3);
    assert_int_equal(loop_turns(loop)->busy_ms, 42);
}

static void a_turn_of_a_second_is_not(void **state)
{
    WORK(w, 1000, NULL);

    (void)state;
    run_from(&w);
    check_turns(1000, 0, 0);
}

static void each_turn_is_counted_for_itself(void **state)
{
    WORK(last, 600, NULL);
    WORK(third, 3000, &last);
    WORK(second, 600, &third);
    WORK(first, 2000, &second);

    (void)state;
    run_from(&first);
    check_turns(3000, 2, 5000 + 2000 + 600 + 3000);
}

static void what_is_done_in_one_turn_adds_up(void **state)
{
    WORK(one, 600, NULL);
    WORK(other, 600, NULL);

    (void)state;
    loop_defer(loop, &one.task);
    run_from(&other);
    check_turns(1200, 1, 6200);
}

static void take_1500_ms(void *arg)
{
    (void)arg;
    clock_ms += 1500;
    loop_stop(loop);
}

static void take_1500_ms_ready(void *arg, int what)
{
    (void)what;
    take_1500_ms(arg);
}

static void a_timer_may_make_a_turn_long(void **state)
{
    struct timer *timer = timer_new(loop, take_1500_ms, NULL);

    (void)state;
    clock_ms = 5000;
    timer_start(timer, 0);
    loop_run(loop);
    timer_free(timer);
    check_turns(1500, 1, 6500);
}

static void a_descriptor_may_make_a_turn_long(void **state)
{
    int fds[2];

    (void)state;
    clock_ms = 5000;
    small_socketpair(fds);
    struct watch *watch = watch_new(loop, fds[0], LOOP_WRITE, take_1500_ms_ready, NULL);
    loop_run(loop);
    watch_free(watch);
    close(fds[0]);
    close(fds[1]);
    check_turns(1500, 1, 6500);
}

static void a_signal_may_make_a_turn_long(void **state)
{
    (void)state;
    clock_ms = 5000;
    loop_on_signal(loop, SIGUSR1, take_1500_ms, NULL);
    raise(SIGUSR1);
    loop_run(loop);
    check_turns(1500, 1, 6500);
}

static int alarm_fd;

/* While the loop waits. */
static void let_time_pass(int signo)
{
    (void)signo;
    clock_ms += 5000;
    ssize_t ignored = write(alarm_fd, "x", 1);
    (void)ignored;
}

static void waiting_is_not_counted(void **state)
{
    int fds[2];

    (void)state;
    clock_ms = 5000;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    alarm_fd = fds[1];
    struct watch *watch = watch_new(loop, fds[0], LOOP_READ, on_ready, "-");
    stop_after = '-';
    signal(SIGALRM, let_time_pass);
    ualarm(20000, 0);
    loop_run(loop);
    signal(SIGALRM, SIG_DFL);
    unwatch_turns(watch, fds);
    assert_int_equal(clock_ms, 10000);
    check_turns(0, 0, 0);
}

static void stepped(void *arg)
{
    (void)arg;
}

/* A clock that shows 2038 or later, rightly or wrongly, is no reason to spin. */
static void the_timer_that_never_comes_is_far_off_whatever_the_clock_shows(void **state)
{
    static const int64_t years[] = {0, 10, 68, 100};

    (void)state;
    for (size_t i = 0; i < sizeof years / sizeof years[0]; i++) {
        int64_t now_s = years[i] * 366 * 86400 + 1;
        clock_ms = now_s * 1000;
        loop_on_clock_step(loop, stepped, NULL);
        assert_true(far_s > now_s + 365 * 86400);
    }
    clock_ms = 0;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(deferred_work_is_done_in_order),
        T(work_that_is_deferred_twice_is_done_once),
        T(cancelled_work_is_not_done),
        T(what_work_defers_is_done_in_the_next_turn),
        T(what_work_defers_waits_for_the_next_turn_if_other_work_was_cancelled_too),
        T(work_may_defer_itself_again),
        T(a_readable_descriptor_is_told),
        T(a_writable_descriptor_is_told),
        T(the_end_of_a_descriptor_is_readable),
        T(a_watch_can_be_changed),
        T(an_urgent_descriptor_comes_first),
        T(the_others_have_their_turn_although_an_urgent_descriptor_stays_ready),
        T(the_others_have_their_turn_although_what_is_urgent_takes_long),
        T(a_callback_may_free_its_own_and_another_ready_watch),
        T(timers_are_due_in_the_order_of_their_times),
        T(a_timer_runs_from_its_start_until_it_is_due),
        T(a_timer_that_is_started_again_moves),
        T(a_stopped_timer_is_not_due),
        T(each_signal_is_told_to_those_who_asked),
        T(the_clock_does_not_go_back),
        T(a_suspend_of_the_machine_counts),
        T(what_is_deferred_does_not_wait_for_all_that_are_ready),
        T(a_turn_of_over_a_second_is_long),
        T(turns_and_their_time_are_counted),
        T(a_turn_of_a_second_is_not),
        T(each_turn_is_counted_for_itself),
        T(what_is_done_in_one_turn_adds_up),
        T(a_timer_may_make_a_turn_long),
        T(a_descriptor_may_make_a_turn_long),
        T(a_signal_may_make_a_turn_long),
        T(waiting_is_not_counted),
        T(the_timer_that_never_comes_is_far_off_whatever_the_clock_shows),
    };
    log_set_level(LOG_ERROR); /* long turns are told */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

static struct progress_report *share(void)
{
    void *p = mmap(NULL, sizeof(struct progress_report), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        abort();
    return p;
}

static void play_one(const struct story *story, struct progress_report *report)
{
    report->seed = story->seed;
    world_report_to(&report->breach);
    double hours = play(story);
#ifdef __SANITIZE_ADDRESS__
    if (__lsan_do_recoverable_leak_check())
        world_breach("leak", "the responders leave memory behind");
#endif
    report->stream_hours += hours;
    report->stories++;
}

/* What its end says, if its last words do not. */
static bool has_failed(int status, struct breach *breach)
{
    if (status == 0)
        return false;
    if (breach->rule[0])
        return true;
    bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
    snprintf(breach->rule, sizeof breach->rule, "%s", hangs ? "hangs" : "crash");
    if (WIFSIGNALED(status))
        snprintf(breach->text, sizeof breach->text, "the process was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(breach->text, sizeof breach->text, "the process ended with %d",
                 WEXITSTATUS(status));
    return true;
}

bool trial_run(const struct story *story, FILE *told_to, struct breach *breach)
{
    struct trial t = {.report = share()};
    int status = 0;

    fflush(NULL);
    t.pid = fork();
    if (t.pid < 0)
        abort();
    if (t.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (told_to == NULL && freopen("/dev/null", "w", stderr) == NULL)
            abort(); /* what a crash says was said once */
        world_tell_to(told_to);
        play_one(story, t.report);
        fflush(NULL);
        _exit(0);
    }
    waitpid(t.pid, &status, 0);
    bool failed = has_failed(status, &t.report->breach);
    *breach = t.report->breach;
    munmap(t.report, sizeof *t.report);
    return !failed;
}

static void start(struct trial *t, uint64_t first)
{
    fflush(NULL);
    t->pid = fork();
    if (t->pid < 0)
        abort(); /* kill(-1) would be everybody's end */
    if (t->pid != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t seed = first; time(NULL) < t->until; seed += t->step) {
        struct story story;
        story_write(&story, seed);
        play_one(&story, t->report);
        story_fini(&story);
    }
    _exit(0);
}

void trial_start(struct trial *t, uint64_t first, uint64_t step, time_t until)
{
    *t = (struct trial){.step = step, .until = until, .report = share()};
    start(t, first);
}

void trial_go_on(struct trial *t)
{
    t->report->breach = (struct breach){.rule = ""};
    start(t, t->report->seed + t->step);
}

bool trial_over(struct trial *t, bool *failed)
{
    int status = 0;

    if (t->pid != 0 && waitpid(t->pid, &status, WNOHANG) == 0)
        return false;
    t->pid = 0;
    *failed = has_failed(status, &t->report->breach);
    return true;
}

void trial_free(struct trial *t)
{
    if (t->pid != 0) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, NULL, 0);
    }
    munmap(t->report, sizeof *t->report);
}

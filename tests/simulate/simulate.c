/* simulate - plays stories of responders, clients and brokers until one breaks a rule, and then
 * tells the shortest that does. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "shrink.h"

enum { JOBS_MAX = 64, BUT_MAX = 32 };

static const char usage[] =
    "usage: simulate --seed S               plays the story of that seed; if it breaks a rule, "
    "tells\n"
    "                                       the shortest that does\n"
    "       simulate --seed S --tell        tells the whole story of that seed\n"
    "       simulate --seconds N [--jobs N] [--first S | --long]\n"
    "                                       plays story after story; seeds begin anywhere, or at "
    "S;\n"
    "                                       --long: stories of hours, in which little happens\n";

struct options {
    bool has_seed, tell;
    uint64_t seed, first;
    int64_t seconds;
    unsigned jobs;
    const char *but[BUT_MAX]; /* rules */
    unsigned but_n;
};

static int tell(uint64_t seed)
{
    struct story story;
    struct breach breach;

    story_write(&story, seed);
    bool good = trial_run(&story, stdout, &breach);
    if (!good)
        printf("seed %llu breaks the rule \"%s\": %s\n", (unsigned long long)seed, breach.rule,
               breach.text);
    story_fini(&story);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int play_seed(uint64_t seed)
{
    struct story story;
    struct breach breach;

    story_write(&story, seed);
    if (trial_run(&story, NULL, &breach)) {
        printf("seed %llu breaks no rule\n", (unsigned long long)seed);
        story_fini(&story);
        return EXIT_SUCCESS;
    }
    printf("seed %llu breaks the rule \"%s\": %s\n", (unsigned long long)seed, breach.rule,
           breach.text);
    size_t steps = story.n;
    shrink(&story, &breach);
    printf("The shortest story found that does (%zu of %zu steps):\n\n", story.n, steps);
    trial_run(&story, stdout, &breach);
    printf("\nAgain: tests/run simulate --seed %llu\n", (unsigned long long)seed);
    story_fini(&story);
    return EXIT_FAILURE;
}

static bool left_alone(const struct options *o, const struct breach *breach)
{
    for (unsigned i = 0; i < o->but_n; i++)
        if (strcmp(o->but[i], breach->rule) == 0)
            return true;
    return false;
}

/* Until the time is over, or one fails: true, and *seed is its story's. */
static bool wait_for_all(struct trial *trials, const struct options *o, uint64_t *seed,
                         unsigned *left)
{
    for (unsigned running = o->jobs; running > 0; usleep(20000)) {
        running = 0;
        for (unsigned i = 0; i < o->jobs; i++) {
            bool failed = false;
            running += trials[i].pid != 0 && !trial_over(&trials[i], &failed);
            if (!failed)
                continue;
            *seed = trials[i].report->seed;
            if (!left_alone(o, &trials[i].report->breach))
                return true;
            ++*left;
            printf("seed %llu, %s: %s\n", (unsigned long long)*seed, trials[i].report->breach.rule,
                   trials[i].report->breach.text);
            running++;
            trial_go_on(&trials[i]);
        }
    }
    return false;
}

static int play_many(const struct options *o)
{
    struct trial trials[JOBS_MAX];
    uint64_t seed = 0, stories = 0;
    unsigned left = 0;
    double hours = 0;
    time_t began = time(NULL);

    for (unsigned i = 0; i < o->jobs; i++)
        trial_start(&trials[i], o->first + i, o->jobs, began + o->seconds);
    bool failed = wait_for_all(trials, o, &seed, &left);
    for (unsigned i = 0; i < o->jobs; i++) {
        stories += trials[i].report->stories;
        hours += trials[i].report->stream_hours;
        trial_free(&trials[i]);
    }
    printf("%llu stories from seed %llu on, %.0f hours of streams in %lld s\n",
           (unsigned long long)stories, (unsigned long long)o->first, hours,
           (long long)(time(NULL) - began));
    if (left > 0)
        printf("%u others broke a rule that was left alone\n", left);
    return failed ? play_seed(seed) : EXIT_SUCCESS;
}

static struct options read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},    {"tell", no_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 'n'}, {"jobs", required_argument, NULL, 'j'},
        {"first", required_argument, NULL, 'f'},   {"long", no_argument, NULL, 'l'},
        {"but", required_argument, NULL, 'b'},     {NULL, 0, NULL, 0},
    };
    struct options o = {.jobs = 1};
    uint64_t longer = 0;
    uint32_t anywhere = 0;

    if (getrandom(&anywhere, sizeof anywhere, 0) != sizeof anywhere)
        abort();
    o.first = anywhere;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 's':
            o.has_seed = true;
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 't':
            o.tell = true;
            break;
        case 'n':
            o.seconds = atoll(optarg);
            break;
        case 'j':
            o.jobs = (unsigned)atoi(optarg);
            break;
        case 'b':
            if (o.but_n < BUT_MAX)
                o.but[o.but_n++] = optarg;
            break;
        case 'l':
            longer = LONG_SEEDS;
            break;
        case 'f':
            o.first = strtoull(optarg, NULL, 10);
            break;
        default:
            o.jobs = 0;
        }
    }
    o.first += longer;
    if (o.jobs < 1 || o.jobs > JOBS_MAX || o.has_seed == (o.seconds > 0)) {
        fputs(usage, stderr);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (o.has_seed)
        return o.tell ? tell(o.seed) : play_seed(o.seed);
    return play_many(&o);
}

/* trial - plays a story in a process of its own: whatever becomes of that, a breach, a crash or a
 * loop without end, it is known here afterwards. */
#ifndef SKF_SIMULATE_TRIAL_H
#define SKF_SIMULATE_TRIAL_H

#include <sys/types.h>
#include <time.h>

#include "story.h"
#include "world.h"

struct progress_report {
    uint64_t seed; /* of the story under way */
    uint64_t stories;
    double stream_hours;
    struct breach breach;
};

/* A process that plays one story after the other, and what is known of it. */
struct trial {
    pid_t pid; /* 0: it is over */
    uint64_t step;
    time_t until;
    struct progress_report *report; /* shared with it */
};

/* Plays the story. False, and *breach is filled in, if a rule was broken.  told_to NULL: silently.
 */
bool trial_run(const struct story *story, FILE *told_to, struct breach *breach);

/* Starts a process that plays the stories of seeds first, first + step, ... until that time, or
 * until one breaks a rule.  trial_free() ends it. */
void trial_start(struct trial *t, uint64_t first, uint64_t step, time_t until);
/* Is it over?  True: *failed says whether by a breach, which the report then holds. */
bool trial_over(struct trial *t, bool *failed);
/* Goes on with the story behind the one that failed. */
void trial_go_on(struct trial *t);
void trial_free(struct trial *t);

#endif

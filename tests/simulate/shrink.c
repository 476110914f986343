#include "shrink.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum { SECONDS = 120 };

struct search {
    struct story *story;
    const struct breach *breach;
    time_t until;
};

static bool still_breaks(const struct search *s, const struct story *story)
{
    struct breach breach;

    return time(NULL) < s->until && !trial_run(story, NULL, &breach) &&
           strcmp(breach.rule, s->breach->rule) == 0;
}

/* Without steps first..first+n-1; true, and the story is that, if it still breaks the rule. */
static bool try_without(const struct search *s, size_t first, size_t n)
{
    struct story shorter = *s->story;

    shorter.steps = mem_alloc(shorter.n * sizeof *shorter.steps);
    memcpy(shorter.steps, s->story->steps, first * sizeof *shorter.steps);
    memcpy(shorter.steps + first, s->story->steps + first + n,
           (shorter.n - first - n) * sizeof *shorter.steps);
    shorter.n -= n;
    bool breaks = still_breaks(s, &shorter);
    if (breaks) {
        free(s->story->steps);
        *s->story = shorter;
    } else {
        free(shorter.steps);
    }
    return breaks;
}

/* Runs of steps, shorter and shorter, down to single ones, until none can go. */
static void drop_steps(const struct search *s)
{
    bool some = true;

    for (size_t run = (s->story->n + 1) / 2; run > 0; run = run > 1 ? run / 2 : some ? 1 : 0) {
        some = false;
        for (size_t at = s->story->n; at > 0;) {
            size_t n = run < at ? run : at;
            at -= n;
            some = try_without(s, at, n) || some;
        }
    }
}

/* What a step's numbers mean is the smaller, the smaller they are. */
static void simplify_number(const struct search *s, uint32_t *number)
{
    uint32_t was = *number;
    static const uint32_t simple[] = {0, 1, 2, 3};

    for (size_t i = 0; i < sizeof simple / sizeof *simple && simple[i] < was; i++) {
        *number = simple[i];
        if (still_breaks(s, s->story))
            return;
    }
    *number = was;
}

static void simplify_steps(const struct search *s)
{
    for (size_t i = 0; i < s->story->n; i++) {
        simplify_number(s, &s->story->steps[i].c);
        simplify_number(s, &s->story->steps[i].b);
        simplify_number(s, &s->story->steps[i].a);
    }
}

/* One thing less to think of at a time. */
static void be_alone(struct story *s)
{
    s->crowd = 1;
}

static void have_one_responder(struct story *s)
{
    s->responders = 1;
}

static void have_one_partition(struct story *s)
{
    s->cluster.partitions = 1;
}

static void name_one_key(struct story *s)
{
    s->wish_keys = 1;
}

static void need_no_token(struct story *s)
{
    s->responder.guarded = false;
}

static void last(struct story *s)
{
    s->responder.max_age_ms = 0;
}

static void have_plain_ids(struct story *s)
{
    s->responder.id_with_key = false;
}

static void simplify_story(const struct search *s)
{
    static void (*const ways[])(struct story *) = {
        be_alone, have_one_responder, have_one_partition, name_one_key, need_no_token,
        last,     have_plain_ids};

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct story was = *s->story;
        ways[i](s->story);
        if (memcmp(&was, s->story, sizeof was) != 0 && !still_breaks(s, s->story))
            *s->story = was;
    }
}

void shrink(struct story *story, const struct breach *breach)
{
    struct search s = {story, breach, time(NULL) + SECONDS};

    simplify_story(&s);
    drop_steps(&s);
    simplify_steps(&s);
    drop_steps(&s);
}

#include "story.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dice.h"
#include "play.h"
#include "steps.h"

enum { KINDS_MAX = 64, SOON_PERCENT = 20, SOON_MS = 1000, LONG_MS = 6 * 3600 * 1000 };

/* Not every kind of step comes in every story: those that are rare beside others are frequent in
 * some without them. */
static unsigned pick_weights(struct dice *d, unsigned weights[KINDS_MAX])
{
    unsigned sum = 0;

    for (unsigned i = 0; i < step_kinds_count(); i++) {
        weights[i] = dice_chance(d, step_kinds[i].percent) ? step_kinds[i].weight : 0;
        sum += weights[i];
    }
    return sum;
}

static uint8_t kind_of(const char *name)
{
    uint8_t i = 0;

    while (strcmp(step_kinds[i].name, name) != 0)
        i++;
    return i;
}

/* In a topic in which little is written but deletes, and often cleaned, for clients that are away
 * for longer than these are kept: what they have missed may have been the last there was. */
static unsigned weigh_forgetting(unsigned weights[KINDS_MAX])
{
    static const struct {
        const char *kind;
        unsigned weight;
    } mix[] = {{"produce", 6},     {"come", 8},           {"delete key", 20}, {"compact", 40},
               {"break line", 25}, {"end responder", 14}, {"transaction", 3}, {"retain", 1}};
    unsigned sum = 0;

    memset(weights, 0, KINDS_MAX * sizeof *weights);
    for (size_t i = 0; i < sizeof mix / sizeof mix[0]; i++)
        sum += weights[kind_of(mix[i].kind)] = mix[i].weight;
    return sum;
}

static uint8_t pick_kind(struct dice *d, const unsigned weights[KINDS_MAX], unsigned sum)
{
    unsigned n = dice_below(d, sum), i = 0;

    for (; n >= weights[i]; i++)
        n -= weights[i];
    return (uint8_t)i;
}

static int by_time(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static void write_steps(struct story *s, struct dice *d)
{
    static const int64_t lengths_ms[] = {2000, 10000, 60000, 300000, 1800000};
    unsigned weights[KINDS_MAX],
        sum = s->forgets ? weigh_forgetting(weights) : pick_weights(d, weights);

    s->length_ms = lengths_ms[dice_below(d, s->crowd < CROWD_MAX ? 5 : 3)];
    if (s->seed >= LONG_SEEDS)
        s->length_ms = LONG_MS;
    else if (s->forgets)
        s->length_ms = 600000;
    s->n = (size_t)(s->forgets ? dice_between(d, 40, 150) : dice_between(d, 20, 300));
    s->steps = mem_alloc(s->n * sizeof *s->steps);
    for (size_t i = 0; i < s->n; i++)
        s->steps[i] = (struct step){
            .at_ms = i > 0 && dice_chance(d, SOON_PERCENT)
                         ? s->steps[i - 1].at_ms + dice_between(d, 0, SOON_MS)
                         : dice_between(d, 0, s->length_ms - SOON_MS),
            .kind = pick_kind(d, weights, sum),
            .a = (uint32_t)dice_throw(d),
            .b = (uint32_t)dice_throw(d),
            .c = (uint32_t)dice_throw(d),
        };
    qsort(s->steps, s->n, sizeof *s->steps, by_time);
}

static void add_step(struct story *s, const char *kind, int64_t at_ms, struct step step)
{
    step.kind = kind_of(kind);
    step.at_ms = at_ms;
    s->steps = mem_resize_array(s->steps, s->n + 1, sizeof *s->steps);
    s->steps[s->n++] = step;
}

/* Chance alone hardly ever lets all of this come together: thousands of streams at one slow
 * responder, more records than it can pass on at once, and a topic that is made again meanwhile. */
static void write_swaps(struct story *s, struct dice *d)
{
    s->responders = 1;
    s->crowd = CROWD_MAX;
    s->responder.guarded = false;
    s->cluster.partitions = 3;
    s->length_ms = 20000;
    for (uint32_t group = 0; group < GROUPS; group++)
        add_step(s, "come", dice_between(d, 0, 1000), (struct step){.a = group, .b = group});
    for (int64_t at_ms = 2000; at_ms < s->length_ms; at_ms += 6000) {
        int64_t flood_ms = at_ms + dice_between(d, 1000, 2000);
        uint32_t n = (uint32_t)dice_throw(d);
        add_step(s, "burden", flood_ms - 1, (struct step){.b = 5});
        for (int i = 0; i < 2; i++)
            add_step(s, "flood", flood_ms, (struct step){.c = n});
        add_step(s, "make again", flood_ms + dice_between(d, 20, 400),
                 (struct step){.a = 1, .b = 0, .c = n});
        add_step(s, "burden", flood_ms + 3000, (struct step){.b = 0});
        add_step(s, "make again", flood_ms + 3100, (struct step){.a = 1, .b = 2, .c = n});
    }
    qsort(s->steps, s->n, sizeof *s->steps, by_time);
}

/* Likewise: the last of a partition is a delete, or a key that becomes too old, and that is gone
 * when clients come back that were away meanwhile, to responders that have not read it. */
static void write_misses(struct story *s, struct dice *d)
{
    enum { ROUNDS = 5, ROUND_MS = 60000 };

    s->crowd = 1;
    s->cluster.compacted = true;
    s->cluster.ages = dice_chance(d, 50);
    s->cluster.delete_retention_ms = 2000;
    s->length_ms = ROUNDS * ROUND_MS;
    for (uint32_t group = 0; group < GROUPS; group++)
        add_step(s, "come", dice_between(d, 0, 1000), (struct step){.a = group, .b = group});
    for (int64_t at_ms = 2000; at_ms < s->length_ms; at_ms += ROUND_MS) {
        struct step key = {.a = dice_below(d, 6), .b = dice_below(d, 12)};
        add_step(s, "produce", at_ms, key);
        for (uint32_t group = 0; group < GROUPS / 2; group++)
            add_step(s, "break line", at_ms + dice_between(d, 500, 3000),
                     (struct step){.a = (uint32_t)dice_throw(d), .b = 4 + group % 2});
        if (s->cluster.ages)
            add_step(s, "age", at_ms + dice_between(d, 1000, 5000),
                     (struct step){.a = key.a, .b = dice_below(d, 3)});
        else
            add_step(s, "delete key", at_ms + dice_between(d, 1000, 4000), key);
        add_step(s, "compact", at_ms + 5000, (struct step){.a = key.a});
        add_step(s, "compact", at_ms + dice_between(d, 20000, 30000), (struct step){.a = key.a});
        for (uint32_t i = 0; i < s->responders; i++)
            add_step(s, dice_chance(d, 70) ? "end responder" : "stop responder",
                     at_ms + dice_between(d, 4000, 40000),
                     (struct step){.a = i, .b = dice_below(d, 2)});
    }
    qsort(s->steps, s->n, sizeof *s->steps, by_time);
}

/* Likewise: streams are told what to select again and again, of records so large that a move takes
 * many turns, while their clients break off and responders drain, hang and die. */
static void write_tellings(struct story *s, struct dice *d)
{
    static const char *const mix[] = {"tell", "tell",       "tell",          "tell",
                                      "tell", "burst",      "produce",       "delete key",
                                      "tell", "break line", "end responder", "stop responder"};

    s->crowd = 1;
    s->cluster.compacted = dice_chance(d, 80);
    if (dice_chance(d, 50))
        s->responder.max_handles = dice_between(d, 2, 10);
    s->length_ms = 120000;
    for (uint32_t group = 0; group < GROUPS / 2; group++)
        add_step(s, "come", dice_between(d, 0, 3000),
                 (struct step){.a = group, .b = client_kinds() - 1 - group % 4});
    for (uint32_t p = 0; p < 3; p++)
        add_step(s, "flood", dice_between(d, 0, 2000), (struct step){.a = p});
    for (int64_t at_ms = 1000; at_ms < s->length_ms; at_ms += dice_between(d, 0, 1000)) {
        struct step any = {.a = (uint32_t)dice_throw(d),
                           .b = (uint32_t)dice_throw(d),
                           .c = (uint32_t)dice_throw(d)};
        add_step(s, mix[dice_below(d, sizeof mix / sizeof mix[0])], at_ms, any);
    }
    qsort(s->steps, s->n, sizeof *s->steps, by_time);
}

void story_write(struct story *s, uint64_t seed)
{
    struct dice d = dice_of(seed, 0, 0);

    *s = (struct story){.seed = seed, .responders = (unsigned)dice_between(&d, 1, RESPONDERS_MAX)};
    s->cluster =
        (struct cluster_config){.partitions = (int32_t)dice_between(&d, 1, 3),
                                .compacted = dice_chance(&d, 70),
                                .delete_retention_ms = dice_chance(&d, 50) ? 20000 : 86400000};
    s->responder = (struct responder_config){.cache_bytes = 64 * 1024 * 1024,
                                             /* Of a small one, blocks go that streams wait in. */
                                             .backlog_bytes = (seed % 2 ? 1 : 64) * 1024 * 1024,
                                             .keepalive_ms = 15000,
                                             .flush_ms = dice_chance(&d, 50) ? -1 : 20,
                                             .retry_ms = 2000,
                                             .drain_ms = 5000,
                                             .guarded = dice_chance(&d, 50),
                                             .max_handles = 10000,
                                             .id_with_key = dice_chance(&d, 20),
                                             .max_age_ms = dice_chance(&d, 10) ? 60000 : 0};
    s->crowd = !dice_chance(&d, 5) ? 1 : dice_chance(&d, 80) ? 10 : CROWD_MAX;
    s->look_ms = 1000;
    s->token_s = 90;
    s->wish_keys = 4;
    if (seed >= LONG_SEEDS) {
        s->crowd = dice_chance(&d, 20) ? 1 : 40;
        s->look_ms = 10000;
        s->token_s = 3600;
    }
    s->small_cache = dice_chance(&d, 10);
    if (s->small_cache)
        s->responder.cache_bytes = 20000 << dice_below(&d, 5);
    /* To verify the tokens of a thousand would take a slow machine longer than the challenge
     * window. */
    s->verify_ms = dice_chance(&d, 80) || s->crowd > 10 ? 3 : 40;
    s->forgets = dice_chance(&d, 10);
    if (s->forgets) {
        s->crowd = 1;
        s->cluster.compacted = true;
        s->cluster.delete_retention_ms = 2000;
    }
    s->cluster.ages = s->cluster.compacted && dice_chance(&d, 20);
    if (seed < LONG_SEEDS && dice_chance(&d, 1))
        write_swaps(s, &d);
    else if (seed < LONG_SEEDS && dice_chance(&d, 2))
        write_misses(s, &d);
    else if (seed < LONG_SEEDS && dice_chance(&d, 5))
        write_tellings(s, &d);
    else
        write_steps(s, &d);
    if (dice_chance(&d, 20))
        s->responder.max_handles = dice_between(&d, 1, 8);
}

void story_fini(struct story *s)
{
    free(s->steps);
}

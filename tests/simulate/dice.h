/* dice - chance that comes out the same each time.
 *
 * What a die shows depends on the story's seed, on who throws it and when, never on what was thrown
 * before that moment: a story from which a step was taken away goes on as it did. */
#ifndef SKF_SIMULATE_DICE_H
#define SKF_SIMULATE_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* Thoroughly mixed. */
uint64_t dice_mix(uint64_t a, uint64_t b);

struct dice dice_of(uint64_t seed, uint64_t who, uint64_t when);

uint64_t dice_throw(struct dice *d);
/* 0 to n-1; 0 if n is. */
uint32_t dice_below(struct dice *d, uint32_t n);
/* From `low` to `high`, both included. */
int64_t dice_between(struct dice *d, int64_t low, int64_t high);
bool dice_chance(struct dice *d, uint32_t percent);

#endif

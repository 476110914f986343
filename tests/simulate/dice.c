#include "dice.h"

/* splitmix64 */
static uint64_t finish(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t dice_mix(uint64_t a, uint64_t b)
{
    return finish(finish(a + UINT64_C(0x9e3779b97f4a7c15)) ^ (b + UINT64_C(0x632be59bd9b4e019)));
}

struct dice dice_of(uint64_t seed, uint64_t who, uint64_t when)
{
    return (struct dice){dice_mix(dice_mix(seed, who), when)};
}

uint64_t dice_throw(struct dice *d)
{
    return finish(d->state += UINT64_C(0x9e3779b97f4a7c15));
}

uint32_t dice_below(struct dice *d, uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)((dice_throw(d) >> 32) * n >> 32);
}

int64_t dice_between(struct dice *d, int64_t low, int64_t high)
{
    return low + dice_below(d, (uint32_t)(high - low) + 1);
}

bool dice_chance(struct dice *d, uint32_t percent)
{
    return dice_below(d, 100) < percent;
}

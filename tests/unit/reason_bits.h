/* A health as a number, so that a test can say it in one expression: BIT(KAFKA_AWAY) | ... */
#ifndef SKF_TESTS_REASON_BITS_H
#define SKF_TESTS_REASON_BITS_H

#include "front/health.h"

#define BIT(reason) (1u << REASON_##reason)

static inline struct health health_of(uint32_t bits)
{
    struct health h = {0};

    for (int i = 0; i < REASONS; i++)
        health_set(&h, (enum reason)i, bits >> i & 1);
    return h;
}

static inline uint32_t bits_of(const struct health *h)
{
    uint32_t bits = 0;

    for (int i = 0; i < REASONS; i++)
        bits |= h->count[i] != 0 ? 1u << i : 0;
    return bits;
}

#endif

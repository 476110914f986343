#include "guard/rate.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"

struct rate {
    UT_hash_handle hh; /* in the order in which they came */
    struct token_hash whose;
    int64_t second;
    int count;
};

struct rates {
    struct rate *all;
};

static void rate_forget(struct rates *r, struct rate *one)
{
    HASH_DEL(r->all, one);
    free(one);
}

static struct rate *rate_of(struct rates *r, const struct token_hash *whose)
{
    struct rate *one;

    HASH_FIND(hh, r->all, whose, sizeof *whose, one);
    if (one != NULL)
        return one;
    if (HASH_COUNT(r->all) >= RATES_MAX)
        rate_forget(r, r->all);
    one = mem_zero(sizeof *one);
    one->whose = *whose;
    HASH_ADD(hh, r->all, whose, sizeof one->whose, one);
    return one;
}

bool rates_allow(struct rates *r, const struct token_hash *whose, int64_t now_ms)
{
    struct rate *one = rate_of(r, whose);
    int64_t second = now_ms / 1000;

    if (one->second != second) {
        one->second = second;
        one->count = 0;
    }
    return one->count++ < RATE_PER_SECOND;
}

struct rates *rates_new(void)
{
    return mem_zero(sizeof(struct rates));
}

void rates_free(struct rates *r)
{
    if (r == NULL)
        return;
    while (r->all != NULL)
        rate_forget(r, r->all);
    free(r);
}

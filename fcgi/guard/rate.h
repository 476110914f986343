/* rate - 10 in a second: renewals, of each whose they are.
 *
 * A bounded table with a window of one second; pure. */
#ifndef SKF_GUARD_RATE_H
#define SKF_GUARD_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "guard/guard.h"

enum {
    RATE_PER_SECOND = 10,
    RATES_MAX = 4096, /* the one that came first is forgotten first */
};

struct rates;

struct rates *rates_new(void);
void rates_free(struct rates *r);

/* Counts one; false beyond RATE_PER_SECOND. */
bool rates_allow(struct rates *r, const struct token_hash *whose, int64_t now_ms);

#endif

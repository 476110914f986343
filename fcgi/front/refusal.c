#include "front/refusal.h"

#include "base/log_limit.h"

#define REFUSAL_ROW(name, status, code, counted, detail) {code, detail, status, REFUSED_##counted},
static const struct refusal_row rows[REFUSALS] = {REFUSAL_TABLE(REFUSAL_ROW)};

const struct refusal_row *refusal_row(enum refusal why)
{
    return &rows[why];
}

enum refusal refusal_of_token(enum token_error error)
{
    return error == TOKEN_SCOPE      ? REFUSAL_SCOPE_MISSING
           : error == TOKEN_TOO_LONG ? REFUSAL_TOKEN_TOO_LONG
                                     : REFUSAL_TOKEN_INVALID;
}

void refusals_init(struct refusals *r, struct loop *loop)
{
    *r = (struct refusals){.lines = log_limit_new(loop, "front", "requests were refused")};
}

void refusals_fini(struct refusals *r)
{
    log_limit_free(r->lines);
}

void refusals_add(struct refusals *r, enum refusal why, const char *detail)
{
    const struct refusal_row *row = &rows[why];

    r->count[row->counted]++;
    log_limited(r->lines, LOG_INFO, "front: %d %s: %s", row->status, row->code,
                detail != NULL ? detail : row->detail);
}

void refusals_add_come_back(struct refusals *r, enum refusal why, int64_t now_ms)
{
    const struct refusal_row *row = &rows[why];

    r->count[row->counted]++;
    if (log_once_a_minute(&r->told_ms[why], now_ms))
        log_warn("front: clients are told to come back later: %s", row->detail);
    else
        log_limited(r->lines, LOG_INFO, "front: told to come back later: %s", row->detail);
}

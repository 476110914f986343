#include "front/refusal.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/log.h"

enum { WARN_MS = 60000, LINES_PER_SECOND = 20 };

static bool may_log(struct refusals *r, int64_t now_ms)
{
    if (now_ms / 1000 != r->second) {
        if (r->unlogged > 0)
            log_info("front: %" PRIu64 " more requests were refused", r->unlogged);
        r->second = now_ms / 1000;
        r->lines = 0;
        r->unlogged = 0;
    }
    if (r->lines++ < LINES_PER_SECOND)
        return true;
    r->unlogged++;
    return false;
}

void refusals_add(struct refusals *r, int status, const char *detail, int64_t now_ms)
{
    r->count[status == 401 ? REFUSAL_TOKEN : status == 403 ? REFUSAL_FORBIDDEN : REFUSAL_OTHER]++;
    if (may_log(r, now_ms))
        log_info("front: %d %s", status, detail);
}

void refusals_add_come_back(struct refusals *r, enum refusal why, int64_t now_ms)
{
    static const char *const texts[REFUSALS] = {
        [REFUSAL_DRAINING] = "this responder stops",
        [REFUSAL_FULL] = "all streams are taken (--max-streams)",
        [REFUSAL_ADDRESS_STREAMS] = "too many streams of an address (--max-streams-per-address)",
        [REFUSAL_ADDRESS_OPENS] = "too many openings of an address (--max-opens-per-minute)",
        [REFUSAL_SUBJECT_STREAMS] = "too many streams of a subject (--max-streams-per-subject)",
        [REFUSAL_SUBJECT_OPENS] = "too many openings of a subject (--max-opens-per-minute)",
        [REFUSAL_BUSY] = "too many tokens wait to be verified",
    };
    /* As the metrics have it. */
    static const char *const names[REFUSALS] = {
        "draining",      "full", "address_streams", "address_opens", "subject_streams",
        "subject_opens", "busy"};

    r->count[why]++;
    if (r->told_ms[why] == 0 || now_ms - r->told_ms[why] >= WARN_MS) {
        r->told_ms[why] = now_ms;
        log_warn("front: clients are told to come back later: %s", texts[why]);
    } else if (may_log(r, now_ms)) {
        log_info("front: told to come back later: %s", names[why]);
    }
}

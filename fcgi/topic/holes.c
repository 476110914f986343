#include "topic/holes.h"

#include <stddef.h>

#define YEAR_2001_MS INT64_C(978307200000)

static bool says_young(int64_t timestamp_ms, const struct holes_times *times)
{
    return timestamp_ms >= YEAR_2001_MS && timestamp_ms <= times->wall_ms &&
           times->wall_ms - timestamp_ms < times->delete_retention_ms;
}

/* Where deletes are kept for no time at all, who reads all the time still sees them. */
enum { AWAY_MS = 15000, PATIENCE_MAX = 32 };

bool holes_outdate(const struct holes *h, const struct holes_times *times)
{
    int64_t kept_ms = times->delete_retention_ms > AWAY_MS ? times->delete_retention_ms : AWAY_MS;

    if (h->ended)
        return times->now_ms - h->ended_at_ms >= kept_ms;
    uint32_t patience = times->rereads < PATIENCE_MAX ? times->rereads : PATIENCE_MAX;
    return h->records > 0 && (times->now_ms - h->moved_at_ms) >> patience >= kept_ms;
}

void holes_look(struct holes *h, const struct holes_times *times, int64_t last_ms)
{
    bool moved = h->records == 0 || h->records != h->looked_records;

    if (h->ended || !moved || holes_outdate(h, times))
        return;
    /* What was handed on since then may have been fetched before it. */
    h->moved_at_ms = last_ms;
    h->looked_records = h->records;
}

bool holes_hide_delete(const struct holes *h, const struct holes_times *times,
                       const int64_t *behind_ms)
{
    uint32_t n = h->records < HOLES_NEIGHBOURS ? h->records : HOLES_NEIGHBOURS;

    if (h->ended && times->now_ms - h->ended_at_ms < times->delete_retention_ms)
        return false;
    if (n == 0 || (behind_ms != NULL && !says_young(*behind_ms, times)))
        return true;
    for (uint32_t i = 0; i < n; i++)
        if (!says_young(h->timestamps_ms[i], times))
            return true;
    return false;
}

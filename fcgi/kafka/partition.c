#include "kafka/partition.h"

#include "kafka/tick.h"

struct partition partition_new(int64_t now_ms)
{
    return (struct partition){
        .leader = -1,
        .home = -1,
        .next = -1,
        .looked_next = -1,
        .end = -1,
        .top = -1,
        .heard_ms = now_ms,
    };
}

void partition_answered(struct partition *p, int64_t end, uint64_t ticket)
{
    p->answered = true;
    p->error = 0;
    p->end = p->seen_end = end;
    p->top = end > p->top ? end : p->top;
    p->ticket = ticket;
}

/* There is more, or nobody may look. */
static bool waits(const struct partition *p)
{
    return p->refused || (p->started && p->end > p->next);
}

static enum partition_state state_of(const struct partition *p, int64_t now_ms)
{
    if (now_ms - p->heard_ms >= PARTITION_AWAY_MS)
        return PARTITION_AWAY;
    return p->stood_ms >= PARTITION_STUCK_MS ? PARTITION_STUCK : PARTITION_GIVES;
}

bool partition_look(struct partition *p, bool held, const struct tick *tick)
{
    enum partition_state before = p->state;
    bool moves = held || p->next != p->looked_next;

    p->heard_ms += tick->lost_ms;
    if (moves || p->answered || p->heard_ms > tick->now_ms) /* it is newer than the last look */
        p->heard_ms = tick->now_ms;
    /* Without an answer nobody knows whether there is more. */
    if (moves || (p->answered && !waits(p)))
        p->stood_ms = 0;
    else if (p->answered)
        p->stood_ms += tick->ran_ms;
    p->answered = false;
    p->looked_next = p->next;
    p->state = state_of(p, tick->now_ms);
    if (p->state == PARTITION_AWAY) {
        p->end = -1;
        p->stood_ms = 0;
    }
    return p->state != before;
}

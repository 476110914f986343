#include "subscription.h"

#include <stdlib.h>

#include "base/mem.h"
#include "play.h"
#include "world.h"

enum {
    REMEMBERED_MS = 5 * 60 * 1000,
    LATE_MS = 15000,  /* until nothing is left of what was sent to one that was disturbed */
    ANSWER_MS = 2000, /* in which a responder that nothing disturbs answers its peers */
};

struct subscription *subscription_new(struct pool *pool, unsigned number)
{
    struct subscription *s = mem_zero(sizeof *s);

    s->pool = pool;
    pool->handles++;
    snprintf(s->handle, sizeof s->handle, "handle_%025u", number);
    return s;
}

void subscription_free(struct subscription *s)
{
    if (s == NULL)
        return;
    free(s->tellings);
    free(s);
}

size_t subscription_heap_bytes(const struct subscription *s)
{
    return sizeof *s + s->n * sizeof *s->tellings;
}

/* -- the list -- */

static size_t add(struct subscription *s, const struct telling *telling)
{
    s->tellings = mem_resize_array(s->tellings, s->n + 1, sizeof *s->tellings);
    s->tellings[s->n] = *telling;
    s->tellings[s->n].at_ms = world_now_ms();
    return s->n++;
}

static void settle(struct telling *t, int fate)
{
    t->fate = fate;
    t->at_ms = world_now_ms();
}

/* The form that is on its way may come behind it, too. */
static size_t add_url(struct subscription *s, int fate)
{
    size_t at = add(s, &(struct telling){.by_url = true, .named.all = true, .fate = fate});

    if (s->posting) {
        struct telling late = s->tellings[s->posted];
        late.fate = TELLING_MAYBE;
        add(s, &late);
    }
    return at;
}

/* Another stream, or a form, may overtake those that are opened anew. */
static void cross_openings(struct subscription *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->tellings[i].by_url && s->tellings[i].fate == TELLING_SENT)
            settle(&s->tellings[i], TELLING_MAYBE);
}

size_t subscription_taken(const struct subscription *s, int64_t since_ms)
{
    for (size_t i = s->n; i-- > 0;)
        if (s->tellings[i].fate == TELLING_TAKEN && s->tellings[i].at_ms <= since_ms)
            return i;
    return 0;
}

/* -- whether it is known -- */

static uint64_t used_by_others(const struct subscription *s)
{
    return s->pool->handle_uses - s->uses;
}

/* A responder that is full forgets the least recently used; one that stands still uses them late.
 */
static bool has_room(const struct subscription *s)
{
    uint64_t max = (uint64_t)s->pool->story->responder.max_handles;

    return s->pool->handles <= max || (used_by_others(s) - s->used_by_others < max &&
                                       pool_answers_since_ms(s->pool) < s->used_ms);
}

/* Maybe: it is asked for, or told something, at some responder. */
static void use(struct subscription *s)
{
    s->lapses += !has_room(s);
    s->uses++;
    s->pool->handle_uses++;
}

/* For sure, not before others had been used so often. */
static void was_used(struct subscription *s, uint64_t by_others, int64_t at_ms)
{
    s->used_by_others = by_others;
    s->used_ms = at_ms;
}

/* Some responder has it; none was lost that may have been the one. */
static bool is_known(const struct subscription *s)
{
    int64_t away_ms = world_now_ms() - s->heard_ms;

    return s->kept_ms > pool_lost_ms(s->pool) && away_ms < REMEMBERED_MS - ANSWER_MS && has_room(s);
}

/* All would say so if they were asked for it since then. */
static bool all_answer(const struct subscription *s, int64_t since_ms)
{
    return pool_answers_since_ms(s->pool) <= since_ms - ANSWER_MS;
}

static bool comes_again(const struct subscription *s, size_t at, size_t to)
{
    for (size_t i = at + 1; i < to; i++)
        if (!s->tellings[i].by_url && s->tellings[i].fate != TELLING_REFUSED &&
            picked_equal(&s->tellings[i].named, &s->tellings[at].named))
            return true;
    return false;
}

/* The stream may go by its URL, until somebody remembers better: maybe, where one was lost that
 * knew the last, or did not answer and learns that last, something older. */
static void forget(struct subscription *s, int64_t since_ms)
{
    bool sure = is_known(s) && all_answer(s, since_ms);
    size_t from = sure ? subscription_taken(s, INT64_MAX) : 0, to = s->n;

    add_url(s, TELLING_MAYBE);
    for (size_t i = from; i < to; i++) {
        struct telling again = s->tellings[i];
        if (again.by_url || again.fate == TELLING_REFUSED || comes_again(s, i, to))
            continue;
        again.fate = TELLING_MAYBE;
        add(s, &again);
    }
}

/* -- streams -- */

void subscriber_ask(struct subscriber *by, bool anew)
{
    struct subscription *s = by->subscription;
    int64_t now = world_now_ms();

    if (s == NULL)
        return;
    by->asked = true;
    by->anew = anew;
    by->asked_ms = now;
    by->used_by_others = used_by_others(s);
    use(s);
    s->asked++;
    by->alone = s->opening == 0 ? s->asked : 0;
    if (s->opening++ > 0)
        cross_openings(s);
    s->anew += anew;
    if (anew) {
        by->telling = add_url(s, s->opening > 1 || s->posting ? TELLING_MAYBE : TELLING_SENT);
        s->crossed = true;
    } else if (!is_known(s) || !all_answer(s, now)) {
        forget(s, now);
    }
}

void subscriber_open(struct subscriber *by)
{
    struct subscription *s = by->subscription;

    if (s == NULL || by->open)
        return;
    by->open = true;
    s->opening--;
    s->anew -= by->anew;
    s->open++;
    if (by->anew && s->tellings[by->telling].fate == TELLING_SENT)
        settle(&s->tellings[by->telling], TELLING_TAKEN);
    if (!by->anew &&
        (pool_lost_ms(s->pool) >= by->asked_ms || !is_known(s) || !all_answer(s, by->asked_ms)))
        forget(s, by->asked_ms);
    use(s);
    by->lapses = s->lapses;
    if (by->asked_ms > s->kept_ms) {
        s->kept_ms = by->asked_ms;
        was_used(s, by->used_by_others, by->asked_ms);
    }
}

void subscriber_hear(const struct subscriber *by)
{
    if (by->open)
        by->subscription->heard_ms = world_now_ms();
}

void subscriber_leave(struct subscriber *by)
{
    struct subscription *s = by->subscription;

    if (s == NULL || !by->asked)
        return;
    by->asked = false;
    if (by->open) {
        s->open--;
    } else {
        s->opening--;
        s->anew -= by->anew;
        cross_openings(s);
    }
    by->open = false;
}

bool subscriber_keeps_handle(const struct subscriber *by)
{
    return by->open && by->lapses == by->subscription->lapses && has_room(by->subscription);
}

bool subscriber_is_alone(const struct subscriber *by)
{
    return by->alone != 0 && by->alone == by->subscription->asked;
}

/* -- forms -- */

void subscription_post(struct subscription *s, const struct picked *named)
{
    s->posting = true;
    s->posted_by_others = used_by_others(s);
    use(s);
    s->crossed = s->anew > 0;
    s->was_known = is_known(s) && s->opening == 0;
    cross_openings(s);
    s->posted = add(s, &(struct telling){.named = *named, .fate = TELLING_SENT});
}

/* More than ten in one second, or in what was one to a responder that answers late. */
static void check_limit(const struct subscription *s, int64_t sent_ms)
{
    int64_t before_ms = s->answered_ms[s->answers % TELLINGS_A_SECOND];
    bool late = pool_answers_since_ms(s->pool) > sent_ms - LATE_MS;

    if (!late && sent_ms - before_ms > 1000)
        world_breach("limit", "%s was told something ten times in %lld ms", s->handle,
                     (long long)(sent_ms - before_ms));
}

void subscription_answer(struct subscription *s, int status)
{
    struct telling *t = &s->tellings[s->posted];
    bool was_known =
        s->was_known && pool_lost_ms(s->pool) < t->at_ms && is_known(s) && all_answer(s, t->at_ms);

    /* Of several that remember it, one may have taken it. */
    bool is_unsure = status == 0 || status == 503 || status == 429;

    s->posting = false;
    if (status == 429)
        check_limit(s, t->at_ms);
    s->answered_ms[s->answers++ % TELLINGS_A_SECOND] = world_now_ms();
    /* Where its stream's responder has forgotten it, another one may take it for a stream that is
     * to come back. */
    bool sure = !s->crossed && has_room(s);
    use(s);
    if (status == 204 && sure)
        was_used(s, s->posted_by_others, t->at_ms);
    if (status == 204)
        settle(t, sure ? TELLING_TAKEN : TELLING_MAYBE);
    else
        settle(t, is_unsure ? TELLING_MAYBE : TELLING_REFUSED);
    if (status == 404 && was_known)
        world_breach("unknown", "%s is unknown, and was open", s->handle);
}

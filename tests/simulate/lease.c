#include "lease.h"

#include <stdio.h>

#include "keys.h"
#include "world.h"

enum {
    LATE_MS = 500,      /* from a moment until its bytes are read */
    SETTLE_MS = 2000,   /* renewals that wait are waited for */
    LAST_MS = 3000,     /* the rest of an event may follow */
    LARGE_BYTES = 1000, /* an event that takes several sends */
    CALM_MS = 6000,     /* after the clock was set */
};

void lease_begin(struct lease *l, const char *name, int64_t exp_ms, int64_t max_age_ms)
{
    int64_t before_ms = l->offered_ms; /* may still be accepted, late, and renew this one */

    *l = (struct lease){.exp_ms = exp_ms,
                        .sure_ms = exp_ms,
                        .offered_ms = exp_ms,
                        .asked_ms = world_wall_ms(),
                        .max_age_ms = max_age_ms,
                        .steps = world_wall_steps(),
                        .key = keys_now()};
    snprintf(l->name, sizeof l->name, "%s", name);
    if (before_ms > exp_ms)
        l->offered_ms = l->left_ms = before_ms;
}

void lease_open(struct lease *l)
{
    int64_t now = world_wall_ms();

    /* It was opened in between, and the clock may have been set back meanwhile. */
    l->began_ms = now > l->asked_ms ? now : l->asked_ms;
    l->asked_ms = now < l->asked_ms ? now : l->asked_ms;
}

void lease_offer_astray(struct lease *l, int64_t exp_ms)
{
    l->offered_ms = exp_ms > l->offered_ms ? exp_ms : l->offered_ms;
}

void lease_offer(struct lease *l, int64_t exp_ms)
{
    if (l->offering)
        l->left_ms = l->offered_ms;
    lease_offer_astray(l, exp_ms);
    l->offering = true;
    l->offered_key = keys_now();
    l->offered_known = keys_are_known();
    l->challenged = l->challenged_meanwhile = false; /* what comes may be for the new one */
}

/* The responder that has answered may know a key that its own does not know yet.  There it goes on
 * as long as it would have, which is no longer than its key: that may be gone. */
static int64_t sure_until_ms(const struct lease *l, int64_t exp_ms)
{
    if (l->offered_known)
        return exp_ms;
    int64_t before_ms = l->key == l->offered_key ? l->sure_ms : world_wall_ms();
    return exp_ms < before_ms ? exp_ms : before_ms;
}

void lease_answer(struct lease *l, int64_t exp_ms, bool accepted)
{
    l->offering = false;
    l->answered_ms = world_wall_ms();
    if (!accepted) {
        l->challenged = true; /* for the old one */
        return;
    }
    /* When one whose key has gone is over, is its responder's to say. */
    if (world_wall_ms() >= l->exp_ms || l->key != l->offered_key)
        l->late_ms = world_wall_ms();
    if (exp_ms > l->exp_ms || l->key != l->offered_key) {
        l->sure_ms = sure_until_ms(l, exp_ms);
        l->exp_ms = exp_ms;
        l->key = l->offered_key;
        l->challenged = false;
        l->challenged_meanwhile =
            l->challenged_meanwhile && world_wall_ms() >= exp_ms - CHALLENGE_MS;
    }
}

/* Early and late can be told. */
static bool is_clear(const struct lease *l, bool undisturbed)
{
    return undisturbed && world_wall_calm_ms() > CALM_MS && l->key == keys_now();
}

bool lease_challenge(struct lease *l, const struct sse_event *event, bool undisturbed)
{
    static const char must[] = "{\"method\":\"POST\",\"headers\":{\"content-type\":"
                               "\"application/x-challenge-response\"}}";

    if (event->type.p == NULL || !slice_equal(event->type, slice_str("challenge")))
        return false;
    world_tell("%s is challenged", l->name);
    if (event->id.p != NULL || !slice_equal(event->data, slice_str(must)))
        world_breach("challenge", "%s is given a challenge that is none", l->name);
    bool clear = is_clear(l, undisturbed) && !l->offering && l->left_ms <= l->exp_ms;
    if (clear && world_wall_ms() < l->sure_ms - CHALLENGE_MS)
        world_breach("challenge", "%s is challenged %lld ms before its token ends", l->name,
                     (long long)(l->sure_ms - world_wall_ms()));
    if (clear && l->challenged && l->challenge_steps == world_wall_steps())
        world_breach("challenge", "%s is challenged twice for one token", l->name);
    if (l->offering)
        l->challenged_meanwhile = true;
    else
        l->challenged = true;
    l->challenge_steps = world_wall_steps();
    return true;
}

void lease_event(const struct lease *l, size_t bytes, bool undisturbed)
{
    int64_t late_ms = bytes > LARGE_BYTES ? LAST_MS : LATE_MS;

    if (is_clear(l, undisturbed) && world_wall_ms() > l->offered_ms + late_ms)
        world_breach("late", "%s is given an event %lld ms after the end of its token", l->name,
                     (long long)(world_wall_ms() - l->offered_ms));
}

void lease_end(const struct lease *l, bool undisturbed)
{
    int64_t age_ms = world_wall_ms() - l->asked_ms;

    if (l->max_age_ms > 0 && age_ms >= l->max_age_ms / 10 * 9)
        return;
    if (l->late_ms != 0 && world_wall_ms() - l->late_ms < LATE_MS)
        return; /* it may have ended before that came */
    if (is_clear(l, undisturbed) && world_wall_ms() < l->sure_ms)
        world_breach("early", "%s ends %lld ms before its token does", l->name,
                     (long long)(l->sure_ms - world_wall_ms()));
}

void lease_look(const struct lease *l, int64_t undisturbed_ms)
{
    int64_t now = world_wall_ms();

    /* What ends while its responder stands still is ended when that goes on. */
    if (!is_clear(l, undisturbed_ms > SETTLE_MS + LAST_MS))
        return;
    if (now > l->offered_ms + SETTLE_MS + LAST_MS)
        world_breach("outlives", "%s goes on %lld ms after the end of its token", l->name,
                     (long long)(now - l->offered_ms));
    if (l->max_age_ms > 0 && now > l->began_ms + l->max_age_ms + SETTLE_MS + LAST_MS)
        world_breach("outlives", "%s is older than streams may be", l->name);
    int64_t due_ms = l->exp_ms - CHALLENGE_MS; /* at once, if it is renewed later than that */
    due_ms = due_ms > l->answered_ms ? due_ms : l->answered_ms;
    bool sure = l->offered_ms <= l->exp_ms; /* no other one may have been accepted late */
    if (sure && now > due_ms + LAST_MS && !l->challenged && !l->challenged_meanwhile &&
        !l->offering)
        world_breach("challenge", "%s is not challenged, and its token ends in %lld ms", l->name,
                     (long long)(l->exp_ms - now));
}

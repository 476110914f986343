#include "teller.h"

#include "keys.h"
#include "play.h"

enum {
    FORM_BYTES = 8192,
    SOON_MS = 50,
    TOKEN_MS = 7200 * 1000,
    KEYS_MS = 5000,
    UNANSWERED_MS = 30000,
};

static struct dice *dice(const struct teller *t)
{
    return world_dice(t->post.who);
}

/* -- what it says -- */

static void draw(struct teller *t, struct buf *body)
{
    static const char *const bad[] = {"key=%4", "keyBase64=*", "header:x=a", "field:y=b&key=k"};
    bool guarded = t->post.pool->story->responder.guarded;
    uint32_t n = dice_below(dice(t), 100);

    t->named = wish_draw_form(dice(t), t->post.pool->story->wish_keys);
    wish_put_form(&t->named, dice(t), body);
    t->how = n < 4 && guarded ? TELLER_FOREIGN : n < 6 ? TELLER_ELSEWHERE : TELLER_GOOD;
    if (n >= 94) {
        t->how = TELLER_BAD;
        body->n = 0;
        buf_add_str(body, bad[dice_below(dice(t), 4)]);
    }
    if (body->n > FORM_BYTES)
        t->how = TELLER_LARGE;
}

static void add_token(struct teller *t, struct buf *token)
{
    int64_t until_ms = world_wall_ms() + TOKEN_MS;
    struct picked claim;

    if (!t->post.pool->story->responder.guarded)
        return;
    wish_draw_claim(&claim, dice(t), 4); /* it says who asks, and nothing else */
    keys_sign(token, t->how == TELLER_FOREIGN ? "thief" : t->subject, t->post.name,
              until_ms - until_ms % 1000, &claim);
    t->key = keys_now();
    t->steps = world_wall_steps();
}

static void write_form(void *arg)
{
    struct teller *t = arg;
    struct buf body = {0}, token = {0}, query = {0};

    t->times--;
    if (t->subscription->is_told)
        return;
    t->subscription->is_told = true;
    draw(t, &body);
    add_token(t, &token);
    buf_printf(&query, "stream=%s", t->subscription->handle);
    const char *path = wish_path(t->wish);
    if (t->how == TELLER_ELSEWHERE)
        path = strcmp(path, "/fixed") == 0 ? "/events" : "/fixed";
    const struct post_text text = {.what = "tells its stream what to select",
                                   .path = path,
                                   .type = "application/x-www-form-urlencoded",
                                   .token = buf_slice(&token),
                                   .query = buf_slice(&query),
                                   .body = buf_slice(&body)};
    world_tell("%s is to tell: %.*s", t->post.name, (int)(body.n < 80 ? body.n : 80),
               body.n > 0 ? (const char *)body.p : "");
    post_start(&t->post, &text, 0);
    buf_fini(&body);
    buf_fini(&token);
    buf_fini(&query);
}

/* -- what it hears -- */

static void on_try(void *arg)
{
    struct teller *t = arg;

    t->tried_ms = world_now_ms();
    if (t->how == TELLER_GOOD)
        subscription_post(t->subscription, &t->named);
}

/* Its responder may not have the key yet, or no longer; or the clock was set. */
static bool may_be_refused(const struct teller *t)
{
    return t->post.pool->story->responder.guarded &&
           (!keys_are_known() || t->key != keys_now() || t->steps != world_wall_steps() ||
            pool_answers_since_ms(t->post.pool) > t->tried_ms - KEYS_MS);
}

static void check_answer(const struct teller *t, int status)
{
    static const int musts[] = {[TELLER_GOOD] = 204,
                                [TELLER_BAD] = 400,
                                [TELLER_LARGE] = 413,
                                [TELLER_FOREIGN] = 404,
                                [TELLER_ELSEWHERE] = 404};

    bool is_away = status == 0 || status == 503;
    if (status == musts[t->how] || is_away || (status == 401 && may_be_refused(t)))
        return;
    if (t->how == TELLER_GOOD && (status == 404 || status == 429))
        return; /* subscription_answer() knows more */
    world_breach("answer", "%s tells its stream what to select, and is answered %d", t->post.name,
                 status);
}

static void on_answer(void *arg, int status, bool last)
{
    struct teller *t = arg;

    t->tried_ms = 0;
    check_answer(t, status);
    if (t->how == TELLER_GOOD)
        subscription_answer(t->subscription, status);
    if (last)
        t->subscription->is_told = false;
    if (last && t->times > 0)
        errand_start(&t->next, dice_below(dice(t), SOON_MS));
}

/* -- all of them -- */

void teller_init(struct teller *t, struct pool *pool, uint64_t who, const char *name,
                 const char *subject, struct subscription *subscription, const struct wish *wish)
{
    *t = (struct teller){.subscription = subscription, .subject = subject, .wish = wish};
    post_init(&t->post, pool, who, name, t);
    t->post.on_try = on_try;
    t->post.on_answer = on_answer;
    t->next = (struct errand){.run = write_form, .arg = t};
}

void teller_fini(struct teller *t)
{
    errand_stop(&t->next);
    post_fini(&t->post);
}

void teller_start(struct teller *t, uint32_t times)
{
    if (t->subscription == NULL || post_is_under_way(&t->post) || errand_started(&t->next))
        return;
    t->times = times;
    errand_start(&t->next, 0);
}

void teller_look(const struct teller *t)
{
    int64_t since_ms = pool_answers_since_ms(t->post.pool);

    since_ms = t->tried_ms > since_ms ? t->tried_ms : since_ms;
    if (t->tried_ms > 0 && t->post.pool->quiet && world_now_ms() - since_ms > UNANSWERED_MS)
        world_breach("unanswered", "%s tells its stream what to select, and hears nothing",
                     t->post.name);
}

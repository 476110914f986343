#include "base/fcgi_record.h"
#include "client_inside.h"
#include "keys.h"

int64_t client_new_expiry(struct client *c)
{
    int64_t seconds =
        c->pool->quiet ? 3600 : dice_between(client_dice(c), 12, c->pool->story->token_s);
    int64_t ms = world_wall_ms() + seconds * 1000;
    return ms - ms % 1000;
}

static void on_renewal_try(void *arg)
{
    (void)arg;
}

static void on_renewed(void *arg, int status, bool last)
{
    struct client *c = arg;

    if (!last || c->line == NULL || c->astray)
        return;
    lease_answer(&c->lease, c->renewing_ms, status == 204);
    view_settle(&c->view, status == 204);
    c->renewed_ms = status == 204 && !pool_hears(c->pool) ? world_now_ms() : INT64_MAX;
}

/* Soon, or late, or in the last moment. */
static int64_t renewal_delay_ms(struct client *c)
{
    uint32_t n = dice_below(client_dice(c), 100);

    if (n < 15 && !c->pool->quiet)
        return dice_between(client_dice(c), CHALLENGE_MS - 50, CHALLENGE_MS);
    return dice_below(client_dice(c), n < 70 || c->pool->quiet ? 3000 : 13000);
}

struct picked client_route(const struct client *c)
{
    return wish_route(&c->wish, &c->claim, c->routes);
}

/* A renewal names its stream by the URL's token or handle. */
static bool is_named(const struct client *c)
{
    return c->kind->in_url || c->view.by.subscription != NULL;
}

/* Some tokens say otherwise than the one before: one that is not for its stream lets that end,
 * which in the end is to last. */
static void change_claim(struct client *c)
{
    bool lasts = c->pool->quiet && !is_named(c);

    if (!lasts && !c->view.offers && dice_chance(client_dice(c), 40))
        wish_draw_claim(&c->claim, client_dice(c), c->pool->story->wish_keys);
}

/* The new token may make the stream select otherwise: it is renewed and reset only if it is named.
 */
static void offer(struct client *c)
{
    struct picked its = client_route(c), holds = picked_both(&its, &c->view.url);
    bool same = c->view.by.subscription != NULL ? picked_equal(&its, &c->view.route)
                                                : picked_equal(&holds, &c->view.holds);

    c->astray = !same && !is_named(c);
    if (c->astray) {
        lease_offer_astray(&c->lease, c->renewing_ms);
        return;
    }
    lease_offer(&c->lease, c->renewing_ms);
    if (!same && !c->view.lingers)
        view_offer(&c->view, &its);
}

/* Mostly in time, and mostly at all. */
void client_renew(struct client *c)
{
    const struct subscription *subscription = c->view.by.subscription;
    struct buf token = {0}, query = {0};

    if (dice_chance(client_dice(c), 15) && !c->pool->quiet)
        return;
    c->renewing_ms = client_new_expiry(c);
    change_claim(c);
    offer(c);
    keys_sign(&token, c->subject, c->view.name, c->renewing_ms, &c->claim);
    if (c->kind->in_url)
        buf_printf(&query, "access_token=%.*s", (int)c->token.n, (const char *)c->token.p);
    else if (subscription != NULL)
        buf_printf(&query, "stream=%s", subscription->handle);
    const struct post_text text = {.what = "renews its token",
                                   .path = subscription ? wish_path(&c->wish) : "/events",
                                   .type = "application/x-challenge-response",
                                   .token = buf_slice(&token),
                                   .query = buf_slice(&query)};
    post_start(&c->renewal, &text, renewal_delay_ms(c));
    buf_fini(&token);
    buf_fini(&query);
}

static void add_param(struct buf *params, const char *name, const char *value)
{
    fcgi_param_add(params, slice_str(name), slice_str(value));
}

static void add_token(struct client *c, struct buf *params, struct buf *query)
{
    struct buf text = {0};

    if (!c->pool->story->responder.guarded)
        return;
    c->token.n = 0;
    keys_sign(&c->token, c->subject, c->view.name, c->lease.exp_ms, &c->claim);
    if (c->kind->in_url) {
        buf_printf(query, "%saccess_token=", query->n > 0 ? "&" : "");
        buf_add_slice(query, buf_slice(&c->token));
        return;
    }
    buf_add_str(&text, "Bearer ");
    buf_add_slice(&text, buf_slice(&c->token));
    fcgi_param_add(params, slice_str("HTTP_AUTHORIZATION"), buf_slice(&text));
    buf_fini(&text);
}

/* So much of it is told. */
static int cut(const struct buf *text)
{
    return text->n < 80 ? (int)text->n : 80;
}

void client_ask(struct client *c)
{
    struct buf params = {0}, request = {0}, path = {0}, query = {0};

    wish_put(&c->wish, client_dice(c), &path, &query);
    if (c->wish.way != WISH_ALL)
        world_tell("%s asks for %.*s?%.*s", c->view.name, cut(&path), (const char *)path.p,
                   cut(&query), (const char *)query.p);
    if (c->kind->form != FORM_PLAIN)
        buf_printf(&query, "%s%s", query.n > 0 ? "&" : "", form_query(c->kind->form));
    if (c->view.by.subscription != NULL)
        buf_printf(&query, "%sstream=%s", query.n > 0 ? "&" : "", c->view.by.subscription->handle);
    add_token(c, &params, &query);
    add_param(&params, "REQUEST_METHOD", "GET");
    fcgi_param_add(&params, slice_str("REQUEST_URI"), buf_slice(&path));
    fcgi_param_add(&params, slice_str("SCRIPT_NAME"), buf_slice(&path));
    fcgi_param_add(&params, slice_str("QUERY_STRING"), buf_slice(&query));
    add_param(&params, "HTTP_ACCEPT", "text/event-stream");
    add_param(&params, "REMOTE_ADDR", "127.0.0.1");
    if (c->view.id[0] && c->kind->form != FORM_DOCUMENT)
        add_param(&params, "HTTP_LAST_EVENT_ID", c->view.id);
    if (form_ends(c->kind->form))
        client_ask_for_document(c, &params);
    fcgi_request_add(&request, c->response.request_id, buf_slice(&params), slice_of(NULL, 0));
    line_write(c->line, buf_slice(&request));
    buf_fini(&path);
    buf_fini(&query);
    buf_fini(&params);
    buf_fini(&request);
}

enum wish_way client_way(const struct client *c)
{
    bool no_claims = !c->pool->story->responder.guarded;

    return c->kind->way == WISH_BY_CLAIM && no_claims ? WISH_BY_QUERY : c->kind->way;
}

/* It asks for what it has asked for before, mostly. */
void client_draw_wish(struct client *c)
{
    bool first = !c->has_wish;

    if (first || dice_chance(client_dice(c), 10)) {
        wish_draw(&c->wish, client_way(c), client_dice(c), c->pool->story->wish_keys);
        c->etag.n = 0; /* which was of another URL */
    }
    if (first || (!c->view.lingers && dice_chance(client_dice(c), 30)))
        wish_draw_claim(&c->claim, client_dice(c), c->pool->story->wish_keys);
    c->has_wish = true;
}

void client_init_renewal(struct client *c)
{
    post_init(&c->renewal, c->pool, WHO_CLIENT + c->number, c->view.name, c);
    c->renewal.on_try = on_renewal_try;
    c->renewal.on_answer = on_renewed;
    c->renewed_ms = INT64_MAX;
}

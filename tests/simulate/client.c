#include "client.h"

#include <stdlib.h>

#include "base/fcgi_record.h"
#include "base/mem.h"
#include "keys.h"
#include "kinds.h"
#include "lease.h"
#include "model.h"
#include "play.h"
#include "renewal.h"
#include "response.h"
#include "sockets.h"
#include "world.h"

enum {
    REQUEST_IDS = 2,
    COME_AGAIN_MS = 500,
    SOON_MS = 3000,
    KEYS_MS = 5000,
    LATE_MS = 2000,
    SHARED_MS = 10000
};

/* -- a client -- */

struct client {
    unsigned number;
    const struct kind *kind;
    struct pool *pool;
    unsigned responder;
    struct view view;
    bool has_wish;
    struct wish wish;
    unsigned routes;     /* of its responder, by their version */
    struct picked claim; /* of the last token that it was given */
    bool astray; /* the renewal under way would make its stream select otherwise: left alone */
    struct line *line; /* NULL: it is away */
    struct response response;
    struct lease lease;
    struct buf token; /* of the stream; empty: it needs none */
    struct renewal_try renewal;
    int64_t renewing_ms; /* the expiry of the token that it renews with */
    struct errand come, read;
    uint32_t pace;
    bool may_be_refused;                /* when it came */
    bool retry_told, told_to_come_back; /* by a second one, before the end */
    int64_t heard_ms;                   /* when it was sent the last bytes */
    int64_t retry_ms, undisturbed_since_ms;
};

static struct dice *dice(const struct client *c)
{
    return world_dice(WHO_CLIENT + c->number);
}

/* Nothing but itself says when it reads what is sent to it.  With thousands a turn takes its time.
 */
static bool undisturbed(const struct client *c)
{
    int64_t since = client_owed_since_ms(c);
    return c->pool->story->crowd < CROWD_MAX && since != INT64_MAX && world_now_ms() - since > 1000;
}

static int64_t new_expiry(struct client *c)
{
    int64_t seconds = c->pool->quiet ? 3600 : dice_between(dice(c), 12, c->pool->story->token_s);
    int64_t ms = world_wall_ms() + seconds * 1000;
    return ms - ms % 1000;
}

static void on_renewed(void *arg, bool accepted)
{
    struct client *c = arg;

    if (c->line == NULL || c->astray)
        return;
    lease_answer(&c->lease, c->renewing_ms, accepted);
    view_settle(&c->view, accepted);
}

/* Soon, or late, or in the last moment. */
static int64_t renewal_delay_ms(struct client *c)
{
    uint32_t n = dice_below(dice(c), 100);

    if (n < 15 && !c->pool->quiet)
        return dice_between(dice(c), CHALLENGE_MS - 50, CHALLENGE_MS);
    return dice_below(dice(c), n < 70 || c->pool->quiet ? 3000 : 13000);
}

static struct picked wished(const struct client *c)
{
    return wish_holds(&c->wish, &c->claim, c->routes);
}

/* Some tokens say otherwise than the one before. */
static void change_claim(struct client *c)
{
    if (!c->view.offers && dice_chance(dice(c), 40))
        wish_draw_claim(&c->claim, dice(c), c->pool->story->wish_keys);
}

/* The new token may make the stream select otherwise: it is renewed and reset only if it is named,
 * by the token in its URL. */
static void offer(struct client *c)
{
    struct picked holds = wished(c);
    bool same = picked_equal(&holds, &c->view.holds);

    c->astray = !same && !c->kind->in_url;
    if (c->astray) {
        lease_offer_astray(&c->lease, c->renewing_ms);
        return;
    }
    lease_offer(&c->lease, c->renewing_ms);
    if (!same)
        view_offer(&c->view, &holds);
}

/* Mostly in time, and mostly at all. */
static void renew(struct client *c)
{
    struct buf token = {0};

    if (dice_chance(dice(c), 15) && !c->pool->quiet)
        return;
    c->renewing_ms = new_expiry(c);
    change_claim(c);
    offer(c);
    keys_sign(&token, c->view.name, c->renewing_ms, &c->claim);
    renewal_start(&c->renewal, c->view.name, buf_slice(&token),
                  c->kind->in_url ? buf_slice(&c->token) : slice_of(NULL, 0), renewal_delay_ms(c));
    buf_fini(&token);
}

static void on_event(void *arg, const struct sse_event *event)
{
    struct client *c = arg;

    if (c->token.n > 0 && lease_challenge(&c->lease, event, undisturbed(c))) {
        renew(c);
        return;
    }
    if (c->token.n > 0 && event->data.p != NULL)
        lease_event(&c->lease, event->data.n, undisturbed(c));
    view_event(&c->view, event);
}

static void on_retry(void *arg, int64_t ms)
{
    struct client *c = arg;
    c->told_to_come_back = c->retry_told;
    c->retry_told = true;
    c->retry_ms = ms;
}

static void leave(struct client *c)
{
    if (c->line == NULL)
        return;
    renewal_stop(&c->renewal);
    line_close(c->line);
    c->line = NULL;
    response_fini(&c->response);
    errand_stop(&c->read);
}

static void come_back(struct client *c, int64_t after_ms)
{
    leave(c);
    errand_start(&c->come, after_ms);
}

/* By the other side. */
static void end(struct client *c)
{
    bool by_itself = c->response.ended && c->response.is_stream && !c->told_to_come_back;

    if (c->token.n > 0 && by_itself)
        lease_end(&c->lease, undisturbed(c));
    come_back(c, c->retry_ms);
}

static void on_bytes(void *arg)
{
    struct client *c = arg;

    if (c->pace > 0 && !errand_started(&c->read))
        errand_start(&c->read, dice_below(dice(c), c->pace == UINT32_MAX ? 3 : 1000));
}

/* Refused it is only for a token that is over by now, or whose key the responder does not have. */
static bool may_be_refused(const struct client *c)
{
    bool is_new = world_now_ms() - pool_runs_since_ms(c->pool, c->responder) < KEYS_MS;

    if (c->token.n == 0)
        return false;
    return is_new || !keys_are_known() || c->lease.key != keys_now() ||
           c->lease.steps != world_wall_steps() || world_wall_ms() >= c->lease.exp_ms;
}

static void check_status(const struct client *c)
{
    int status = c->response.status;

    /* Who is no browser is told by a status that its responder ends. */
    if (status == 503 && c->kind->form == FORM_LINES &&
        pool_runs_since_ms(c->pool, c->responder) > c->view.came_ms)
        return;
    if (status != 0 && status != 200 &&
        !(status == 401 && (c->may_be_refused || may_be_refused(c))))
        world_breach("status", "%s gets %d", c->view.name, status);
}

static void read_some(void *arg)
{
    struct client *c = arg;
    struct buf bytes = {0};
    size_t n = c->pace == UINT32_MAX ? SIZE_MAX : c->pace;

    if (c->response.status == 0) {
        c->undisturbed_since_ms = world_now_ms();
        lease_open(&c->lease);
        view_head(&c->view);
    }
    line_read(c->line, &bytes, n);
    c->heard_ms = world_now_ms();
    response_take(&c->response, buf_slice(&bytes));
    buf_fini(&bytes);
    check_status(c);
    if (line_waiting(c->line) > 0)
        errand_start(&c->read, c->pace == UINT32_MAX ? 1 : 1000);
    else if (line_ended(c->line))
        end(c);
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
    keys_sign(&c->token, c->view.name, c->lease.exp_ms, &c->claim);
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

static void send_request(struct client *c)
{
    struct buf params = {0}, request = {0}, path = {0}, query = {0};

    wish_put(&c->wish, dice(c), &path, &query);
    if (c->wish.way != WISH_ALL)
        world_tell("%s asks for %.*s?%.*s", c->view.name, cut(&path), (const char *)path.p,
                   cut(&query), (const char *)query.p);
    if (c->kind->form != FORM_PLAIN)
        buf_printf(&query, "%s%s", query.n > 0 ? "&" : "", form_query(c->kind->form));
    add_token(c, &params, &query);
    add_param(&params, "REQUEST_METHOD", "GET");
    fcgi_param_add(&params, slice_str("REQUEST_URI"), buf_slice(&path));
    fcgi_param_add(&params, slice_str("SCRIPT_NAME"), buf_slice(&path));
    fcgi_param_add(&params, slice_str("QUERY_STRING"), buf_slice(&query));
    add_param(&params, "HTTP_ACCEPT", "text/event-stream");
    add_param(&params, "REMOTE_ADDR", "127.0.0.1");
    if (c->view.id[0])
        add_param(&params, "HTTP_LAST_EVENT_ID", c->view.id);
    fcgi_request_add(&request, c->response.request_id, buf_slice(&params));
    line_write(c->line, buf_slice(&request));
    buf_fini(&path);
    buf_fini(&query);
    buf_fini(&params);
    buf_fini(&request);
}

/* It asks for what it has asked for before, mostly. */
static void draw_wish(struct client *c)
{
    enum wish_way way = c->kind->way;
    bool first = !c->has_wish;

    if (way == WISH_BY_CLAIM && !c->pool->story->responder.guarded)
        way = WISH_BY_QUERY;
    if (first || dice_chance(dice(c), 10))
        wish_draw(&c->wish, way, dice(c), c->pool->story->wish_keys);
    if (first || dice_chance(dice(c), 30))
        wish_draw_claim(&c->claim, dice(c), c->pool->story->wish_keys);
    c->has_wish = true;
}

static void come(void *arg)
{
    struct client *c = arg;
    struct response_handler handler = {c, on_event, on_retry};
    int fd = pool_pick(c->pool, dice(c), &c->responder);

    if (fd < 0) {
        errand_start(&c->come, COME_AGAIN_MS);
        return;
    }
    c->line = line_connect(fd, (size_t)c->kind->room, on_bytes, c);
    c->retry_told = c->told_to_come_back = false;
    lease_begin(&c->lease, c->view.name, new_expiry(c), c->pool->story->responder.max_age_ms);
    response_init(&c->response, (uint16_t)(1 + c->number % REQUEST_IDS), &handler);
    c->response.form = c->kind->form;
    c->kind->prepare(&c->view, dice(c));
    draw_wish(c);
    c->routes = pool_routes(c->pool, c->responder);
    struct picked holds = wished(c);
    view_open(&c->view, c->responder, &holds, &c->wish.from);
    world_tell("%s comes to responder %u%s%s", c->view.name, c->responder,
               c->view.id[0] ? " with id " : "", c->view.id);
    send_request(c);
    c->may_be_refused = may_be_refused(c);
}

struct client *client_new(unsigned number, unsigned kind, struct pool *pool)
{
    struct client *c = mem_zero(sizeof *c);
    char name[16];

    c->number = number;
    c->kind = kind_of(kind);
    c->pool = pool;
    c->pace = c->kind->bytes;
    c->retry_ms = COME_AGAIN_MS;
    c->come = (struct errand){.run = come, .arg = c};
    c->read = (struct errand){.run = read_some, .arg = c};
    snprintf(name, sizeof name, "%s %u", c->kind->name, number);
    view_init(&c->view, name);
    renewal_init(&c->renewal, pool, WHO_CLIENT + number, on_renewed, c);
    errand_start(&c->come, 0);
    return c;
}

void client_free(struct client *c)
{
    if (c == NULL)
        return;
    leave(c);
    errand_stop(&c->come);
    buf_fini(&c->token);
    free(c);
}

size_t client_heap_bytes(const struct client *c)
{
    return sizeof *c + c->token.cap + (c->line ? response_heap_bytes(&c->response) : 0);
}

void client_break(struct client *c, int64_t most_ms)
{
    if (c->line != NULL)
        come_back(c, dice_between(dice(c), 0, most_ms > 0 ? most_ms : SOON_MS));
}

void client_set_pace(struct client *c, uint32_t bytes)
{
    c->pace = bytes;
    c->undisturbed_since_ms = world_now_ms();
    if (c->line != NULL && bytes > 0)
        errand_start(&c->read, 0);
}

int64_t client_owed_since_ms(const struct client *c)
{
    if (c->line == NULL || c->response.status == 0 || c->pace != UINT32_MAX)
        return INT64_MAX;
    int64_t runs = pool_runs_since_ms(c->pool, c->responder);
    return runs > c->undisturbed_since_ms ? runs : c->undisturbed_since_ms;
}

static bool is_owed(void *arg, int32_t partition)
{
    return pool_served_since_ms(partition) <= *(const int64_t *)arg;
}

void client_calm_down(struct client *c)
{
    client_set_pace(c, UINT32_MAX);
    if (c->line == NULL)
        errand_start(&c->come, dice_between(dice(c), 0, SOON_MS));
    /* Its token may be good for another hour, or not at all. */
    if (c->token.n > 0 && world_wall_steps() > 0)
        client_break(c, 0);
}

void client_look(const struct client *c)
{
    if (c->line == NULL || !c->response.is_stream || !undisturbed(c))
        return;
    if (c->token.n > 0)
        lease_look(&c->lease, world_now_ms() - client_owed_since_ms(c));
    if (world_now_ms() - c->heard_ms > c->pool->story->responder.keepalive_ms + LATE_MS)
        world_breach("silent", "%s has heard nothing for %lld ms", c->view.name,
                     (long long)(world_now_ms() - c->heard_ms));
}

void client_check(const struct client *c, int64_t since_ms)
{
    /* Thousands that take a little of something large at a time share the turns. */
    if (c->pool->story->crowd == CROWD_MAX && world_now_ms() - c->heard_ms < SHARED_MS)
        return;
    view_check(&c->view, since_ms, is_owed, &since_ms);
}

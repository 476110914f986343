#include "client_inside.h"

#include <stdlib.h>

#include "base/mem.h"
#include "keys.h"

enum {
    REQUEST_IDS = 2,
    COME_AGAIN_MS = 500,
    SOON_MS = 3000,
    KEYS_MS = 5000,
    LATE_MS = 2000,
    SHARED_MS = 10000,
    FOR_LONG_MS = 86400000, /* it is told to stay away so long if another has its handle */
};

/* Nothing but itself says when it reads what is sent to it.  With thousands a turn takes its time.
 */
static bool undisturbed(const struct client *c)
{
    int64_t since = client_owed_since_ms(c);
    return c->pool->story->crowd < CROWD_MAX && since != INT64_MAX && world_now_ms() - since > 1000;
}

static void on_event(void *arg, const struct sse_event *event)
{
    struct client *c = arg;

    subscriber_open(&c->view.by);
    if (c->token.n > 0 && lease_challenge(&c->lease, event, undisturbed(c))) {
        client_renew(c);
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
    /* Or it was answered, and a responder that stood still may hear of it only now. */
    bool heard_late = pool_answers_since_ms(c->pool) > c->renewed_ms;
    if (!c->kind->in_url && (post_is_under_way(&c->renewal) || heard_late))
        view_linger(&c->view);
    c->renewed_ms = INT64_MAX;
    post_stop(&c->renewal);
    subscriber_leave(&c->view.by);
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
    if (subscriber_is_alone(&c->view.by) && c->retry_ms >= FOR_LONG_MS)
        world_breach("replaced", "%s ends for another stream of its handle, and there is none",
                     c->view.name);
    if (form_ends(c->kind->form)) {
        client_take_document(c);
        come_back(c, client_document_pause_ms(c));
    } else if (c->retry_ms >= FOR_LONG_MS && c->told_to_come_back)
        leave(c);
    else
        come_back(c, c->retry_ms);
}

static void on_bytes(void *arg)
{
    struct client *c = arg;

    if (c->pace > 0 && !errand_started(&c->read))
        errand_start(&c->read, dice_below(client_dice(c), c->pace == UINT32_MAX ? 3 : 1000));
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

    if (form_ends(c->kind->form) && status != 401) {
        client_check_document(c);
        return;
    }
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
    if (line_waiting(c->line) == 0 && undisturbed(c))
        subscriber_hear(&c->view.by);
    if (line_waiting(c->line) > 0)
        errand_start(&c->read, c->pace == UINT32_MAX ? 1 : 1000);
    else if (line_ended(c->line))
        end(c);
}

static void come(void *arg)
{
    struct client *c = arg;
    struct response_handler handler = {c, on_event, on_retry};
    int fd = pool_pick(c->pool, client_dice(c), &c->responder);

    if (fd < 0) {
        errand_start(&c->come, COME_AGAIN_MS);
        return;
    }
    c->line = line_connect(fd, (size_t)c->kind->room, on_bytes, c);
    c->retry_told = c->told_to_come_back = false;
    lease_begin(&c->lease, c->view.name, client_new_expiry(c),
                c->pool->story->responder.max_age_ms);
    response_init(&c->response, (uint16_t)(1 + c->number % REQUEST_IDS), &handler);
    c->response.form = c->kind->form;
    c->kind->prepare(&c->view, client_dice(c));
    client_draw_wish(c);
    c->routes = pool_routes(c->pool, c->responder);
    struct picked its = client_route(c);
    view_open(&c->view, c->responder, &its, &c->wish.named, &c->wish.from);
    world_tell("%s comes to responder %u%s%s", c->view.name, c->responder,
               c->view.id[0] ? " with id " : "", c->view.id);
    client_ask(c);
    c->may_be_refused = may_be_refused(c);
}

static struct subscription *subscription_of(const struct client *c)
{
    if (c->kind->handle == HANDLE_SHARED && c->pool->shared == NULL)
        c->pool->shared = subscription_new(c->pool, CLIENTS_MAX);
    return c->kind->handle == HANDLE_SHARED ? c->pool->shared
           : c->kind->handle == HANDLE_OWN  ? subscription_new(c->pool, c->number)
                                            : NULL;
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
    c->view.documents = form_ends(c->kind->form);
    snprintf(c->subject, sizeof c->subject, "%s",
             c->kind->handle == HANDLE_SHARED ? c->kind->name : name);
    client_init_renewal(c);
    c->view.by.subscription = subscription_of(c);
    c->wish.way = client_way(c); /* where its stream will be */
    teller_init(&c->teller, pool, WHO_CLIENT + number, name, c->subject, c->view.by.subscription,
                &c->wish);
    errand_start(&c->come, 0);
    return c;
}

void client_free(struct client *c)
{
    if (c == NULL)
        return;
    leave(c);
    errand_stop(&c->come);
    post_fini(&c->renewal);
    teller_fini(&c->teller);
    if (c->kind->handle == HANDLE_OWN)
        subscription_free(c->view.by.subscription);
    buf_fini(&c->token);
    buf_fini(&c->etag);
    free(c);
}

size_t client_heap_bytes(const struct client *c)
{
    const struct subscription *s = c->view.by.subscription;
    size_t told = c->kind->handle == HANDLE_OWN ? subscription_heap_bytes(s) : 0;

    return told + sizeof *c + c->token.cap + c->etag.cap + c->renewal.request.cap +
           c->teller.post.request.cap + (c->line ? response_heap_bytes(&c->response) : 0);
}

void client_break(struct client *c, int64_t most_ms)
{
    if (c->line != NULL)
        come_back(c, dice_between(client_dice(c), 0, most_ms > 0 ? most_ms : SOON_MS));
}

void client_set_pace(struct client *c, uint32_t bytes)
{
    c->pace = bytes;
    c->paced_ms = world_now_ms();
    c->undisturbed_since_ms = world_now_ms();
    if (c->line != NULL && bytes > 0)
        errand_start(&c->read, 0);
}

bool client_is_told(const struct client *c)
{
    return c != NULL && c->view.by.subscription != NULL;
}

void client_tell(struct client *c, uint32_t times)
{
    teller_start(&c->teller, times);
}

bool client_has_no_stream(const struct client *c)
{
    bool gave_way = c->line == NULL && !errand_started(&c->come);

    return gave_way || form_ends(c->kind->form);
}

int64_t client_owed_since_ms(const struct client *c)
{
    if (c->line == NULL || c->response.status == 0 || c->pace != UINT32_MAX ||
        form_ends(c->kind->form))
        return INT64_MAX;
    int64_t runs = pool_runs_since_ms(c->pool, c->responder);
    return runs > c->undisturbed_since_ms ? runs : c->undisturbed_since_ms;
}

bool client_is_owed(void *arg, int32_t partition)
{
    return pool_served_since_ms(partition) <= *(const int64_t *)arg;
}

void client_calm_down(struct client *c)
{
    client_set_pace(c, UINT32_MAX);
    if (errand_started(&c->come))
        errand_start(&c->come, dice_between(client_dice(c), 0, SOON_MS));
    /* Its token may be good for another hour, or not at all. */
    if (c->token.n > 0 && world_wall_steps() > 0)
        client_break(c, 0);
}

void client_look(const struct client *c)
{
    teller_look(&c->teller);
    client_look_for_document(c);
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
    view_check(&c->view, since_ms, client_is_owed, &since_ms);
}

#include "client.h"

#include <stdlib.h>

#include "base/fcgi_record.h"
#include "base/mem.h"
#include "model.h"
#include "play.h"
#include "reader.h"
#include "sockets.h"
#include "world.h"

enum { REQUEST_IDS = 2, COME_AGAIN_MS = 500 };

/* -- kinds -- */

/* What it does before it comes, and comes back. */
static void keep_id(struct view *v, struct dice *d)
{
    (void)v, (void)d;
}

static void forget_id(struct view *v, struct dice *d)
{
    (void)d;
    view_forget(v);
}

static void reload_now_and_then(struct view *v, struct dice *d)
{
    if (dice_chance(d, 30))
        view_forget(v);
}

/* Base64 of: version, one partition, its number, a place that is behind any end. */
static void forge(struct view *v, struct dice *d)
{
    static const char *const malformed[] = {"0", "AQ", "null", "[null,null]", "AQIAAgAA", "{"};
    static const char *const future[] = {"AQIAgJC8_QI=", "AQJkAg=="};
    uint32_t n = dice_below(d, 10);

    if (n < 6)
        view_forge(v, malformed[n], ID_MALFORMED);
    else if (n < 8)
        view_forge(v, future[n - 6], ID_FUTURE);
}

static const struct kind {
    const char *name;
    void (*prepare)(struct view *v, struct dice *d);
    uint32_t bytes; /* that it reads a second; UINT32_MAX: all that comes */
    int64_t room;   /* bytes that wait unread on their way to it, at most */
} kinds[] = {
    {"page", keep_id, UINT32_MAX, 64 * 1024},           {"curl", forget_id, UINT32_MAX, 200 * 1024},
    {"tab", reload_now_and_then, UINT32_MAX, 8 * 1024}, {"phone", keep_id, 3000, 2000},
    {"forger", forge, UINT32_MAX, 64 * 1024},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

unsigned client_kinds(void)
{
    return KINDS;
}

const char *client_kind_name(unsigned kind)
{
    return kinds[kind].name;
}

/* -- a client -- */

struct client {
    unsigned number;
    const struct kind *kind;
    struct pool *pool;
    unsigned responder;
    struct view view;
    struct line *line; /* NULL: it is away */
    struct reader reader;
    struct errand come, read;
    uint32_t pace;
    int64_t retry_ms, undisturbed_since_ms;
};

static struct dice *dice(const struct client *c)
{
    return world_dice(WHO_CLIENT + c->number);
}

static void on_event(void *arg, const struct sse_event *event)
{
    struct client *c = arg;
    view_event(&c->view, event);
}

static void on_retry(void *arg, int64_t ms)
{
    struct client *c = arg;
    c->retry_ms = ms;
}

static void leave(struct client *c)
{
    if (c->line == NULL)
        return;
    line_close(c->line);
    c->line = NULL;
    reader_fini(&c->reader);
    errand_stop(&c->read);
}

static void come_back(struct client *c, int64_t after_ms)
{
    leave(c);
    errand_start(&c->come, after_ms);
}

static void on_bytes(void *arg)
{
    struct client *c = arg;

    if (c->pace > 0 && !errand_started(&c->read))
        errand_start(&c->read, dice_below(dice(c), c->pace == UINT32_MAX ? 3 : 1000));
}

static void read_some(void *arg)
{
    struct client *c = arg;
    struct buf bytes = {0};
    size_t n = c->pace == UINT32_MAX ? SIZE_MAX : c->pace;

    if (c->reader.status == 0)
        c->undisturbed_since_ms = world_now_ms();
    line_read(c->line, &bytes, n);
    reader_take(&c->reader, buf_slice(&bytes));
    buf_fini(&bytes);
    if (c->reader.status != 0 && c->reader.status != 200)
        world_breach("status", "%s gets %d", c->view.name, c->reader.status);
    if (line_waiting(c->line) > 0)
        errand_start(&c->read, c->pace == UINT32_MAX ? 1 : 1000);
    else if (line_ended(c->line))
        come_back(c, c->retry_ms);
}

static void add_param(struct buf *params, const char *name, const char *value)
{
    fcgi_param_add(params, slice_str(name), slice_str(value));
}

static void send_request(struct client *c)
{
    struct buf params = {0}, request = {0};

    add_param(&params, "REQUEST_METHOD", "GET");
    add_param(&params, "REQUEST_URI", "/events");
    add_param(&params, "SCRIPT_NAME", "/events");
    add_param(&params, "HTTP_ACCEPT", "text/event-stream");
    add_param(&params, "REMOTE_ADDR", "127.0.0.1");
    if (c->view.id[0])
        add_param(&params, "HTTP_LAST_EVENT_ID", c->view.id);
    fcgi_request_add(&request, c->reader.request_id, buf_slice(&params));
    line_write(c->line, buf_slice(&request));
    buf_fini(&params);
    buf_fini(&request);
}

static void come(void *arg)
{
    struct client *c = arg;
    struct reader_handler handler = {c, on_event, on_retry};
    int fd = pool_pick(c->pool, dice(c), &c->responder);

    if (fd < 0) {
        errand_start(&c->come, COME_AGAIN_MS);
        return;
    }
    c->line = line_connect(fd, (size_t)c->kind->room, on_bytes, c);
    reader_init(&c->reader, (uint16_t)(1 + c->number % REQUEST_IDS), &handler);
    c->kind->prepare(&c->view, dice(c));
    view_open(&c->view, c->responder);
    world_tell("%s comes to responder %u%s%s", c->view.name, c->responder,
               c->view.id[0] ? " with id " : "", c->view.id);
    send_request(c);
}

struct client *client_new(unsigned number, unsigned kind, struct pool *pool)
{
    struct client *c = mem_zero(sizeof *c);
    char name[16];

    c->number = number;
    c->kind = &kinds[kind];
    c->pool = pool;
    c->pace = c->kind->bytes;
    c->retry_ms = COME_AGAIN_MS;
    c->come = (struct errand){.run = come, .arg = c};
    c->read = (struct errand){.run = read_some, .arg = c};
    snprintf(name, sizeof name, "%s %u", c->kind->name, number);
    view_init(&c->view, name);
    errand_start(&c->come, 0);
    return c;
}

void client_free(struct client *c)
{
    if (c == NULL)
        return;
    leave(c);
    errand_stop(&c->come);
    free(c);
}

void client_break(struct client *c)
{
    if (c->line != NULL)
        come_back(c, dice_between(dice(c), 0, 3000));
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
    if (c->line == NULL || c->reader.status == 0 || c->pace != UINT32_MAX)
        return INT64_MAX;
    int64_t runs = pool_runs_since_ms(c->pool, c->responder);
    return runs > c->undisturbed_since_ms ? runs : c->undisturbed_since_ms;
}

static bool is_owed(void *arg, int32_t partition)
{
    return pool_served_since_ms(partition) <= *(const int64_t *)arg;
}

void client_check(const struct client *c, int64_t since_ms)
{
    view_check(&c->view, since_ms, is_owed, &since_ms);
}

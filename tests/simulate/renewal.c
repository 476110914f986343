#include "renewal.h"

#include "base/fcgi_record.h"
#include "play.h"
#include "sockets.h"

enum { AGAIN_MS = 1000, TRIES = 10, ROOM = 4096 };

static void ignore_event(void *arg, const struct sse_event *event)
{
    (void)arg, (void)event;
}

static void ignore_retry(void *arg, int64_t ms)
{
    (void)arg, (void)ms;
}

static void leave(struct renewal_try *r)
{
    errand_stop(&r->read);
    if (r->line == NULL)
        return;
    line_close(r->line);
    r->line = NULL;
    response_fini(&r->response);
}

void renewal_stop(struct renewal_try *r)
{
    errand_stop(&r->go);
    leave(r);
}

/* A status that is for good, or none yet: 0. */
static void on_answer(struct renewal_try *r, int status)
{
    bool again = status == 0 || status == 503 || status == 429;

    world_tell("%s's renewal is answered %d", r->name, status);
    leave(r);
    if (again && ++r->tries < TRIES)
        errand_start(&r->go, AGAIN_MS);
    else
        r->done(r->arg, status == 204);
}

static void read_answer(void *arg)
{
    struct renewal_try *r = arg;
    struct buf bytes = {0};

    line_read(r->line, &bytes, SIZE_MAX);
    response_take(&r->response, buf_slice(&bytes));
    buf_fini(&bytes);
    if (line_ended(r->line))
        on_answer(r, r->response.status);
}

static void on_bytes(void *arg)
{
    struct renewal_try *r = arg;

    if (!errand_started(&r->read))
        errand_start(&r->read, dice_below(world_dice(r->who), 3));
}

static void add_param(struct buf *params, const char *name, const char *value)
{
    fcgi_param_add(params, slice_str(name), slice_str(value));
}

static void send_request(struct renewal_try *r)
{
    struct buf params = {0}, request = {0}, text = {0};

    add_param(&params, "REQUEST_METHOD", "POST");
    add_param(&params, "REQUEST_URI", "/events");
    add_param(&params, "SCRIPT_NAME", "/events");
    add_param(&params, "CONTENT_TYPE", "application/x-challenge-response");
    add_param(&params, "REMOTE_ADDR", "127.0.0.1");
    buf_printf(&text, "Bearer %s", r->token);
    fcgi_param_add(&params, slice_str("HTTP_AUTHORIZATION"), buf_slice(&text));
    text.n = 0;
    buf_printf(&text, "access_token=%s", r->selector);
    if (r->selector[0])
        fcgi_param_add(&params, slice_str("QUERY_STRING"), buf_slice(&text));
    fcgi_request_add(&request, 1, buf_slice(&params));
    line_write(r->line, buf_slice(&request));
    buf_fini(&text);
    buf_fini(&params);
    buf_fini(&request);
}

static void go(void *arg)
{
    struct renewal_try *r = arg;
    struct response_handler handler = {r, ignore_event, ignore_retry};
    unsigned responder;
    int fd = pool_pick(r->pool, world_dice(r->who), &responder);

    if (fd < 0) {
        errand_start(&r->go, AGAIN_MS);
        return;
    }
    world_tell("%s renews its token at responder %u", r->name, responder);
    r->line = line_connect(fd, ROOM, on_bytes, r);
    response_init(&r->response, 1, &handler);
    send_request(r);
}

void renewal_init(struct renewal_try *r, struct pool *pool, uint64_t who,
                  void (*done)(void *arg, bool accepted), void *arg)
{
    *r = (struct renewal_try){.pool = pool, .who = who, .done = done, .arg = arg};
    r->go = (struct errand){.run = go, .arg = r};
    r->read = (struct errand){.run = read_answer, .arg = r};
}

void renewal_start(struct renewal_try *r, const char *name, struct slice token,
                   struct slice selector, int64_t delay_ms)
{
    renewal_stop(r);
    r->tries = 0;
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->token, sizeof r->token, "%.*s", (int)token.n, (const char *)token.p);
    snprintf(r->selector, sizeof r->selector, "%.*s", (int)selector.n, (const char *)selector.p);
    errand_start(&r->go, delay_ms);
}

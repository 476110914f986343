#include "post.h"

#include "base/fcgi_record.h"
#include "line.h"
#include "play.h"

enum { AGAIN_MS = 1000, TRIES = 10, ROOM = 4096 };

static void ignore_event(void *arg, const struct sse_event *event)
{
    (void)arg, (void)event;
}

static void ignore_retry(void *arg, int64_t ms)
{
    (void)arg, (void)ms;
}

static void leave(struct post *p)
{
    errand_stop(&p->read);
    if (p->line == NULL)
        return;
    line_close(p->line);
    p->line = NULL;
    response_fini(&p->response);
}

void post_stop(struct post *p)
{
    errand_stop(&p->go);
    leave(p);
}

bool post_is_under_way(const struct post *p)
{
    return p->line != NULL || errand_started(&p->go);
}

/* A status that is for good, or none yet: 0. */
static void on_answer(struct post *p, int status)
{
    bool last = (status != 0 && status != 503 && status != 429) || ++p->tries >= TRIES;

    world_tell("%s %s: %d", p->name, p->what, status);
    leave(p);
    if (!last)
        errand_start(&p->go, AGAIN_MS);
    p->on_answer(p->arg, status, last);
}

static void read_answer(void *arg)
{
    struct post *p = arg;
    struct buf bytes = {0};

    line_read(p->line, &bytes, SIZE_MAX);
    response_take(&p->response, buf_slice(&bytes));
    buf_fini(&bytes);
    if (line_ended(p->line))
        on_answer(p, p->response.status);
}

static void on_bytes(void *arg)
{
    struct post *p = arg;

    if (!errand_started(&p->read))
        errand_start(&p->read, dice_below(world_dice(p->who), 3));
}

static void go(void *arg)
{
    struct post *p = arg;
    struct response_handler handler = {p, ignore_event, ignore_retry};
    unsigned responder;
    int fd = pool_pick(p->pool, world_dice(p->who), &responder);

    if (fd < 0) {
        errand_start(&p->go, AGAIN_MS);
        return;
    }
    world_tell("%s %s at responder %u", p->name, p->what, responder);
    p->on_try(p->arg);
    p->line = line_connect(fd, ROOM, on_bytes, p);
    response_init(&p->response, 1, &handler);
    line_write(p->line, buf_slice(&p->request));
}

/* -- what it says -- */

static void add_param(struct buf *params, const char *name, struct slice value)
{
    if (value.n > 0)
        fcgi_param_add(params, slice_str(name), value);
}

static void write_request(struct buf *request, const struct post_text *text)
{
    struct buf params = {0}, bearer = {0};

    buf_add_str(&bearer, "Bearer ");
    buf_add_slice(&bearer, text->token);
    add_param(&params, "REQUEST_METHOD", slice_str("POST"));
    add_param(&params, "REQUEST_URI", slice_str(text->path));
    add_param(&params, "SCRIPT_NAME", slice_str(text->path));
    add_param(&params, "CONTENT_TYPE", slice_str(text->type));
    add_param(&params, "REMOTE_ADDR", slice_str("127.0.0.1"));
    add_param(&params, "QUERY_STRING", text->query);
    if (text->token.n > 0)
        add_param(&params, "HTTP_AUTHORIZATION", buf_slice(&bearer));
    request->n = 0;
    fcgi_request_add(request, 1, buf_slice(&params), text->body);
    buf_fini(&bearer);
    buf_fini(&params);
}

/* -- all of them -- */

void post_init(struct post *p, struct pool *pool, uint64_t who, const char *name, void *arg)
{
    *p = (struct post){.pool = pool, .who = who, .arg = arg};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->go = (struct errand){.run = go, .arg = p};
    p->read = (struct errand){.run = read_answer, .arg = p};
}

void post_fini(struct post *p)
{
    post_stop(p);
    buf_fini(&p->request);
}

void post_start(struct post *p, const struct post_text *text, int64_t delay_ms)
{
    post_stop(p);
    p->tries = 0;
    p->what = text->what;
    write_request(&p->request, text);
    errand_start(&p->go, delay_ms);
}

/* What is particular to clients that ask for documents, again and again: each response ends, and is
 * read when it has. */
#include "base/fcgi_record.h"
#include "client_inside.h"
#include "unwrap.h"

enum {
    SOON_MS = 200,
    CALM_MS = 60000,
    LOAD_MS = 5000,
    WAIT_S = 25,
    NEWS_MS = 15000,
    UNANSWERED_MS = 60000
};

void client_ask_for_document(struct client *c, struct buf *params)
{
    struct buf prefer = {0};

    if (c->view.id[0] == 0)
        c->etag.n = 0; /* it has forgotten that, too */
    if (c->kind->form == FORM_DOCUMENT && c->etag.n > 0)
        fcgi_param_add(params, slice_str("HTTP_IF_NONE_MATCH"), buf_slice(&c->etag));
    buf_printf(&prefer, "wait=%d", (int)dice_below(client_dice(c), WAIT_S));
    if (dice_chance(client_dice(c), 50) && !c->pool->quiet)
        fcgi_param_add(params, slice_str("HTTP_PREFER"), buf_slice(&prefer));
    buf_fini(&prefer);
}

/* When it asked, its responder had had the time to read again what it could not read before. */
static bool is_settled(const struct client *c)
{
    return cluster_load_ms() < LOAD_MS &&
           pool_runs_since_ms(c->pool, c->responder) < c->view.came_ms - NEWS_MS;
}

/* What has come while it waited was to wake it. */
static void check_news(const struct client *c)
{
    int64_t since_ms = world_now_ms() - NEWS_MS - cluster_load_ms();
    bool reads_at_once = c->pace == UINT32_MAX && c->paced_ms <= c->view.came_ms;

    if (reads_at_once && c->pool->story->crowd < CROWD_MAX &&
        pool_runs_since_ms(c->pool, c->responder) <= since_ms)
        view_check(&c->view, since_ms, client_is_owed, &since_ms);
}

void client_take_document(struct client *c)
{
    struct response *r = &c->response;

    if (r->ended && r->status == 304) {
        world_tell("%s has all that there is", c->view.name);
        view_same(&c->view, is_settled(c));
        check_news(c);
    } else if (response_is_document(r)) {
        world_tell("%s is given a document", c->view.name);
        view_document(&c->view, c->kind->form == FORM_DOCUMENT);
        unwrap_document(buf_slice(&r->text), &r->handler);
        if (is_settled(c))
            view_document_end(&c->view);
        check_news(c);
        c->etag.n = 0;
        buf_add_slice(&c->etag, buf_slice(&r->etag));
    }
}

int64_t client_document_pause_ms(struct client *c)
{
    int64_t most_ms = c->pool->quiet ? 30000 : c->pool->story->length_ms / 10;

    if (c->pool->story->crowd > 1)
        most_ms *= 10; /* together they ask often enough */
    return dice_between(client_dice(c), SOON_MS, most_ms);
}

/* It was so for long when it asked: the topic is there, and all of it is read within seconds. */
static bool is_calm(const struct client *c)
{
    const struct topic *t = cluster_topic();
    int64_t since_ms = c->view.came_ms - CALM_MS;
    bool lasts = c->token.n == 0 && c->pool->story->responder.max_age_ms == 0;
    bool calm = t != NULL && t->made_ms < since_ms && lasts && cluster_load_ms() < LOAD_MS &&
                pool_runs_since_ms(c->pool, c->responder) < since_ms &&
                c->pool->story->crowd < CROWD_MAX;

    for (int32_t p = 0; calm && p < t->n; p++)
        calm = pool_served_since_ms(p) < since_ms;
    return calm;
}

void client_check_document(const struct client *c)
{
    int status = c->response.status;
    bool same = status == 304 && c->kind->form == FORM_DOCUMENT && c->etag.n > 0;

    if (status != 0 && status != 200 && !same && !(status == 503 && !is_calm(c)))
        world_breach("status", "%s gets %d", c->view.name, status);
}

void client_look_for_document(const struct client *c)
{
    int64_t runs_ms = c->line != NULL ? pool_runs_since_ms(c->pool, c->responder) : INT64_MAX;
    int64_t since_ms = runs_ms > c->view.came_ms ? runs_ms : c->view.came_ms;

    if (form_ends(c->kind->form) && c->pool->quiet && world_now_ms() - since_ms > UNANSWERED_MS)
        world_breach("unanswered", "%s asks for a document, and hears nothing", c->view.name);
}

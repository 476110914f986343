#include "front/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "front/reply.h"
#include "front/standby.h"

struct exchanges {
    const struct cors *cors;
    struct replies *replies;
    struct refusals refusals;
    size_t count;
};

/* -- life -- */

static const char *keep(struct buf *copy, const char *text)
{
    if (text == NULL)
        return NULL;
    buf_add(copy, text, strlen(text) + 1);
    return (const char *)copy->p;
}

/* Streams of one HTTP/2 connection have both in common. */
static uint32_t connection_of(const struct request *r)
{
    const char *address = request_get(r, PARAM_REMOTE_ADDR);
    const char *port = request_get(r, PARAM_REMOTE_PORT);
    uint64_t hash = address != NULL ? XXH3_64bits(address, strlen(address)) : 0;

    return (uint32_t)(port != NULL ? XXH3_64bits_withSeed(port, strlen(port), hash) : hash);
}

struct exchange *exchange_new(struct exchanges *all, int fd, uint16_t id, const struct request *r)
{
    struct exchange *x = mem_zero(sizeof *x);

    all->count++;
    x->all = all;
    x->fd = fd;
    x->id = id;
    x->origin = request_origin(r);
    x->origin.origin = keep(&x->origin_text, x->origin.origin);
    x->origin.host = keep(&x->host_text, x->origin.host);
    limits_address_name(request_get(r, PARAM_REMOTE_ADDR), x->address);
    x->connection = connection_of(r);
    return x;
}

void exchange_free(struct exchange *x)
{
    x->all->count--;
    buf_fini(&x->origin_text);
    buf_fini(&x->host_text);
    buf_fini(&x->last_event_id);
    buf_fini(&x->if_none_match);
    buf_fini(&x->token);
    buf_fini(&x->selector);
    buf_fini(&x->path);
    buf_fini(&x->form);
    selection_unref(x->route);
    destination_fini(&x->destination);
    narrowing_fini(&x->narrowing);
    free(x);
}

/* -- answers -- */

void exchange_add_cors(const struct exchange *x, struct buf *out)
{
    cors_add_headers(out, x->all->cors, &x->origin);
}

void exchange_finish_with(struct exchange *x, struct slice text)
{
    struct buf out = {0};
    size_t mark = fcgi_stdout_begin(&out);

    buf_add_slice(&out, text);
    fcgi_stdout_end(&out, mark, x->id);
    fcgi_end_add(&out, x->id, FCGI_STATUS_COMPLETE);
    reply_send(x->all->replies, x->fd, buf_slice(&out));
    buf_fini(&out);
    exchange_free(x);
}

void exchange_finish(struct exchange *x, struct answer *answer)
{
    struct buf text = {0};

    exchange_add_cors(x, &answer->headers);
    answer_add_text(&text, answer, !x->head);
    exchange_finish_with(x, buf_slice(&text));
    buf_fini(&text);
    buf_fini(&answer->headers);
}

void exchange_refuse(struct exchange *x, enum refusal why, const char *header)
{
    struct answer answer = answer_refusing(why);

    refusals_add(&x->all->refusals, why, NULL);
    if (header != NULL)
        buf_add_str(&answer.headers, header);
    exchange_finish(x, &answer);
}

void exchanges_turned_away(struct exchanges *all, enum refusal why)
{
    refusals_add_come_back(&all->refusals, why, loop_now_ms());
}

void exchange_turn_away(struct exchange *x, enum refusal why)
{
    struct buf text = {0}, headers = {0};

    exchanges_turned_away(x->all, why);
    exchange_add_cors(x, &headers);
    standby_add_come_back(&text, x->wants_stream, why, buf_slice(&headers), !x->head);
    exchange_finish_with(x, buf_slice(&text));
    buf_fini(&headers);
    buf_fini(&text);
}

struct answer exchanges_refuse_token(struct exchanges *all, enum token_error error)
{
    enum refusal why = refusal_of_token(error);
    struct answer answer = answer_refusing(why);

    answer.detail = token_error_text(error);
    refusals_add(&all->refusals, why, answer.detail);
    buf_printf(&answer.headers,
               "WWW-Authenticate: Bearer error=\"%s\", error_description=\"%s\"\r\n",
               error == TOKEN_SCOPE ? "insufficient_scope" : "invalid_token", answer.detail);
    return answer;
}

void exchange_refuse_token(struct exchange *x, enum token_error error)
{
    if (error == TOKEN_BUSY) {
        exchange_turn_away(x, REFUSAL_TOKENS_WAIT);
        return;
    }
    struct answer answer = exchanges_refuse_token(x->all, error);
    exchange_finish(x, &answer);
}

void exchange_refuse_claim(struct exchange *x, const char *claim)
{
    struct answer answer = answer_refusing(REFUSAL_CLAIM_MISSING);
    char detail[512];

    snprintf(detail, sizeof detail, "%s: %s", answer.detail, claim);
    refusals_add(&x->all->refusals, REFUSAL_CLAIM_MISSING, detail);
    exchange_finish(x, &answer);
}

/* -- all of them -- */

void exchanges_refuse_unread(struct exchanges *all, enum refusal why, uint16_t id, bool is_head,
                             struct buf *out)
{
    struct cors_request unknown = {0};
    struct answer answer = answer_refusing(why);

    refusals_add(&all->refusals, why, NULL);
    cors_add_headers(&answer.headers, all->cors, &unknown);
    if (answer.status == 503)
        buf_add_str(&answer.headers, "Retry-After: 10\r\n");
    answer_add(out, id, &answer, !is_head);
    buf_fini(&answer.headers);
}

void exchanges_send(struct exchanges *all, int fd, struct slice records)
{
    reply_send(all->replies, fd, records);
}

size_t exchanges_waiting(const struct exchanges *all)
{
    return all->count + replies_count(all->replies);
}

const uint64_t *exchanges_refused(const struct exchanges *all)
{
    return all->refusals.count;
}

struct exchanges *exchanges_new(struct loop *loop, const struct cors *cors)
{
    struct exchanges *all = mem_zero(sizeof *all);

    all->cors = cors;
    all->replies = replies_new(loop);
    refusals_init(&all->refusals, loop);
    return all;
}

void exchanges_free(struct exchanges *all)
{
    if (all == NULL)
        return;
    replies_free(all->replies);
    refusals_fini(&all->refusals);
    free(all);
}

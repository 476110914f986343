#include "front/snapshot.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/standby.h"
#include "topic/progress.h"

struct snapshot {
    struct exchanges *exchanges;
    const struct session *session;
    struct buf cors;
    int wait_s;
    bool head, guarded;
    bool partial; /* a header asks for what has changed: a cache knows the whole by the same URL */
};

struct snapshot *snapshot_new(const struct exchange *x, bool guarded, const struct session *session)
{
    struct snapshot *s = mem_zero(sizeof *s);

    s->exchanges = x->all;
    s->session = session;
    s->wait_s = x->waits ? x->wait_s : 0;
    s->head = x->head;
    s->guarded = guarded;
    s->partial = x->resumes_by_header;
    exchange_add_cors(x, &s->cors);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (s == NULL)
        return;
    buf_fini(&s->cors);
    free(s);
}

static const char *cache_control(const struct snapshot *s)
{
    return s->partial ? "no-store" : s->guarded ? "private, no-cache" : "no-cache";
}

static void add_headers(const struct snapshot *s, struct slice place, struct buf *out)
{
    buf_printf(out, "Cache-Control: %s\r\nVary: Accept\r\n", cache_control(s));
    if (place.n <= EVENT_ID_MAX) { /* fronts limit a header */
        buf_add_str(out, "ETag: \"");
        buf_add_slice(out, place);
        buf_add_str(out, "\"\r\n");
    }
    if (s->wait_s > 0)
        buf_printf(out, "Preference-Applied: wait=%d\r\n", s->wait_s);
    if (s->guarded)
        buf_add_str(out, "Referrer-Policy: no-referrer\r\n");
    buf_add_slice(out, buf_slice(&s->cors));
    buf_add_str(out, "\r\n");
}

static void add_refusal(const struct snapshot *s, enum refusal why, struct buf *out)
{
    exchanges_turned_away(s->exchanges, why);
    standby_add_come_back(out, false, why, buf_slice(&s->cors), !s->head);
}

static void add_token_refusal(const struct snapshot *s, struct buf *out)
{
    struct answer answer = exchanges_refuse_token(s->exchanges, session_error(s->session));

    buf_add_slice(&answer.headers, buf_slice(&s->cors));
    answer_add_text(out, &answer, !s->head);
    buf_fini(&answer.headers);
}

void snapshot_add_head(struct snapshot *s, enum finite_outcome outcome, struct slice place,
                       struct buf *text)
{
    switch (outcome) {
    case FINITE_DOCUMENT:
        /* Two of one tag may differ, for each goes on to the end; lighttpd would give parts. */
        buf_add_str(text, "Status: 200 OK\r\n"
                          "Content-Type: application/json\r\n"
                          "X-Content-Type-Options: nosniff\r\n"
                          "Accept-Ranges: none\r\n");
        add_headers(s, place, text);
        break;
    case FINITE_SAME:
        buf_add_str(text, "Status: 304 Not Modified\r\n");
        add_headers(s, place, text);
        break;
    case FINITE_MISSING:
        add_refusal(s, REFUSAL_TOPIC_MISSING, text);
        break;
    case FINITE_NOT_LOADED:
        add_refusal(s, REFUSAL_TOPIC_NOT_READ, text);
        break;
    case FINITE_BROKEN:
        add_refusal(s, REFUSAL_ANSWER_ENDED, text);
        break;
    case FINITE_TOKEN_OVER:
        add_token_refusal(s, text);
        break;
    }
}

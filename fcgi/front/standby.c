#include "front/standby.h"

#include "front/answer.h"
#include "topic/sse.h"

enum { COME_BACK_MS = 20000 }; /* times 0.5 to 1.5 */

bool standby_wants_stream(const struct request *r)
{
    const char *accept = request_get(r, PARAM_ACCEPT);

    return accept != NULL && strcasestr(accept, "text/event-stream") != NULL;
}

void standby_add_come_back(struct buf *out, bool wants_stream, enum refusal why,
                           struct slice headers, bool with_body)
{
    struct answer answer = answer_refusing(why);

    if (wants_stream) {
        answer_add_stream_head(out, ANSWER_EVENT_STREAM, headers);
        sse_add_retry(out, COME_BACK_MS);
        return;
    }
    buf_add_slice(&answer.headers, headers);
    buf_add_str(&answer.headers, "Retry-After: 10\r\n");
    answer_add_text(out, &answer, with_body);
    buf_fini(&answer.headers);
}

static bool status_is(const struct request *r, const char *wanted)
{
    const char *status = request_get(r, PARAM_REDIRECT_STATUS);

    return status != NULL && strcmp(status, wanted) == 0;
}

static bool pool_is_away(const struct request *r)
{
    return status_is(r, "500") || status_is(r, "502") || status_is(r, "503") || status_is(r, "504");
}

/* What the front has refused for the request's own sake stays refused; asked directly there is
 * nothing here. */
static enum refusal refusal(const struct request *r)
{
    return status_is(r, "400")   ? REFUSAL_REQUEST_INVALID
           : status_is(r, "413") ? REFUSAL_LARGE_BODY
                                 : REFUSAL_ROUTE_UNKNOWN;
}

void standby_answer(struct buf *out, const struct request *r, const struct cors *cors,
                    bool stands_in)
{
    const char *method = request_get(r, PARAM_METHOD);
    bool is_head = method != NULL && strcmp(method, "HEAD") == 0;
    struct cors_request origin = request_origin(r);
    struct answer answer = answer_refusing(refusal(r));

    cors_add_headers(&answer.headers, cors, &origin);
    if (!stands_in && !pool_is_away(r)) {
        answer_add_text(out, &answer, !is_head);
    } else if (request_is_preflight(r)) {
        answer = (struct answer){.status = 204, .headers = answer.headers};
        cors_add_preflight(&answer.headers);
        answer_add_text(out, &answer, false);
    } else {
        bool wants_stream = standby_wants_stream(r) && !request_is_renewal(r) && !is_head;
        standby_add_come_back(out, wants_stream, REFUSAL_POOL_AWAY, buf_slice(&answer.headers),
                              !is_head);
    }
    buf_fini(&answer.headers);
}

#include "front/standby.h"

#include "front/answer.h"
#include "topic/sse.h"

enum { COME_BACK_MS = 20000 }; /* times 0.5 to 1.5 */

bool standby_wants_stream(const struct request *r)
{
    const char *accept = request_get(r, PARAM_ACCEPT);

    return accept != NULL && strcasestr(accept, "text/event-stream") != NULL;
}

void standby_add_come_back(struct buf *out, bool wants_stream, struct slice headers)
{
    struct answer answer = {.status = 503, .detail = "no stream is to be had now"};

    if (wants_stream) {
        answer_add_stream_head(out, headers);
        sse_add_retry(out, COME_BACK_MS);
        return;
    }
    buf_add_slice(&answer.headers, headers);
    buf_add_str(&answer.headers, "Retry-After: 10\r\n");
    answer_add_text(out, &answer, true);
    buf_fini(&answer.headers);
}

static bool is_error_of_front(const struct request *r)
{
    static const char *const errors[] = {"500", "502", "503", "504"};
    const char *status = request_get(r, PARAM_REDIRECT_STATUS);

    for (size_t i = 0; status != NULL && i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(status, errors[i]) == 0)
            return true;
    return false;
}

void standby_answer(struct buf *out, const struct request *r, const struct cors *cors)
{
    struct cors_request origin = request_origin(r);
    struct answer answer = {.status = 404, .detail = "there is nothing at this path"};

    cors_add_headers(&answer.headers, cors, &origin);
    if (!is_error_of_front(r)) {
        answer_add_text(out, &answer, true);
    } else if (request_is_preflight(r)) {
        answer = (struct answer){.status = 204, .headers = answer.headers};
        cors_add_preflight(&answer.headers);
        answer_add_text(out, &answer, false);
    } else {
        bool wants_stream = standby_wants_stream(r) && !request_is_renewal(r);
        standby_add_come_back(out, wants_stream, buf_slice(&answer.headers));
    }
    buf_fini(&answer.headers);
}

#include "front/answer.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/fcgi_record.h"

static const char *phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static char *problem(const struct answer *a)
{
    json_t *j = json_pack("{s:s, s:i, s:s, s:s}", "title", phrase(a->status), "status", a->status,
                          "reason", a->reason, "detail", a->detail);
    char *text = json_dumps(j, JSON_COMPACT);

    json_decref(j);
    return text;
}

struct answer answer_refusing(enum refusal why)
{
    const struct refusal_row *row = refusal_row(why);

    return (struct answer){.status = row->status, .reason = row->code, .detail = row->detail};
}

void answer_add_text(struct buf *out, const struct answer *a, bool with_body)
{
    buf_printf(out, "Status: %d %s\r\n", a->status, phrase(a->status));
    buf_add_str(out, "Cache-Control: no-store\r\n");
    buf_add_slice(out, buf_slice(&a->headers));
    if (a->reason != NULL) {
        char *body = problem(a);
        buf_printf(out, "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), with_body ? body : "");
        free(body);
    } else {
        buf_add_str(out, "\r\n");
    }
}

void answer_add(struct buf *out, uint16_t id, const struct answer *a, bool with_body)
{
    size_t mark = fcgi_stdout_begin(out);

    answer_add_text(out, a, with_body);
    fcgi_stdout_end(out, mark, id);
    fcgi_end_add(out, id, FCGI_STATUS_COMPLETE);
}

void answer_add_stream_head(struct buf *out, const char *type, struct slice headers)
{
    buf_printf(out, "Status: 200 OK\r\nContent-Type: %s\r\n", type);
    buf_add_str(out, "X-Content-Type-Options: nosniff\r\n"
                     "Cache-Control: no-store, no-transform\r\n"
                     "X-Accel-Buffering: no\r\n"
                     "Incremental: ?1\r\n");
    buf_add_slice(out, headers);
    buf_add_str(out, "\r\n");
}

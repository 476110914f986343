#include "front/handler.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "front/answer.h"
#include "front/cors.h"
#include "front/query.h"
#include "front/request.h"
#include "stream/fanout.h"

static const char challenge_response[] = "application/x-challenge-response";

struct handler {
    struct handler_config config;
    struct fanout *fanout;
    struct cors *cors;
    struct decoder *decoder;
};

/* One request while it is handled. */
struct exchange {
    struct handler *h;
    int fd; /* -1: given away */
    uint16_t id;
    struct request request;
    struct cors_request origin;
    bool head;
};

static const char *param(const struct exchange *x, enum param p)
{
    return x->request.param[p];
}

static bool has(const struct exchange *x, enum param p)
{
    return param(x, p) != NULL && *param(x, p) != 0;
}

static void send_answer(struct exchange *x, struct answer *answer)
{
    struct buf out = {0};

    cors_add_headers(&answer->headers, x->h->cors, &x->origin);
    answer_add(&out, x->id, answer, !x->head);
    /* It fits the empty buffer of a new socket; where it does not, the front has gone. */
    send(x->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_fini(&out);
    buf_fini(&answer->headers);
}

static void refuse(struct exchange *x, int status, const char *detail, const char *header)
{
    struct answer answer = {.status = status, .detail = detail};

    log_info("front: %d %s", status, detail);
    if (header != NULL)
        buf_add_str(&answer.headers, header);
    send_answer(x, &answer);
}

static void refuse_method(struct exchange *x)
{
    refuse(x, 405, "the method is not allowed here", "Allow: GET, HEAD, OPTIONS\r\n");
}

/* REQUEST_URI up to its first `?`, undecoded; what the front made of it must not differ. */
static bool path_is_ours(const struct exchange *x)
{
    struct slice path = slice_str(x->h->config.path);
    struct slice uri = slice_str(param(x, PARAM_URI));
    const char *script = has(x, PARAM_SCRIPT_NAME) ? param(x, PARAM_SCRIPT_NAME) : "";
    const char *info = has(x, PARAM_PATH_INFO) ? param(x, PARAM_PATH_INFO) : "";
    size_t script_len = strlen(script);

    if (uri.p == NULL)
        return false;
    uri.n = strcspn((const char *)uri.p, "?");
    if (!slice_equal(uri, path))
        return false;
    if (script_len + strlen(info) == 0)
        return true;
    return script_len <= path.n && memcmp(script, path.p, script_len) == 0 &&
           slice_equal(slice_str(info), slice_of(path.p + script_len, path.n - script_len));
}

/* -- GET -- */

/* The header, if it is not empty; else the parameter in any of its spellings. */
static struct slice last_event_id(const struct exchange *x, struct buf *decoded)
{
    static const char *const names[] = {"lastEventId", "last-event-id", "last_event_id"};

    if (has(x, PARAM_LAST_EVENT_ID))
        return slice_str(param(x, PARAM_LAST_EVENT_ID));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t count;
        struct slice value = query_find(slice_str(param(x, PARAM_QUERY)), names[i], &count);
        if (value.n == 0)
            continue;
        /* Badly encoded: taken as it stands, which no event id is. */
        return query_decode(decoded, value) ? buf_slice(decoded) : value;
    }
    return slice_of(NULL, 0);
}

/* Half to one and a half times: clients cut off together do not come back together. */
static int64_t retry_ms(const struct handler *h)
{
    return h->config.retry_ms / 2 + arc4random_uniform((uint32_t)h->config.retry_ms + 1);
}

static void add_head(struct buf *out, struct exchange *x)
{
    struct buf headers = {0};

    cors_add_headers(&headers, x->h->cors, &x->origin);
    answer_add_stream_head(out, buf_slice(&headers));
    buf_fini(&headers);
}

static void answer_head(struct exchange *x)
{
    struct buf out = {0};
    size_t mark = fcgi_stdout_begin(&out);

    add_head(&out, x);
    fcgi_stdout_end(&out, mark, x->id);
    fcgi_end_add(&out, x->id, FCGI_STATUS_COMPLETE);
    send(x->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_fini(&out);
}

static void open_stream(struct exchange *x)
{
    struct buf head = {0}, decoded = {0};
    size_t mark = fcgi_stdout_begin(&head);

    add_head(&head, x);
    buf_printf(&head, "retry:%lld\n\n:\n\n", (long long)retry_ms(x->h));
    fcgi_stdout_end(&head, mark, 1);
    fanout_open(x->h->fanout, x->fd, x->id, buf_slice(&head), last_event_id(x, &decoded));
    x->fd = -1;
    buf_fini(&head);
    buf_fini(&decoded);
}

/* -- other methods -- */

/* The text before the first `;`, trimmed, compared whole. */
static bool is_challenge_response(const char *content_type)
{
    if (content_type == NULL)
        return false;
    content_type += strspn(content_type, " \t");
    size_t n = strcspn(content_type, ";");
    while (n > 0 && (content_type[n - 1] == ' ' || content_type[n - 1] == '\t'))
        n--;
    return n == sizeof challenge_response - 1 &&
           strncasecmp(content_type, challenge_response, n) == 0;
}

static void post(struct exchange *x)
{
    if (is_challenge_response(param(x, PARAM_CONTENT_TYPE)))
        refuse_method(x); /* nothing to renew where nothing is guarded */
    else
        refuse(x, 415, "the content type of a POST is not application/x-challenge-response", NULL);
}

static void options(struct exchange *x)
{
    struct answer answer = {.status = 204};

    if (has(x, PARAM_ORIGIN) && has(x, PARAM_PREFLIGHT_METHOD))
        cors_add_preflight(&answer.headers);
    else
        buf_add_str(&answer.headers, "Allow: GET, HEAD, OPTIONS\r\n");
    send_answer(x, &answer);
}

static void dispatch(struct exchange *x)
{
    const char *method = has(x, PARAM_METHOD) ? param(x, PARAM_METHOD) : "";

    x->head = strcmp(method, "HEAD") == 0;
    if (x->request.repeated)
        refuse(x, 400, "a parameter was sent twice", NULL);
    else if (!path_is_ours(x))
        refuse(x, 404, "there is nothing at this path", NULL);
    else if (!cors_allowed(x->h->cors, &x->origin))
        refuse(x, 403, "the origin is not allowed", NULL);
    else if (x->head)
        answer_head(x);
    else if (strcmp(method, "GET") == 0)
        open_stream(x);
    else if (strcmp(method, "POST") == 0)
        post(x);
    else if (strcmp(method, "OPTIONS") == 0)
        options(x);
    else
        refuse_method(x);
}

static void on_request(void *arg, int fd, const struct fcgi_request *request, struct slice bytes)
{
    struct exchange x = {.h = arg, .fd = fd, .id = request->id};
    struct slice after = slice_of(bytes.p + request->length, bytes.n - request->length);
    struct fcgi_input input = {0};

    if (request_decode(x.h->decoder, bytes.p, request->length, &x.request) < 0) {
        log_error("front: libfcgi cannot decode a request");
        close(fd);
        return;
    }
    x.origin.origin = has(&x, PARAM_ORIGIN) ? param(&x, PARAM_ORIGIN) : NULL;
    x.origin.host = param(&x, PARAM_HOST);
    x.origin.https = has(&x, PARAM_HTTPS) && strcasecmp(param(&x, PARAM_HTTPS), "off") != 0;
    if (fcgi_input_ends(&input, after.p, after.n)) {
        struct buf out = {0};
        fcgi_end_add(&out, x.id, FCGI_STATUS_COMPLETE);
        send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        buf_fini(&out);
    } else {
        dispatch(&x);
    }
    if (x.fd >= 0)
        close(x.fd);
}

static void on_refusal(void *arg, enum fcgi_state state, uint16_t id, struct buf *out)
{
    struct handler *h = arg;
    struct answer answer = {0};

    if (state == FCGI_BAD_ROLE) {
        fcgi_end_add(out, id, FCGI_STATUS_UNKNOWN_ROLE);
        return;
    }
    answer.status = state == FCGI_LARGE_STDIN ? 413 : 431;
    answer.detail = state == FCGI_LARGE_STDIN ? "the body is too large" : "the head is too large";
    log_info("front: %d %s", answer.status, answer.detail);
    struct cors_request unknown = {0};
    cors_add_headers(&answer.headers, h->cors, &unknown);
    answer_add(out, id, &answer, true);
    buf_fini(&answer.headers);
}

struct handler *handler_new(const struct handler_config *config, struct fanout *fanout)
{
    struct handler *h = mem_zero(sizeof *h);

    h->config = *config;
    h->fanout = fanout;
    h->cors = cors_new(config->cors);
    h->decoder = decoder_new();
    if (h->cors == NULL || h->decoder == NULL) {
        handler_free(h);
        return NULL;
    }
    return h;
}

void handler_free(struct handler *h)
{
    if (h == NULL)
        return;
    cors_free(h->cors);
    decoder_free(h->decoder);
    free(h);
}

struct inlet_handler handler_inlet(struct handler *h)
{
    return (struct inlet_handler){.arg = h, .on_request = on_request, .on_refusal = on_refusal};
}

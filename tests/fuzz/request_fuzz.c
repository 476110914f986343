/* A request and its answer.  In the first line `open`, `guarded`, `standby` or `draining`, the
 * responder that is asked; then FastCGI parameters, NAME=VALUE in lines.  In a value `$T` becomes a
 * good token and ^ a line end, which no front should let through. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "front/handler.h"
#include "front/status.h"
#include "fuzz.h"
#include "mint.h"
#include "stream/fanouts.h"
#include "stream/stream.h"
#include "support.h"

/* -- the fan-out, as the handler sees it: each stream is over at once -- */

struct fanout {
    int opened;
    struct output head;
};
static struct fanout fanout, *at[] = {&fanout, &fanout, &fanout};
static struct fanouts fanouts = {at, 3};

struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, const struct opening *opening)
{
    (void)id;
    f->opened++;
    output_read(&f->head, opening->head);
    close(fd);
    if (opening->owner != NULL)
        opening->owner->on_end(opening->owner);
    return NULL;
}

void stream_set_input(struct stream *s, const struct fcgi_input *input)
{
    (void)s;
    (void)input;
}

enum framing stream_framing(const struct stream *s)
{
    (void)s;
    return FRAMING_SSE;
}

void stream_say(struct stream *s, struct slice records)
{
    (void)s;
    (void)records;
}

void stream_hold(struct stream *s, bool hold)
{
    (void)s;
    (void)hold;
}

void stream_select(struct stream *s, struct selection *selection)
{
    (void)s;
    (void)selection;
}

void stream_narrow(struct stream *s, struct selection *selection)
{
    (void)s;
    (void)selection;
}

void stream_finish(struct stream *s, enum stream_end why)
{
    (void)s;
    (void)why;
}

size_t fanout_count(const struct fanout *f)
{
    (void)f;
    return 0;
}

/* The clock is never set here. */
void loop_on_clock_step(struct loop *loop, void (*stepped)(void *arg), void *arg)
{
    (void)loop;
    (void)stepped;
    (void)arg;
}

/* -- responders -- */

static struct handler *open_to_all, *guarded, *standby, *draining;
static struct buf good_token;

static struct guard *make_guard(struct loop *loop)
{
    static char file[64];
    static const char *const files[] = {file};
    struct buf jwks = {0};
    char error[256];
    int fd = memfd_create("jwks", MFD_CLOEXEC); /* the guard will look at it again */
    EVP_PKEY *key = mint_ec("P-256");

    mint_jwks(&jwks, key, "\"kid\":\"a\",");
    assert(write(fd, jwks.p, jwks.n) == (ssize_t)jwks.n);
    buf_fini(&jwks);
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    mint_token(&good_token, "{\"alg\":\"ES256\",\"kid\":\"a\"}",
               "{\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"sub\":\"alice\","
               "\"exp\":253402300799}",
               "ES256", key);
    EVP_PKEY_free(key);
    const struct guard_issuer issuer = {
        .policy = {.issuer = "https://issuer.example",
                   .audience = "events",
                   .audience_claim = "aud",
                   .scope_claim = "scope",
                   .identity = "sub"},
        .files = files,
        .file_count = 1,
    };
    const struct guard_config config = {.issuers = &issuer, .issuer_count = 1};
    return guard_new(loop, &config, NULL, NULL, error, sizeof error);
}

static void collect(void *arg, struct metrics *m)
{
    (void)arg;
    health_set(&m->topics[0].health, REASON_KAFKA_AWAY, 1);
    health_set(&m->health, REASON_DRAINING, 1);
}

static struct routes *routes;

static void make_routes(void)
{
    static const struct route_text texts[] = {{.path = "/raw/{topic}", .topic = "{topic}"},
                                              {.path = "/of/{a}/{b}/all", .topic = "t"},
                                              {.path = "/rest/{name*}", .topic = "t"}};
    char wrong[256];

    routes = routes_new();
    routes_add_topic(routes, "t");
    routes_add_literal(routes, "/events", (struct from){0});
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert(routes_add(routes, &texts[i], wrong, sizeof wrong));
}

static struct handler *make_handler(const char *cors, struct fanouts *all, struct status *status)
{
    const struct handler_config config = {.routes = routes,
                                          .cors = cors,
                                          .retry_ms = 2000,
                                          .max_streams = 1,
                                          .address = {.streams = 1}};
    struct handler *h = handler_new(loop_new(), &config, all);

    handler_set_status(h, status);
    return h;
}

static void make_responders(void)
{
    static const char list[] = "https://www.example.com";
    const struct session_config session = {.challenge_ms = 10000, .max_age_ms = 1000000};
    const struct status_config config = {.topics = 1, .responder = "r", .collect = collect};
    struct loop *loop = loop_new();
    struct status *status = status_new(loop, &config, NULL, 0);
    struct gate gate = {.sessions = sessions_new(loop, &session)};

    log_set_level(LOG_ERROR);
    make_routes();
    open_to_all = make_handler("cross-origin", &fanouts, status);
    draining = make_handler(list, &fanouts, status);
    handler_drain(draining);
    standby = make_handler(list, NULL, status);
    guarded = make_handler(list, &fanouts, status);
    gate.guard = make_guard(loop);
    assert(gate.guard != NULL);
    struct renewals_config renewals = {.guard = gate.guard, .sessions = gate.sessions};
    gate.renewals = renewals_new(loop, &renewals, NULL, 0);
    handler_set_gate(guarded, &gate);
}

/* The one whose name begins so. */
static struct handler *responder(struct slice name)
{
    switch (take_byte(&name)) {
    case 'g':
        return guarded;
    case 's':
        return standby;
    case 'd':
        return draining;
    default:
        return open_to_all;
    }
}

/* -- requests -- */

static void add_value(struct buf *out, struct slice value)
{
    while (value.n > 0) {
        uint8_t c = take_byte(&value);
        if (c == '$' && value.n > 0 && *value.p == 'T') {
            take_byte(&value);
            buf_add_slice(out, buf_slice(&good_token));
        } else if (c != 0) {
            buf_add_str(out, c == '^' ? "\r\n" : (const char[]){(char)c, 0});
        }
    }
    buf_add_byte(out, 0);
}

/* True if its method is HEAD. */
static bool make_request(struct slice in, struct buf *out)
{
    struct buf params = {0}, value = {0};
    bool head = false;

    while (in.n > 0) {
        struct slice line = take_until(&in, '\n');
        char *name = take_string(&line, '=');
        value.n = 0;
        add_value(&value, line);
        if (strcmp(name, "REQUEST_METHOD") == 0)
            head = strcmp((const char *)value.p, "HEAD") == 0;
        if (*name != 0)
            add_pair(&params, name, (const char *)value.p);
        free(name);
    }
    add_begin(out, 1, 1);
    add_record(out, FCGI_PARAMS, 1, buf_slice(&params), 0);
    add_record(out, FCGI_PARAMS, 1, slice_of(NULL, 0), 0);
    add_record(out, FCGI_STDIN, 1, slice_of(NULL, 0), 0);
    buf_fini(&params);
    buf_fini(&value);
    return head;
}

/* -- answers -- */

/* One of those that we send: no line of it comes from the request. */
static void check_header(struct slice line)
{
    static const char *const names[] = {"Content-Type",
                                        "Content-Length",
                                        "Cache-Control",
                                        "X-Accel-Buffering",
                                        "X-Content-Type-Options",
                                        "Incremental",
                                        "Referrer-Policy",
                                        "Vary",
                                        "Allow",
                                        "Retry-After",
                                        "WWW-Authenticate",
                                        "Access-Control-Allow-Origin",
                                        "Access-Control-Allow-Methods",
                                        "Access-Control-Allow-Headers",
                                        "Access-Control-Expose-Headers",
                                        "Access-Control-Max-Age"};
    struct slice name = take_until(&line, ':');
    bool known = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        known = known || slice_equal(name, slice_str(names[i]));
    assert(known);
    for (size_t i = 0; i < line.n; i++)
        assert(line.p[i] >= ' ' && line.p[i] < 0x7f);
}

static struct slice take_line(struct slice *text)
{
    struct slice line = take_until(text, '\n');

    assert(line.n > 0 && line.p[line.n - 1] == '\r');
    line.n--;
    return line;
}

/* Status, header lines, a blank one, and a body of what they say. */
static void check_response(struct slice text, bool head)
{
    struct slice line = take_line(&text);
    size_t length = 0;
    bool stream = false;
    char copy[64];

    assert(line.n > 12 && memcmp(line.p, "Status: ", 8) == 0);
    while ((line = take_line(&text)).n > 0) {
        check_header(line);
        snprintf(copy, sizeof copy, "%.*s", (int)line.n, (const char *)line.p);
        sscanf(copy, "Content-Length: %zu", &length);
        stream = stream || strcmp(copy, "Content-Type: text/event-stream;charset=utf-8") == 0;
    }
    if (text.n == 0 && head)
        return;
    assert(stream ? text.n > 6 && memcmp(text.p, "retry:", 6) == 0 : text.n == length);
}

/* A stream or an answer, and a stream for nobody who has no token where one is needed. */
static void check(struct handler *h, struct slice request, bool head, bool has_token)
{
    struct fcgi_request r;
    struct inlet_handler inlet = handler_inlet(h);
    struct output answer = {0};
    struct buf received = {0};
    int fds[2];

    if (fcgi_request_parse(request.p, request.n, &r) != FCGI_COMPLETE)
        return;
    small_socketpair(fds);
    inlet.on_request(inlet.arg, fds[0], &r, request);
    fake_loop_settle();
    while (!read_all(fds[1], &received)) { /* until it has closed the socket */
        size_t had = received.n;
        fake_loop_settle();
        assert(read_all(fds[1], &received) || received.n > had);
    }
    output_read(&answer, buf_slice(&received));
    assert(answer.rest == 0 && answer.ended == (fanout.opened == 0));
    assert(fanout.opened == 0 || h == open_to_all || (h == guarded && has_token));
    check_response(buf_slice(fanout.opened ? &fanout.head.text : &answer.text), head);
    output_fini(&answer);
    buf_fini(&received);
    close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n), kind = take_until(&in, '\n');
    struct buf request = {0};

    if (guarded == NULL)
        make_responders();
    bool head = make_request(in, &request);
    check(responder(kind), buf_slice(&request), head, memmem(in.p, in.n, "$T", 2) != NULL);
    output_fini(&fanout.head);
    fanout.opened = 0;
    fake_loop_pass(1000); /* so many renewals a second, and no more */
    buf_fini(&request);
    return 0;
}

#include "front/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "front/answer.h"
#include "front/request.h"

enum {
    REQUEST_ID = 1,
    READ_BYTES = 32 * 1024,
    /* What waits in there is no longer conflated. */
    SEND_BUFFER = 32 * 1024,
    BODY_MS = 10000, /* for a whole body */
    BODY_MAX = 1024 * 1024,
};

bool cgi_is_one(void)
{
    return getenv("GATEWAY_INTERFACE") != NULL;
}

/* -- the request -- */

/* What the libraries and we read of the environment later; none of it can come from a request. */
static bool is_kept(const char *name, size_t n)
{
    static const char *const kept[] = {"GATEWAY_INTERFACE",
                                       "SKF_CONFIG",
                                       "RUNTIME_DIRECTORY",
                                       "JOURNAL_STREAM",
                                       "PATH",
                                       "HOME",
                                       "LANG",
                                       "TZ",
                                       "KRB5_CONFIG",
                                       "KRB5CCNAME",
                                       "SSL_CERT_FILE",
                                       "SSL_CERT_DIR",
                                       "LD_LIBRARY_PATH",
                                       "OPENSSL_CONF",
                                       "TMPDIR",
                                       "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS"};

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (strlen(kept[i]) == n && memcmp(name, kept[i], n) == 0)
            return true;
    return false;
}

/* Takes the parameters out of the environment, in which a name may stand twice. */
static void take_params(struct buf *params)
{
    char **to = environ;

    fcgi_param_add(params, slice_str("GATEWAY_INTERFACE"), slice_str("CGI/1.1"));
    for (char **at = environ; *at != NULL; at++) {
        size_t n = strcspn(*at, "=");
        if (request_knows(*at, n) && (*at)[n] == '=')
            fcgi_param_add(params, slice_of(*at, n), slice_str(*at + n + 1));
        if (is_kept(*at, n))
            *to++ = *at;
        else
            explicit_bzero(*at, strlen(*at));
    }
    *to = NULL;
}

static void find_path(struct buf *path)
{
    static const char name[] = "REQUEST_URI=";

    for (char **at = environ; *at != NULL; at++) {
        const char *uri = *at + sizeof name - 1;
        if (strncmp(*at, name, sizeof name - 1) != 0)
            continue;
        buf_add(path, uri, strcspn(uri, "?"));
        return;
    }
}

static bool is_form(void)
{
    const struct request r = {.param = {[PARAM_CONTENT_TYPE] = getenv("CONTENT_TYPE")}};

    return request_is_form(&r);
}

/* Of a form that was sent without a length the end of standard input is the end; of all else there
 * is nothing then (RFC 3875, 4.1.2). */
static size_t length_of_body(void)
{
    const char *length = getenv("CONTENT_LENGTH");

    if (length != NULL)
        return strtoul(length, NULL, 10);
    return is_form() ? SIZE_MAX : 0;
}

/* To its end, or Apache would lose the answer.  False: it is not whole, and half a form would
 * select something else. */
static bool read_body(struct buf *body, size_t length)
{
    const int64_t until_ms = loop_now_ms() + BODY_MS;

    while (body->n < length && body->n < BODY_MAX) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        int64_t left_ms = until_ms - loop_now_ms();
        if (left_ms <= 0 || poll(&input, 1, (int)left_ms) <= 0)
            return false;
        size_t want = length - body->n < READ_BYTES ? length - body->n : READ_BYTES;
        ssize_t n = read(STDIN_FILENO, buf_reserve(body, want), want);
        if (n <= 0)
            return n == 0 && length == SIZE_MAX;
        body->n += (size_t)n;
    }
    return true;
}

void cgi_take_request(struct buf *request, struct buf *path, int argc, char **argv)
{
    struct buf params = {0}, body = {0};
    size_t length = length_of_body();

    find_path(path);
    take_params(&params);
    for (int i = 1; i < argc; i++)
        explicit_bzero(argv[i], strlen(argv[i]));
    bool whole = read_body(&body, length);
    fcgi_request_add(request, REQUEST_ID, buf_slice(&params), buf_slice(&body));
    if (!whole)
        request->n -= FCGI_RECORD_HEADER; /* its end */
    explicit_bzero(params.p, params.n);
    buf_fini(&params);
    buf_fini(&body);
}

/* -- the answer -- */

struct cgi {
    struct loop *loop;
    struct watch *in, *out; /* out: for its end, or for room; NULL: what cannot be watched */
    struct task end;
    void (*done)(void *arg);
    void *arg;
    int fd; /* from the handler */
    bool is_pipe;
    struct buf records; /* from there, not whole yet */
    struct buf text;    /* for standard output */
    size_t written;     /* of it */
    bool ended;         /* nothing will follow */
};

static void run_end(void *arg)
{
    struct cgi *cgi = arg;
    cgi->done(cgi->arg);
}

/* A response ends where standard output does, which may be standard input as well. */
static void close_standard_output(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDOUT_FILENO);
    dup2(null, STDIN_FILENO);
    close(null);
}

static void end(struct cgi *cgi)
{
    watch_free(cgi->in);
    watch_free(cgi->out);
    cgi->in = cgi->out = NULL;
    close_standard_output();
    loop_defer(cgi->loop, &cgi->end);
}

static void on_output(void *arg, int what);

/* While nothing is to be written, a pipe is readable when nobody reads it any more.  A socket would
 * be, too, when no more of the body comes: there a write tells. */
static void watch_output(struct cgi *cgi, bool full)
{
    watch_free(cgi->out);
    cgi->out = NULL;
    if (full || cgi->is_pipe)
        cgi->out =
            watch_new(cgi->loop, STDOUT_FILENO, full ? LOOP_WRITE : LOOP_READ, on_output, cgi);
}

/* False: standard output takes no more now, or for ever. */
static bool write_text(struct cgi *cgi)
{
    while (cgi->written < cgi->text.n) {
        ssize_t n = write(STDOUT_FILENO, cgi->text.p + cgi->written, cgi->text.n - cgi->written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            watch_change(cgi->in, 0);
            watch_output(cgi, true);
            return false;
        }
        if (n < 0) {
            end(cgi);
            return false;
        }
        cgi->written += (size_t)n;
    }
    cgi->text.n = cgi->written = 0;
    return true;
}

static void write_on(struct cgi *cgi)
{
    if (write_text(cgi) && cgi->ended)
        end(cgi);
}

static void on_output(void *arg, int what)
{
    struct cgi *cgi = arg;

    if (what & LOOP_READ) {
        end(cgi);
        return;
    }
    watch_output(cgi, false);
    watch_change(cgi->in, LOOP_READ);
    write_on(cgi);
}

static void on_records(void *arg, int what)
{
    struct cgi *cgi = arg;

    (void)what;
    ssize_t n = recv(cgi->fd, buf_reserve(&cgi->records, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    cgi->ended = n <= 0;
    if (n > 0) {
        cgi->records.n += (size_t)n;
        cgi->ended = fcgi_output_take(&cgi->records, &cgi->text);
    }
    write_on(cgi);
}

/* -- both -- */

static void hand_over(const struct inlet_handler *h, int fd, struct slice bytes)
{
    struct fcgi_request request;
    enum fcgi_state state = fcgi_request_parse(bytes.p, bytes.n, &request);
    struct buf out = {0};

    if (state == FCGI_COMPLETE) {
        h->on_request(h->arg, fd, &request, bytes);
        return;
    }
    /* too many parameters, a large body, or half of one */
    h->on_refusal(h->arg, state, REQUEST_ID, fcgi_request_is_head(bytes.p, bytes.n), &out);
    ssize_t ignored = send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored; /* a new socket takes a short answer */
    buf_fini(&out);
    close(fd);
}

struct cgi *cgi_start(struct loop *loop, const struct inlet_handler *handler, struct slice request,
                      void (*done)(void *arg), void *arg)
{
    struct cgi *cgi = mem_zero(sizeof *cgi);
    int size = SEND_BUFFER, fds[2] = {-1, -1};
    struct stat st;

    cgi->loop = loop;
    cgi->end = (struct task){.run = run_end, .arg = cgi};
    cgi->done = done;
    cgi->arg = arg;
    cgi->is_pipe = fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
    fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort(); /* only out of descriptors at the very start */
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    cgi->fd = fds[1];
    cgi->in = watch_new(loop, cgi->fd, LOOP_READ, on_records, cgi);
    watch_output(cgi, false);
    hand_over(handler, fds[0], request);
    return cgi;
}

void cgi_free(struct cgi *cgi)
{
    if (cgi == NULL)
        return;
    watch_free(cgi->in);
    watch_free(cgi->out);
    loop_cancel(cgi->loop, &cgi->end);
    close(cgi->fd);
    buf_fini(&cgi->records);
    buf_fini(&cgi->text);
    free(cgi);
}

void cgi_fail(void)
{
    struct answer answer = answer_refusing(REFUSAL_NOT_SET_UP);
    struct buf out = {0};

    answer_add_text(&out, &answer, true);
    ssize_t ignored = write(STDOUT_FILENO, out.p, out.n);
    (void)ignored;
    buf_fini(&out);
}

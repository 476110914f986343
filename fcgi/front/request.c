#define NO_FCGI_DEFINES
#include "front/request.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

static const struct {
    const char *name;
    bool decides;
} params[PARAMS] = {
    [PARAM_METHOD] = {"REQUEST_METHOD", true},
    [PARAM_URI] = {"REQUEST_URI", true},
    [PARAM_QUERY] = {"QUERY_STRING", true},
    [PARAM_SCRIPT_NAME] = {"SCRIPT_NAME", true},
    [PARAM_PATH_INFO] = {"PATH_INFO", true},
    [PARAM_CONTENT_TYPE] = {"CONTENT_TYPE", true},
    [PARAM_AUTHORIZATION] = {"HTTP_AUTHORIZATION", true},
    [PARAM_LAST_EVENT_ID] = {"HTTP_LAST_EVENT_ID", true},
    [PARAM_ORIGIN] = {"HTTP_ORIGIN", true},
    [PARAM_HOST] = {"HTTP_HOST", false},
    [PARAM_HTTPS] = {"HTTPS", false},
    [PARAM_ACCEPT] = {"HTTP_ACCEPT", false},
    [PARAM_IF_NONE_MATCH] = {"HTTP_IF_NONE_MATCH", false},
    [PARAM_PREFER] = {"HTTP_PREFER", false},
    [PARAM_REMOTE_ADDR] = {"REMOTE_ADDR", true},
    [PARAM_REMOTE_PORT] = {"REMOTE_PORT", false},
    [PARAM_REDIRECT_STATUS] = {"REDIRECT_STATUS", false},
    [PARAM_REQUIRE_GUARD] = {"SKF_REQUIRE_GUARD", true},
    [PARAM_ADMIN] = {"SKF_ADMIN", true},
    [PARAM_PREFLIGHT_METHOD] = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD", false},
};

struct decoder {
    int fd; /* a file in memory, one request at a time */
    FCGX_Request fcgx;
    bool decoded;
};

const char *request_get(const struct request *r, enum param p)
{
    return r->param[p] && *r->param[p] ? r->param[p] : NULL;
}

struct cors_request request_origin(const struct request *r)
{
    const char *https = request_get(r, PARAM_HTTPS);

    return (struct cors_request){
        .origin = request_get(r, PARAM_ORIGIN),
        .host = request_get(r, PARAM_HOST),
        .https = https != NULL && strcasecmp(https, "off") != 0,
    };
}

bool request_is_preflight(const struct request *r)
{
    return request_get(r, PARAM_ORIGIN) && request_get(r, PARAM_PREFLIGHT_METHOD);
}

static bool type_is(const struct request *r, const char *wanted)
{
    const char *type = request_get(r, PARAM_CONTENT_TYPE);

    if (type == NULL)
        return false;
    type += strspn(type, " \t");
    size_t n = strcspn(type, ";");
    while (n > 0 && (type[n - 1] == ' ' || type[n - 1] == '\t'))
        n--;
    return n == strlen(wanted) && strncasecmp(type, wanted, n) == 0;
}

bool request_is_renewal(const struct request *r)
{
    return type_is(r, "application/x-challenge-response");
}

bool request_is_form(const struct request *r)
{
    return type_is(r, "application/x-www-form-urlencoded");
}

static void release(struct decoder *d)
{
    if (d->decoded)
        FCGX_Free(&d->fcgx, 0);
    d->decoded = false;
}

/* A request of our own: GET with one more parameter than one byte of length can say. */
static bool self_test(struct decoder *d)
{
    static const uint8_t request[] = "\1\1\0\1\0\10\0\0" /* BEGIN_REQUEST, 8 bytes */
                                     "\0\1\0\0\0\0\0\0"  /* responder, connection to be closed */
                                     "\1\4\0\1\0\24\0\0" /* PARAMS, 20 bytes */
                                     "\16\200\0\0\1REQUEST_METHODG"
                                     "\1\4\0\1\0\0\0\0"  /* PARAMS end */
                                     "\1\5\0\1\0\0\0\0"; /* STDIN end */
    struct request r;

    return request_decode(d, request, sizeof request - 1, &r) == 0 &&
           r.param[PARAM_METHOD] != NULL && strcmp(r.param[PARAM_METHOD], "G") == 0 &&
           r.param[PARAM_URI] == NULL;
}

struct decoder *decoder_new(void)
{
    struct decoder *d = mem_zero(sizeof *d);

    d->fd = -1;
    if (FCGX_Init() != 0 || FCGX_InitRequest(&d->fcgx, -1, 0) != 0 || !self_test(d)) {
        decoder_free(d);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN); /* FCGX_Init() has put its own there */
    return d;
}

void decoder_free(struct decoder *d)
{
    if (d == NULL)
        return;
    release(d);
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}

/* Without the padding of BEGIN_REQUEST: libfcgi would take it for the next record. */
static bool write_request(int fd, const uint8_t *bytes, size_t n)
{
    enum { PADDING = 6, BEGIN = 16 }; /* where its length stands; header and content */
    uint8_t begin[BEGIN];
    size_t rest = BEGIN + (size_t)bytes[PADDING];

    memcpy(begin, bytes, BEGIN);
    begin[PADDING] = 0;
    return ftruncate(fd, 0) == 0 && pwrite(fd, begin, BEGIN, 0) == BEGIN &&
           pwrite(fd, bytes + rest, n - rest, BEGIN) == (ssize_t)(n - rest) &&
           lseek(fd, 0, SEEK_SET) == 0;
}

/* PARAMS: we do not look at it. */
static enum param find(const char *name, size_t n)
{
    size_t i = 0;

    while (i < PARAMS && (strncmp(params[i].name, name, n) != 0 || params[i].name[n] != 0))
        i++;
    return (enum param)i;
}

bool request_knows(const char *name, size_t n)
{
    return find(name, n) != PARAMS;
}

static void take_param(struct request *out, const char *pair)
{
    const char *eq = strchr(pair, '=');
    enum param p = eq ? find(pair, (size_t)(eq - pair)) : PARAMS;

    if (p == PARAMS)
        return;
    if (out->param[p] != NULL && params[p].decides)
        out->repeated = true;
    out->param[p] = eq + 1;
}

/* A front that passes no query at all must not widen what the client has asked for. */
static const char *query_of(const char *uri)
{
    const char *mark = uri ? strchr(uri, '?') : NULL;

    return mark ? mark + 1 : NULL;
}

int request_decode(struct decoder *d, const uint8_t *bytes, size_t n, struct request *out)
{
    struct request r = {0};

    release(d);
    if (d->fd < 0)
        d->fd = memfd_create("fastcgi-request", MFD_CLOEXEC);
    if (d->fd < 0 || !write_request(d->fd, bytes, n))
        return -EPROTO;
    /* With a descriptor of its own FCGX_Accept_r() skips accept(); keepConnection lets it not
     * close that first, and without a listening socket it returns an error instead of waiting for
     * another request.  The fields are not documented: hence the self-test. */
    d->fcgx.ipcFd = d->fd;
    d->fcgx.keepConnection = 1;
    d->fcgx.listen_sock = -1;
    d->fcgx.detached = 1;
    if (FCGX_Accept_r(&d->fcgx) != 0) {
        d->fd = -1; /* it has closed it */
        return -EPROTO;
    }
    d->fcgx.ipcFd = -1;
    d->decoded = true;
    for (char **pair = d->fcgx.envp; *pair != NULL; pair++)
        take_param(&r, *pair);
    if (r.param[PARAM_QUERY] == NULL)
        r.param[PARAM_QUERY] = query_of(r.param[PARAM_URI]);
    *out = r;
    return 0;
}

bool request_read_body(struct decoder *d, struct buf *out, size_t max)
{
    uint8_t *to = buf_reserve(out, max + 1);

    d->fcgx.ipcFd = d->fd; /* what is not in its buffer yet */
    int n = FCGX_GetStr((char *)to, (int)max + 1, d->fcgx.in);
    d->fcgx.ipcFd = -1;
    if (n < 0 || (size_t)n > max)
        return false;
    out->n += (size_t)n;
    return true;
}

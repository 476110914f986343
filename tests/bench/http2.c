#include "http2.h"

#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { STREAM_WINDOW = 6 << 20, CONNECTION_WINDOW = 15 << 20, FIELDS_MAX = 32 };

struct http2 {
    nghttp2_session *session;
    const struct http2_handler *handler;
};

/* -- what comes -- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct http2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const struct http2 *h = arg;

    (void)flags;
    (void)value_n; /* nghttp2 ends it with a NUL */
    if (s != NULL && name_n == 7 && memcmp(name, ":status", 7) == 0)
        h->handler->on_status(s->arg, atoi((const char *)value));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t n, void *arg)
{
    struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    const struct http2 *h = arg;

    (void)flags;
    if (s != NULL)
        lines_take(&s->lines, (struct span){(const char *)bytes, n}, h->handler->on_line, s->arg);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    const struct http2 *h = arg;

    (void)code;
    if (s != NULL)
        h->handler->on_end(s->arg);
    return 0;
}

/* -- requests -- */

static nghttp2_nv field(const char *name, size_t name_n, const char *value, size_t value_n)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_n, value_n, NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return field(name, strlen(name), value, strlen(value));
}

/* Names in small letters (RFC 9113, 8.2.1), in a copy of the lines that the fields point into. */
static size_t add_lines(nghttp2_nv *fields, size_t n, char *lines)
{
    for (char *line = strtok(lines, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
        size_t name_n = strcspn(line, ":");
        if (n == FIELDS_MAX || line[name_n] == 0)
            die("not a header line, or too many: %s", line);
        for (size_t i = 0; i < name_n; i++)
            line[i] = (char)tolower((unsigned char)line[i]);
        const char *value = line + name_n + 1 + strspn(line + name_n + 1, " ");
        fields[n++] = field(line, name_n, value, strlen(value));
    }
    return n;
}

void http2_ask(struct http2 *h, const char *host, const char *path, const char *header,
               struct http2_stream *stream)
{
    char *lines = strdup(header);
    nghttp2_nv fields[FIELDS_MAX] = {pair(":method", "GET"), pair(":scheme", "https"),
                                     pair(":authority", host), pair(":path", path),
                                     pair("accept", "text/event-stream")};
    size_t n = add_lines(fields, 5, lines);

    int32_t id = nghttp2_submit_request(h->session, NULL, fields, n, NULL, stream);
    if (id < 0)
        die("HTTP/2: %s", nghttp2_strerror(id));
    free(lines);
}

/* -- the connection -- */

bool http2_take(struct http2 *h, const char *bytes, size_t n)
{
    return nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, n) >= 0 &&
           (nghttp2_session_want_read(h->session) || nghttp2_session_want_write(h->session));
}

size_t http2_give(struct http2 *h, const char **bytes)
{
    const uint8_t *out;
    ssize_t n = nghttp2_session_mem_send(h->session, &out);

    *bytes = (const char *)out;
    return n > 0 ? (size_t)n : 0;
}

struct http2 *http2_new(const struct http2_handler *handler)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW}};
    struct http2 *h = allocate(1, sizeof *h);
    nghttp2_session_callbacks *callbacks;

    h->handler = handler;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        die("out of memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_client_new(&h->session, callbacks, h) != 0)
        die("out of memory");
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return h;
}

void http2_free(struct http2 *h)
{
    if (h == NULL)
        return;
    nghttp2_session_del(h->session);
    free(h);
}

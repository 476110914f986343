#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* 60 bytes from `at` on, in one line. */
static void print_excerpt(const char *what, struct slice s, size_t at)
{
    char text[60 * 4 + 1] = "";
    size_t n = 0;

    for (size_t i = at; i < s.n && i < at + 60; i++) {
        bool plain = s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '\\';
        n += (size_t)snprintf(text + n, sizeof text - n, plain ? "%c" : "\\%03o", s.p[i]);
    }
    print_error("  %s %zu bytes, from %zu on: %s\n", what, s.n, at, text);
}

void check_bytes(struct slice actual, struct slice expected, const char *file, int line)
{
    size_t same = 0;

    if (slice_equal(actual, expected))
        return;
    while (same < actual.n && same < expected.n && actual.p[same] == expected.p[same])
        same++;
    size_t from = same > 20 ? same - 20 : 0;
    print_error("the bytes differ at %zu\n", same);
    print_excerpt("got     ", actual, from);
    print_excerpt("expected", expected, from);
    _fail(file, line);
}

/* splitmix64 */
uint32_t random_below(uint64_t *seed, uint32_t n)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

void add_record(struct buf *out, uint8_t type, uint16_t id, struct slice content, uint8_t padding)
{
    const uint8_t header[FCGI_RECORD_HEADER] = {
        1,
        type,
        (uint8_t)(id >> 8),
        (uint8_t)id,
        (uint8_t)(content.n >> 8),
        (uint8_t)content.n,
        padding,
        0,
    };

    buf_add(out, header, sizeof header);
    buf_add_slice(out, content);
    for (int i = 0; i < padding; i++)
        buf_add_byte(out, 0xee);
}

void add_begin(struct buf *out, uint16_t id, uint16_t role)
{
    const uint8_t content[8] = {(uint8_t)(role >> 8), (uint8_t)role};

    add_record(out, FCGI_BEGIN, id, slice_of(content, sizeof content), 0);
}

static void add_length(struct buf *params, size_t n)
{
    if (n > 127) {
        buf_add_byte(params, (uint8_t)(n >> 24 | 0x80));
        buf_add_byte(params, (uint8_t)(n >> 16));
        buf_add_byte(params, (uint8_t)(n >> 8));
    }
    buf_add_byte(params, (uint8_t)n);
}

void add_pair(struct buf *params, const char *name, const char *value)
{
    add_length(params, strlen(name));
    add_length(params, strlen(value));
    buf_add_str(params, name);
    buf_add_str(params, value);
}

void add_request(struct buf *out, uint16_t id, const char *const *pairs)
{
    struct buf params = {0};

    for (; pairs[0] != NULL; pairs += 2)
        add_pair(&params, pairs[0], pairs[1]);
    add_begin(out, id, 1);
    add_record(out, FCGI_PARAMS, id, buf_slice(&params), 0);
    add_record(out, FCGI_PARAMS, id, slice_of(NULL, 0), 0);
    add_record(out, FCGI_STDIN, id, slice_of(NULL, 0), 0);
    buf_fini(&params);
}

void output_read(struct output *out, struct slice records)
{
    while (records.n >= FCGI_RECORD_HEADER) {
        const uint8_t *h = records.p;
        uint16_t id = (uint16_t)(h[2] << 8 | h[3]);
        size_t content = (size_t)h[4] << 8 | h[5];
        size_t whole = FCGI_RECORD_HEADER + content + h[6];
        if (records.n < whole)
            break;
        assert_int_equal(h[0], 1);
        assert_false(out->ended);
        assert_true(out->id == 0 || out->id == id);
        out->id = id;
        if (h[1] == FCGI_STDOUT) {
            buf_add(&out->text, h + FCGI_RECORD_HEADER, content);
        } else {
            assert_int_equal(h[1], FCGI_END);
            assert_int_equal(content, 8);
            out->ended = true;
            out->status = h[FCGI_RECORD_HEADER + 4];
        }
        out->records++;
        records.p += whole;
        records.n -= whole;
    }
    out->rest = records.n;
}

void output_fini(struct output *out)
{
    buf_fini(&out->text);
    *out = (struct output){0};
}

bool read_all(int fd, struct buf *out)
{
    for (;;) {
        ssize_t n = recv(fd, buf_reserve(out, 65536), 65536, MSG_DONTWAIT);
        if (n == 0)
            return true;
        if (n < 0)
            return errno != EAGAIN;
        out->n += (size_t)n;
    }
}

void small_socketpair(int fds[2])
{
    int small = 1; /* the kernel makes the least of it that it allows */

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

struct selection *select_keys(const char *keys)
{
    struct values values = {0};

    if (keys == NULL)
        return NULL;
    for (size_t n; *keys != 0; keys += n + (keys[n] != 0)) {
        n = strcspn(keys, " ");
        values_add(&values, slice_of(keys, n));
    }
    struct selection *s = selection_new(&values);
    values_fini(&values);
    return s;
}

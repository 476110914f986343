#include "base/fcgi_record.h"

enum { VERSION_1 = 1, ROLE_RESPONDER = 1 };
enum { BEGIN_REQUEST = 1, ABORT_REQUEST = 2, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* One length of a name-value pair (3.4): one byte, or four with the top bit set. */
static bool get_length(const uint8_t **at, const uint8_t *end, size_t *length)
{
    const uint8_t *p = *at;

    if (p == end)
        return false;
    if (p[0] < 0x80) {
        *length = p[0];
        *at = p + 1;
        return true;
    }
    if (end - p < 4)
        return false;
    *length = (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    *at = p + 4;
    return true;
}

/* INCOMPLETE means: they are good. */
static enum fcgi_state check_params(const struct buf *params)
{
    enum fcgi_state state = FCGI_INCOMPLETE;

    if (params->n == 0)
        return FCGI_BROKEN;

    const uint8_t *at = params->p, *end = params->p + params->n;

    while (at < end) {
        size_t name, value;
        if (!get_length(&at, end, &name) || !get_length(&at, end, &value))
            return FCGI_BROKEN;
        size_t left = (size_t)(end - at);
        if (name == 0 || name > left || value > left - name)
            return FCGI_BROKEN;
        if (memchr(at, '=', name) || memchr(at, 0, name))
            return FCGI_BROKEN;
        if (memchr(at + name, 0, value))
            state = FCGI_NUL;
        at += name + value;
    }
    return state;
}

struct parser {
    struct buf params;
    size_t stdin_size;
    bool began, params_done;
};

/* One whole record's content; INCOMPLETE means: go on. */
static enum fcgi_state take(struct parser *p, uint8_t type, struct slice content)
{
    switch (type) {
    case BEGIN_REQUEST:
        if (p->began || content.n != 8)
            return FCGI_BROKEN;
        p->began = true;
        return get16(content.p) == ROLE_RESPONDER ? FCGI_INCOMPLETE : FCGI_BAD_ROLE;
    case PARAMS:
        if (!p->began || p->params_done)
            return FCGI_BROKEN;
        if (content.n == 0) {
            p->params_done = true;
            return check_params(&p->params);
        }
        buf_add_slice(&p->params, content);
        return p->params.n > FCGI_MAX_PARAMS ? FCGI_LARGE_PARAMS : FCGI_INCOMPLETE;
    case STDIN:
        if (!p->params_done)
            return FCGI_BROKEN;
        p->stdin_size += content.n;
        if (p->stdin_size > FCGI_MAX_STDIN)
            return FCGI_LARGE_STDIN;
        return content.n == 0 ? FCGI_COMPLETE : FCGI_INCOMPLETE;
    default:
        return FCGI_BROKEN;
    }
}

enum fcgi_state fcgi_request_parse(const uint8_t *bytes, size_t n, struct fcgi_request *out)
{
    struct parser parser = {0};
    enum fcgi_state state = FCGI_INCOMPLETE;
    struct fcgi_request r = {0};

    while (state == FCGI_INCOMPLETE && n - r.length > 0) {
        const uint8_t *h = bytes + r.length;
        size_t have = n - r.length;
        if (h[0] != VERSION_1) {
            state = FCGI_BROKEN;
            break;
        }
        if (have < FCGI_RECORD_HEADER)
            break;
        uint16_t id = get16(h + 2), content = get16(h + 4);
        if (id == 0 || (r.length > 0 && id != r.id)) {
            state = FCGI_BROKEN;
            break;
        }
        r.id = id;
        if (have < (size_t)FCGI_RECORD_HEADER + content + h[6])
            break;
        r.length += (size_t)FCGI_RECORD_HEADER + content + h[6];
        state = take(&parser, h[1], slice_of(h + FCGI_RECORD_HEADER, content));
    }
    buf_fini(&parser.params);
    if (state != FCGI_INCOMPLETE && state != FCGI_BROKEN)
        *out = r;
    return state;
}

uint16_t fcgi_request_id(const uint8_t *bytes, size_t n)
{
    return n < FCGI_RECORD_HEADER ? 0 : get16(bytes + 2);
}

bool fcgi_request_is_head(const uint8_t *bytes, size_t n)
{
    static const char pair[] = "\x0e\x04REQUEST_METHODHEAD"; /* 3.4: both lengths, name, value */

    return n > 0 && memmem(bytes, n, pair, sizeof pair - 1) != NULL;
}

bool fcgi_input_ends(struct fcgi_input *in, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        if (in->skip > 0) {
            size_t step = n < in->skip ? n : in->skip;
            in->skip -= (uint32_t)step;
            bytes += step;
            n -= step;
            continue;
        }
        if (in->have < sizeof in->header)
            in->header[in->have] = *bytes;
        bytes++;
        n--;
        if (++in->have < FCGI_RECORD_HEADER)
            continue;
        in->have = 0;
        uint8_t type = in->header[1];
        if (in->header[0] != VERSION_1 || type == ABORT_REQUEST || type == BEGIN_REQUEST)
            return true;
        in->skip = (uint32_t)get16(in->header + 4) + in->header[6];
    }
    return false;
}

static void put_header(uint8_t *p, uint8_t type, uint16_t id, size_t content)
{
    p[0] = VERSION_1;
    p[1] = type;
    put16(p + 2, id);
    put16(p + 4, content);
    p[6] = 0;
    p[7] = 0;
}

size_t fcgi_stdout_begin(struct buf *out)
{
    size_t mark = out->n;

    buf_reserve(out, FCGI_RECORD_HEADER);
    out->n += FCGI_RECORD_HEADER;
    return mark;
}

void fcgi_stdout_end(struct buf *out, size_t mark, uint16_t id)
{
    size_t content = out->n - mark - FCGI_RECORD_HEADER;

    if (content == 0) { /* an empty record would end the stream (3.3) */
        out->n = mark;
        return;
    }
    size_t records = (content + FCGI_MAX_CONTENT - 1) / FCGI_MAX_CONTENT;
    buf_reserve(out, (records - 1) * FCGI_RECORD_HEADER);
    out->n += (records - 1) * FCGI_RECORD_HEADER;
    /* From the last to the first, each piece moves up by the headers before it. */
    uint8_t *start = out->p + mark + FCGI_RECORD_HEADER;
    for (size_t i = records; i-- > 0;) {
        size_t at = i * FCGI_MAX_CONTENT;
        size_t len = content - at < FCGI_MAX_CONTENT ? content - at : FCGI_MAX_CONTENT;
        uint8_t *to = start + at + i * FCGI_RECORD_HEADER;
        memmove(to, start + at, len);
        put_header(to - FCGI_RECORD_HEADER, STDOUT, id, len);
    }
}

void fcgi_continue_add(struct buf *out, const uint8_t *record, size_t skipped)
{
    put_header(buf_reserve(out, FCGI_RECORD_HEADER), record[1], get16(record + 2),
               get16(record + 4) - skipped);
    out->n += FCGI_RECORD_HEADER;
}

void fcgi_end_add(struct buf *out, uint16_t id, enum fcgi_protocol_status status)
{
    uint8_t *p = buf_reserve(out, 3 * FCGI_RECORD_HEADER);

    put_header(p, STDOUT, id, 0);
    put_header(p + FCGI_RECORD_HEADER, END_REQUEST, id, 8);
    memset(p + 2 * FCGI_RECORD_HEADER, 0, 8);
    p[2 * FCGI_RECORD_HEADER + 4] = (uint8_t)status;
    out->n += 3 * FCGI_RECORD_HEADER;
}

void fcgi_set_id(uint8_t *records, size_t n, uint16_t id)
{
    for (size_t at = 0; n - at >= FCGI_RECORD_HEADER;) {
        put16(records + at + 2, id);
        at += (size_t)FCGI_RECORD_HEADER + get16(records + at + 4) + records[at + 6];
    }
}

/* -- a front's side -- */

static void add_length(struct buf *out, size_t n)
{
    if (n < 0x80) {
        buf_add_byte(out, (uint8_t)n);
        return;
    }
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_byte(out, (uint8_t)(n >> shift | (shift == 24 ? 0x80 : 0)));
}

void fcgi_param_add(struct buf *params, struct slice name, struct slice value)
{
    add_length(params, name.n);
    add_length(params, value.n);
    buf_add_slice(params, name);
    buf_add_slice(params, value);
}

static void add_record(struct buf *out, uint8_t type, uint16_t id, struct slice content)
{
    put_header(buf_reserve(out, FCGI_RECORD_HEADER), type, id, content.n);
    out->n += FCGI_RECORD_HEADER;
    buf_add_slice(out, content);
}

/* Ends with an empty record (3.3). */
static void add_records(struct buf *out, uint8_t type, uint16_t id, struct slice content)
{
    for (size_t at = 0, n; at < content.n; at += n) {
        n = content.n - at < FCGI_MAX_CONTENT ? content.n - at : FCGI_MAX_CONTENT;
        add_record(out, type, id, slice_of(content.p + at, n));
    }
    add_record(out, type, id, slice_of(NULL, 0));
}

void fcgi_request_add(struct buf *out, uint16_t id, struct slice params, struct slice body)
{
    static const uint8_t begin[8] = {0, ROLE_RESPONDER};

    add_record(out, BEGIN_REQUEST, id, slice_of(begin, sizeof begin));
    add_records(out, PARAMS, id, params);
    add_records(out, STDIN, id, body);
}

bool fcgi_output_take(struct buf *records, struct buf *text)
{
    size_t at = 0;
    bool ended = false;

    while (!ended && records->n - at >= FCGI_RECORD_HEADER) {
        const uint8_t *h = records->p + at;
        size_t content = get16(h + 4), whole = FCGI_RECORD_HEADER + content + h[6];
        if (records->n - at < whole)
            break;
        if (h[1] == STDOUT)
            buf_add(text, h + FCGI_RECORD_HEADER, content);
        ended = h[1] == END_REQUEST;
        at += whole;
    }
    records->n -= at;
    if (records->n > 0)
        memmove(records->p, records->p + at, records->n);
    return ended;
}

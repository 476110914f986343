#include "base/fcgi_record.h"

#include <stdlib.h>

#include "support.h"

enum { UNTOUCHED = 0xbeef };

static const char *const get_events[] = {"REQUEST_METHOD", "GET", "REQUEST_URI", "/events", NULL};

/* What the parser makes of the bytes; they lie in memory of their own, so that the address
 * sanitizer sees a read behind them. */
static enum fcgi_state parse(struct slice bytes, struct fcgi_request *out)
{
    uint8_t *copy = malloc(bytes.n ? bytes.n : 1);

    if (bytes.n)
        memcpy(copy, bytes.p, bytes.n);
    enum fcgi_state state = fcgi_request_parse(copy, bytes.n, out);
    free(copy);
    return state;
}

static enum fcgi_state state_of(const struct buf *bytes)
{
    struct fcgi_request out = {.id = UNTOUCHED, .length = UNTOUCHED};
    enum fcgi_state state = parse(buf_slice(bytes), &out);

    if (state == FCGI_INCOMPLETE || state == FCGI_BROKEN)
        assert_true(out.id == UNTOUCHED && out.length == UNTOUCHED);
    return state;
}

static enum fcgi_state take_state(struct buf *bytes)
{
    enum fcgi_state state = state_of(bytes);

    buf_fini(bytes);
    return state;
}

/* A whole request with the given bytes as its name-value pairs. */
static enum fcgi_state state_with_params(struct slice params)
{
    struct buf b = {0};

    add_begin(&b, 1, 1);
    while (params.n > 0) {
        size_t n = params.n < FCGI_MAX_CONTENT ? params.n : FCGI_MAX_CONTENT;
        add_record(&b, FCGI_PARAMS, 1, slice_of(params.p, n), 0);
        params = slice_of(params.p + n, params.n - n);
    }
    add_record(&b, FCGI_PARAMS, 1, BYTES(""), 0);
    add_record(&b, FCGI_STDIN, 1, BYTES(""), 0);
    return take_state(&b);
}

static void a_request_is_whole_only_with_its_last_byte(void **state)
{
    struct buf b = {0};

    (void)state;
    add_request(&b, 1, get_events);
    for (size_t n = 0; n < b.n; n++) {
        struct fcgi_request out;
        assert_int_equal(parse(slice_of(b.p, n), &out), FCGI_INCOMPLETE);
    }
    assert_int_equal(take_state(&b), FCGI_COMPLETE);
}

static void a_whole_request_has_its_id_and_its_length_without_what_follows(void **state)
{
    struct buf b = {0};
    struct fcgi_request out;

    (void)state;
    add_request(&b, 0x1234, get_events);
    size_t length = b.n;
    add_record(&b, FCGI_ABORT, 0x1234, BYTES(""), 0);
    assert_int_equal(parse(buf_slice(&b), &out), FCGI_COMPLETE);
    assert_int_equal(out.id, 0x1234);
    assert_int_equal(out.length, length);
    buf_fini(&b);
}

static void every_cut_of_the_content_into_records_is_the_same_request(void **state)
{
    struct buf params = {0};

    (void)state;
    add_pair(&params, "REQUEST_METHOD", "POST");
    for (size_t cut = 1; cut < params.n; cut++) {
        struct buf b = {0};
        add_begin(&b, 1, 1);
        add_record(&b, FCGI_PARAMS, 1, slice_of(params.p, cut), (uint8_t)cut);
        add_record(&b, FCGI_PARAMS, 1, slice_of(params.p + cut, params.n - cut), 255);
        add_record(&b, FCGI_PARAMS, 1, BYTES(""), 7);
        add_record(&b, FCGI_STDIN, 1, BYTES("bo"), 1);
        add_record(&b, FCGI_STDIN, 1, BYTES("dy"), 0);
        add_record(&b, FCGI_STDIN, 1, BYTES(""), 3);
        assert_int_equal(state_of(&b), FCGI_COMPLETE);
        b.n--; /* padding is part of a record */
        assert_int_equal(take_state(&b), FCGI_INCOMPLETE);
    }
    buf_fini(&params);
}

static void another_version_is_broken_at_its_first_byte(void **state)
{
    (void)state;
    for (int version = 0; version < 256; version++) {
        struct buf b = {0};
        buf_add_byte(&b, (uint8_t)version);
        assert_int_equal(take_state(&b), version == 1 ? FCGI_INCOMPLETE : FCGI_BROKEN);
    }
}

static void only_a_responder_is_played(void **state)
{
    (void)state;
    for (uint16_t role = 0; role < 600; role++) {
        struct buf b = {0};
        struct fcgi_request out = {0};
        add_begin(&b, 7, role);
        assert_int_equal(parse(buf_slice(&b), &out), role == 1 ? FCGI_INCOMPLETE : FCGI_BAD_ROLE);
        assert_int_equal(out.id, role == 1 ? 0 : 7);
        buf_fini(&b);
    }
}

static void begin_request_has_eight_bytes(void **state)
{
    (void)state;
    for (size_t n = 0; n < 20; n++) {
        struct buf b = {0};
        add_record(&b, FCGI_BEGIN, 1, slice_of("\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", n), 0);
        assert_int_equal(take_state(&b), n == 8 ? FCGI_INCOMPLETE : FCGI_BROKEN);
    }
}

static void records_come_in_their_order(void **state)
{
    static const uint8_t bad[][4] = {
        {FCGI_PARAMS},
        {FCGI_STDIN},
        {FCGI_BEGIN, FCGI_BEGIN},
        {FCGI_BEGIN, FCGI_STDIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = {0};
        for (size_t k = 0; k < 4 && bad[i][k]; k++) {
            if (bad[i][k] == FCGI_BEGIN)
                add_begin(&b, 1, 1);
            else
                add_record(&b, bad[i][k], 1, BYTES("x"), 0);
        }
        assert_int_equal(take_state(&b), FCGI_BROKEN);
    }
}

static void parameters_do_not_come_after_their_end(void **state)
{
    struct buf b = {0}, params = {0};

    (void)state;
    add_pair(&params, "N", "v");
    add_begin(&b, 1, 1);
    add_record(&b, FCGI_PARAMS, 1, buf_slice(&params), 0);
    add_record(&b, FCGI_PARAMS, 1, BYTES(""), 0);
    assert_int_equal(state_of(&b), FCGI_INCOMPLETE);
    add_record(&b, FCGI_PARAMS, 1, BYTES("x"), 0);
    assert_int_equal(take_state(&b), FCGI_BROKEN);
    buf_fini(&params);
}

static void no_other_type_of_record_belongs_to_a_request(void **state)
{
    (void)state;
    for (int type = 0; type < 256; type++) {
        struct buf b = {0};
        if (type == FCGI_PARAMS)
            continue;
        add_begin(&b, 1, 1);
        add_record(&b, (uint8_t)type, 1, BYTES(""), 0);
        assert_int_equal(take_state(&b), FCGI_BROKEN);
    }
}

static void all_records_have_the_id_of_the_first_and_it_is_not_zero(void **state)
{
    struct buf b = {0};

    (void)state;
    add_begin(&b, 0, 1);
    assert_int_equal(take_state(&b), FCGI_BROKEN);
    add_begin(&b, 0x0101, 1);
    add_record(&b, FCGI_PARAMS, 0x0102, BYTES("x"), 0);
    assert_int_equal(take_state(&b), FCGI_BROKEN);
    add_begin(&b, 0x0101, 1);
    add_record(&b, FCGI_PARAMS, 0x0201, BYTES("x"), 0);
    assert_int_equal(take_state(&b), FCGI_BROKEN);
}

static void lengths_of_names_and_values_end_inside_the_parameters(void **state)
{
    static const struct slice bad[] = {
        {(const uint8_t *)"\1", 1},                   /* a length is missing */
        {(const uint8_t *)"\1\1", 2},                 /* all of the bytes are */
        {(const uint8_t *)"\1\1a", 3},                /* the value is */
        {(const uint8_t *)"\2\1ab", 4},               /* likewise */
        {(const uint8_t *)"\1\1abc", 5},              /* one byte is left over */
        {(const uint8_t *)"\200\0\0", 3},             /* half a length */
        {(const uint8_t *)"\1\200\0\0\2ab", 7},       /* in four bytes, one too much */
        {(const uint8_t *)"\377\377\377\377\1ab", 7}, /* huge */
        {(const uint8_t *)"\1\377\377\377\377ab", 7},
        {(const uint8_t *)"\377\377\377\377\377\377\377\377a", 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(state_with_params(bad[i]), FCGI_BROKEN);
    assert_int_equal(state_with_params(BYTES("\1\1ab")), FCGI_COMPLETE);
    assert_int_equal(state_with_params(BYTES("\1\0a")), FCGI_COMPLETE);
    assert_int_equal(state_with_params(BYTES("\200\0\0\1\200\0\0\1ab")), FCGI_COMPLETE);
}

static void what_libfcgi_would_misread_is_broken(void **state)
{
    (void)state;
    assert_int_equal(state_with_params(BYTES("")), FCGI_BROKEN);
    assert_int_equal(state_with_params(BYTES("\0\1v")), FCGI_BROKEN);        /* no name */
    assert_int_equal(state_with_params(BYTES("\3\1a=bv")), FCGI_BROKEN);     /* '=' in a name */
    assert_int_equal(state_with_params(BYTES("\2\1a\0v")), FCGI_BROKEN);     /* NUL in a name */
    assert_int_equal(state_with_params(BYTES("\1\2av\0\1\1")), FCGI_BROKEN); /* more is wrong */
    assert_int_equal(state_with_params(BYTES("\1\3a=b=")), FCGI_COMPLETE);   /* '=' in a value */
}

/* PROTOCOL 1.23. */
static void head_is_seen_before_the_request_is_decoded(void **state)
{
    static const struct {
        const char *method;
        bool is_head;
    } all[] = {{"HEAD", true}, {"GET", false}, {"HEADS", false}, {"POST", false}};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct buf params = {0}, request = {0};
        fcgi_param_add(&params, slice_str("A"), slice_of((const uint8_t *)"HEAD\0", 5));
        fcgi_param_add(&params, slice_str("REQUEST_METHOD"), slice_str(all[i].method));
        fcgi_request_add(&request, 1, buf_slice(&params), slice_of(NULL, 0));
        assert_int_equal(fcgi_request_is_head(request.p, request.n), all[i].is_head);
        buf_fini(&params);
        buf_fini(&request);
    }
    assert_false(fcgi_request_is_head(NULL, 0));
}

static void a_nul_in_a_value_is_told_apart_for_a_client_can_put_it_there(void **state)
{
    (void)state;
    assert_int_equal(state_with_params(BYTES("\1\2av\0")), FCGI_NUL);
    assert_int_equal(state_with_params(BYTES("\1\2a=\0\1\1ab")), FCGI_NUL);
}

static void parameters_of_64_KB_pass_and_one_byte_more_is_large(void **state)
{
    static uint8_t params[FCGI_MAX_PARAMS + 1];
    size_t value = FCGI_MAX_PARAMS - 1 - 1 - 4;

    (void)state;
    memset(params, 'v', sizeof params);
    for (int more = 0; more < 2; more++, value++) {
        const uint8_t head[] = {1,
                                (uint8_t)(value >> 24 | 0x80),
                                (uint8_t)(value >> 16),
                                (uint8_t)(value >> 8),
                                (uint8_t)value,
                                'N'};
        memcpy(params, head, sizeof head);
        assert_int_equal(state_with_params(slice_of(params, FCGI_MAX_PARAMS + (size_t)more)),
                         more ? FCGI_LARGE_PARAMS : FCGI_COMPLETE);
    }
}

static void a_body_of_64_KB_passes_and_one_byte_more_is_large(void **state)
{
    static const uint8_t body[FCGI_MAX_STDIN];

    (void)state;
    for (uint16_t more = 1; more <= 2; more++) {
        struct buf b = {0};
        add_request(&b, 1, get_events);
        b.n -= FCGI_RECORD_HEADER; /* without the end */
        add_record(&b, FCGI_STDIN, 1, slice_of(body, FCGI_MAX_STDIN - 1), 0);
        add_record(&b, FCGI_STDIN, 1, slice_of(body, more), 0);
        add_record(&b, FCGI_STDIN, 1, BYTES(""), 0);
        assert_int_equal(take_state(&b), more == 1 ? FCGI_COMPLETE : FCGI_LARGE_STDIN);
    }
}

static void any_bytes_are_taken_without_harm(void **state)
{
    uint64_t seed = 2;
    struct buf whole = {0};

    (void)state;
    add_request(&whole, 1, get_events);
    for (int round = 0; round < 20000; round++) {
        struct buf b = {0};
        struct fcgi_request out = {0};
        buf_add_slice(&b, buf_slice(&whole));
        for (uint32_t changes = 1 + random_below(&seed, 3); changes > 0; changes--)
            b.p[random_below(&seed, (uint32_t)b.n)] = (uint8_t)random_below(&seed, 256);
        if (parse(buf_slice(&b), &out) == FCGI_COMPLETE)
            assert_true(out.length <= b.n);
        buf_fini(&b);
    }
    buf_fini(&whole);
}

/* -- after the request -- */

static bool ends_bytewise(struct slice bytes)
{
    struct fcgi_input in = {0};
    bool ended = false;

    for (size_t i = 0; i < bytes.n && !ended; i++)
        ended = fcgi_input_ends(&in, bytes.p + i, 1);
    return ended;
}

static bool ends(struct buf *b)
{
    struct fcgi_input in = {0};
    bool ended = fcgi_input_ends(&in, b->p, b->n);

    assert_int_equal(ends_bytewise(buf_slice(b)), ended);
    buf_fini(b);
    return ended;
}

static void abort_or_another_begin_ends_the_request(void **state)
{
    struct buf b = {0};

    (void)state;
    add_record(&b, FCGI_ABORT, 1, BYTES(""), 0);
    assert_true(ends(&b));
    add_begin(&b, 2, 1);
    assert_true(ends(&b));
}

static void what_is_not_fastcgi_ends_the_request(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add_str(&b, "GET / HTTP/1.1\r\n");
    assert_true(ends(&b));
}

static void other_records_are_skipped_with_content_and_padding(void **state)
{
    struct buf b = {0};

    (void)state;
    add_record(&b, FCGI_STDIN, 1, BYTES("\1\2\0\1\0\0\0\0 looks like ABORT"), 0);
    add_record(&b, 99, 1, BYTES("x"), 255);
    add_record(&b, FCGI_STDIN, 1, BYTES(""), 0);
    assert_false(ends(&b));
}

static void an_abort_behind_other_records_is_found(void **state)
{
    struct buf b = {0};

    (void)state;
    add_record(&b, FCGI_STDIN, 1, BYTES("body"), 4);
    add_record(&b, FCGI_ABORT, 1, BYTES(""), 0);
    assert_true(ends(&b));
}

static void half_a_header_ends_nothing(void **state)
{
    (void)state;
    assert_false(ends_bytewise(slice_of("\1\2\0\1\0\0\0", 7)));
    assert_true(ends_bytewise(slice_of("\1\2\0\1\0\0\0\0", 8)));
}

/* -- writing -- */

static void content_of_any_length_becomes_records_that_hold_it(void **state)
{
    static const size_t lengths[] = {1,      2,      65534,  65535,  65536,
                                     131069, 131070, 131071, 200000, 1000000};
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct buf content = {0}, records = {0};
        struct output out = {0};
        for (size_t k = 0; k < lengths[i]; k++)
            buf_add_byte(&content, (uint8_t)random_below(&seed, 256));
        buf_add_str(&records, "before");
        size_t mark = fcgi_stdout_begin(&records);
        buf_add_slice(&records, buf_slice(&content));
        fcgi_stdout_end(&records, mark, 0x0203);
        output_read(&out, slice_of(records.p + 6, records.n - 6));
        assert_bytes(buf_slice(&out.text), buf_slice(&content));
        assert_int_equal(out.id, 0x0203);
        assert_int_equal(out.rest, 0);
        assert_int_equal(out.records, (lengths[i] + 65534) / 65535);
        output_fini(&out);
        buf_fini(&content);
        buf_fini(&records);
    }
}

static void no_content_is_no_record_for_that_would_end_the_stream(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add_str(&b, "before");
    fcgi_stdout_end(&b, fcgi_stdout_begin(&b), 1);
    assert_text(buf_slice(&b), "before");
    buf_fini(&b);
}

static void the_end_is_an_empty_record_and_the_status(void **state)
{
    struct buf b = {0};

    (void)state;
    fcgi_end_add(&b, 0x0102, FCGI_STATUS_UNKNOWN_ROLE);
    assert_bytes(buf_slice(&b), BYTES("\1\6\1\2\0\0\0\0\1\3\1\2\0\10\0\0\0\0\0\0\3\0\0\0"));
    buf_fini(&b);
}

static void records_get_another_id_and_nothing_else_changes(void **state)
{
    struct buf b = {0}, expected = {0};
    static const char looks_like_a_header[] = "\1\6\0\1\0\10\0\0";
    const struct slice content = BYTES(looks_like_a_header);

    (void)state;
    for (int i = 0; i < 3; i++) {
        add_record(&b, FCGI_STDOUT, 1, slice_of(content.p, (size_t)i * 4), (uint8_t)i);
        add_record(&expected, FCGI_STDOUT, 0xfffe, slice_of(content.p, (size_t)i * 4), (uint8_t)i);
    }
    fcgi_set_id(b.p, b.n, 0xfffe);
    assert_bytes(buf_slice(&b), buf_slice(&expected));
    buf_fini(&b);
    buf_fini(&expected);
}

/* -- a front's side -- */

static void a_request_of_parameters_is_whole(void **state)
{
    static uint8_t value[FCGI_MAX_CONTENT];
    static const size_t lengths[] = {0, 1, 127, 128, 60000};

    (void)state;
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct buf params = {0}, request = {0}, expected = {0};
        fcgi_param_add(&params, slice_str("NAME"), slice_of(value, lengths[i]));
        fcgi_request_add(&request, 3, buf_slice(&params), slice_of(NULL, 0));
        buf_add_slice(&expected, BYTES("\1\1\0\3\0\10\0\0\0\1\0\0\0\0\0\0"));
        add_record(&expected, FCGI_PARAMS, 3, buf_slice(&params), 0);
        buf_add_slice(&expected, BYTES("\1\4\0\3\0\0\0\0\1\5\0\3\0\0\0\0"));
        assert_bytes(buf_slice(&request), buf_slice(&expected));
        assert_int_equal(state_of(&request), FCGI_COMPLETE);
        buf_fini(&params);
        buf_fini(&request);
        buf_fini(&expected);
    }
}

static void a_body_is_cut_into_records(void **state)
{
    static uint8_t body[FCGI_MAX_CONTENT + 1];

    (void)state;
    for (size_t n = FCGI_MAX_CONTENT - 1; n <= sizeof body; n++) {
        struct buf request = {0}, expected = {0};
        fcgi_request_add(&request, 3, slice_of(NULL, 0), slice_of(body, n));
        fcgi_request_add(&expected, 3, slice_of(NULL, 0), slice_of(NULL, 0));
        expected.n -= FCGI_RECORD_HEADER;
        size_t first = n < FCGI_MAX_CONTENT ? n : FCGI_MAX_CONTENT;
        add_record(&expected, FCGI_STDIN, 3, slice_of(body, first), 0);
        if (n > first)
            add_record(&expected, FCGI_STDIN, 3, slice_of(body, n - first), 0);
        add_record(&expected, FCGI_STDIN, 3, slice_of(NULL, 0), 0);
        assert_bytes(buf_slice(&request), buf_slice(&expected));
        buf_fini(&request);
        buf_fini(&expected);
    }
}

static void a_request_of_many_parameters_is_cut_into_records(void **state)
{
    static uint8_t value[30000];

    (void)state;
    memset(value, 'v', sizeof value);
    for (int i = 1; i < 5; i++) {
        struct buf params = {0}, request = {0};
        for (int k = 0; k < i; k++)
            fcgi_param_add(&params, slice_str("NAME"), slice_of(value, sizeof value));
        fcgi_request_add(&request, 1, buf_slice(&params), slice_of(NULL, 0));
        assert_int_equal(state_of(&request), i < 3 ? FCGI_COMPLETE : FCGI_LARGE_PARAMS);
        buf_fini(&params);
        buf_fini(&request);
    }
}

/* Everything up to each byte, then the rest. */
static void the_text_of_an_answer_is_taken_from_whole_records(void **state)
{
    struct buf records = {0};

    (void)state;
    add_record(&records, FCGI_STDOUT, 1, BYTES("hello "), 3);
    add_record(&records, FCGI_STDOUT, 1, BYTES("world"), 0);
    fcgi_end_add(&records, 1, FCGI_STATUS_COMPLETE);
    for (size_t n = 0; n <= records.n; n++) {
        struct buf come = {0}, text = {0};
        buf_add(&come, records.p, n);
        assert_int_equal(fcgi_output_take(&come, &text), n == records.n);
        buf_add(&come, records.p + n, records.n - n);
        assert_int_equal(fcgi_output_take(&come, &text), n < records.n);
        assert_text(buf_slice(&text), "hello world");
        assert_int_equal(come.n, 0);
        buf_fini(&come);
        buf_fini(&text);
    }
    buf_fini(&records);
}

static void the_number_of_a_request_comes_with_its_first_header(void **state)
{
    struct buf b = {0};

    (void)state;
    add_begin(&b, 0x1234, 1);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(fcgi_request_id(b.p, n), n < FCGI_RECORD_HEADER ? 0 : 0x1234);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_a_request_comes_with_its_first_header),
        cmocka_unit_test(a_request_is_whole_only_with_its_last_byte),
        cmocka_unit_test(a_whole_request_has_its_id_and_its_length_without_what_follows),
        cmocka_unit_test(every_cut_of_the_content_into_records_is_the_same_request),
        cmocka_unit_test(another_version_is_broken_at_its_first_byte),
        cmocka_unit_test(only_a_responder_is_played),
        cmocka_unit_test(begin_request_has_eight_bytes),
        cmocka_unit_test(records_come_in_their_order),
        cmocka_unit_test(parameters_do_not_come_after_their_end),
        cmocka_unit_test(no_other_type_of_record_belongs_to_a_request),
        cmocka_unit_test(all_records_have_the_id_of_the_first_and_it_is_not_zero),
        cmocka_unit_test(lengths_of_names_and_values_end_inside_the_parameters),
        cmocka_unit_test(what_libfcgi_would_misread_is_broken),
        cmocka_unit_test(head_is_seen_before_the_request_is_decoded),
        cmocka_unit_test(a_nul_in_a_value_is_told_apart_for_a_client_can_put_it_there),
        cmocka_unit_test(parameters_of_64_KB_pass_and_one_byte_more_is_large),
        cmocka_unit_test(a_body_of_64_KB_passes_and_one_byte_more_is_large),
        cmocka_unit_test(any_bytes_are_taken_without_harm),
        cmocka_unit_test(abort_or_another_begin_ends_the_request),
        cmocka_unit_test(what_is_not_fastcgi_ends_the_request),
        cmocka_unit_test(other_records_are_skipped_with_content_and_padding),
        cmocka_unit_test(an_abort_behind_other_records_is_found),
        cmocka_unit_test(half_a_header_ends_nothing),
        cmocka_unit_test(content_of_any_length_becomes_records_that_hold_it),
        cmocka_unit_test(no_content_is_no_record_for_that_would_end_the_stream),
        cmocka_unit_test(the_end_is_an_empty_record_and_the_status),
        cmocka_unit_test(records_get_another_id_and_nothing_else_changes),
        cmocka_unit_test(a_request_of_parameters_is_whole),
        cmocka_unit_test(a_request_of_many_parameters_is_cut_into_records),
        cmocka_unit_test(a_body_is_cut_into_records),
        cmocka_unit_test(the_text_of_an_answer_is_taken_from_whole_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

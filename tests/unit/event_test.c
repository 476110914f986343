#include "topic/event.h"

#include <stdlib.h>

#include "base/base64.h"
#include "support.h"

/* Progress 0@1 of one partition: AQIAAg==. */
static int64_t one[] = {1};
static const struct progress at = {1, one};

enum { ENVELOPED = EVENT_ID_KEY + 1, KEYED_ENVELOPED, NDJSON, SHAPES };

static const struct shape *shape_of(int form)
{
    static const struct envelope orders = {"orders", NULL, 0};
    static const struct shape shapes[] = {
        {.id = EVENT_ID_PROGRESS},
        {.id = EVENT_ID_KEY},
        {.enveloped = true, .envelope = &orders},
        {.id = EVENT_ID_KEY, .enveloped = true, .envelope = &orders},
        {.framing = FRAMING_NDJSON, .envelope = &orders},
    };

    return &shapes[form];
}

/* The text of the event; it was one run of STDOUT records of request 1. */
static struct buf text_of(int form, const struct record *r)
{
    struct buf out = {0};
    struct output event = {0};

    event_encode(&out, shape_of(form), &at, slice_of(NULL, 0), r);
    output_read(&event, buf_slice(&out));
    assert_int_equal(event.id, 1);
    assert_int_equal(event.rest, 0);
    buf_fini(&out);
    return event.text;
}

static void check(int form, struct record r, const char *expected)
{
    struct buf text = text_of(form, &r);

    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
}

static struct record record(const char *key, const char *value)
{
    return (struct record){.key = slice_str(key), .value = slice_str(value)};
}

static struct record with_etag(struct record r, struct slice etag)
{
    r.etag = etag;
    return r;
}

static void a_value_is_id_and_data(void **state)
{
    (void)state;
    check(EVENT_ID_PROGRESS, record("1", "Hello"), "id:AQIAAg==\ndata:Hello\n\n");
    check(EVENT_ID_PROGRESS, record(NULL, "Hello"), "id:AQIAAg==\ndata:Hello\n\n");
}

static void an_empty_value_is_empty_data(void **state)
{
    (void)state;
    check(EVENT_ID_PROGRESS, record("1", ""), "id:AQIAAg==\ndata:\n\n");
}

static void no_value_is_a_delete_of_the_key(void **state)
{
    (void)state;
    check(EVENT_ID_PROGRESS, record("1", NULL), "id:AQIAAg==\nevent:delete\ndata:MQ==\n\n");
    check(EVENT_ID_PROGRESS, record("", NULL), "id:AQIAAg==\nevent:delete\ndata:\n\n");
}

static void a_key_of_any_length_can_be_deleted(void **state)
{
    (void)state;
    for (size_t n = 150; n < 100000; n *= 3) {
        struct buf key = {0}, encoded = {0};
        memset(buf_reserve(&key, n), 'k', n);
        key.n = n;
        buf_add_str(&encoded, "id:AQIAAg==\nevent:delete\ndata:");
        base64url_add(&encoded, buf_slice(&key));
        buf_add_str(&encoded, "\n\n");
        struct record r = {.key = buf_slice(&key)};
        struct buf text = text_of(EVENT_ID_PROGRESS, &r);
        assert_bytes(buf_slice(&text), buf_slice(&encoded));
        buf_fini(&text);
        buf_fini(&key);
        buf_fini(&encoded);
    }
}

static void neither_key_nor_value_is_no_event(void **state)
{
    (void)state;
    const struct record nothing = {0}, key = record("", NULL), value = record(NULL, "");
    assert_true(event_none(&nothing));
    assert_false(event_none(&key));
    assert_false(event_none(&value));
}

static void an_event_longer_than_a_record_is_framed_in_several(void **state)
{
    struct buf value = {0}, out = {0};
    struct output event = {0};

    (void)state;
    memset(buf_reserve(&value, 200000), 'v', 200000);
    value.n = 200000;
    struct record r = {.value = buf_slice(&value)};
    event_encode(&out, shape_of(EVENT_ID_PROGRESS), &at, slice_of(NULL, 0), &r);
    output_read(&event, buf_slice(&out));
    assert_int_equal(event.records, 4);
    assert_int_equal(event.text.n, strlen("id:AQIAAg==\ndata:\n\n") + 200000);
    output_fini(&event);
    buf_fini(&value);
    buf_fini(&out);
}

static void an_etag_stands_behind_a_slash(void **state)
{
    (void)state;
    check(EVENT_ID_PROGRESS, with_etag(record("1", "v"), BYTES("a/b!~")),
          "id:AQIAAg==/a/b!~\ndata:v\n\n");
    check(EVENT_ID_PROGRESS, with_etag(record("1", NULL), BYTES("e")),
          "id:AQIAAg==/e\nevent:delete\ndata:MQ==\n\n");
}

/* In both forms: an id must be able to come back as a header field. */
static void an_etag_that_is_not_printable_ascii_is_left_out(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const uint8_t etag[] = {'a', (uint8_t)byte, 'b'};
        struct record r = with_etag(record("1", "v"), slice_of(etag, sizeof etag));
        bool printable = byte >= 0x21 && byte <= 0x7e;
        for (int form = EVENT_ID_PROGRESS; form <= EVENT_ID_KEY; form++) {
            struct buf text = text_of((enum event_id)form, &r);
            assert_int_equal(memchr(text.p, '/', text.n) != NULL, printable);
            for (size_t i = 0; text.p[i] != '\n'; i++)
                assert_in_range(text.p[i], 0x21, 0x7e);
            buf_fini(&text);
        }
    }
    check(EVENT_ID_PROGRESS, with_etag(record("1", "v"), BYTES("")), "id:AQIAAg==\ndata:v\n\n");
}

static void the_keyed_form_is_a_pair_in_json(void **state)
{
    (void)state;
    check(EVENT_ID_KEY, record("1", "v"), "id:[\"MQ==\",\"AQIAAg==\"]\ndata:v\n\n");
    check(EVENT_ID_KEY, record("", "v"), "id:[\"\",\"AQIAAg==\"]\ndata:v\n\n");
    check(EVENT_ID_KEY, record(NULL, "v"), "id:[null,\"AQIAAg==\"]\ndata:v\n\n");
}

static void an_etag_in_the_keyed_form_is_escaped(void **state)
{
    (void)state;
    check(EVENT_ID_KEY, with_etag(record("1", "v"), BYTES("\"\\/")),
          "id:[\"MQ==\",\"AQIAAg==/\\\"\\\\/\"]\ndata:v\n\n");
}

/* Keys are base64url there, whatever their bytes. */
static void any_key_is_printable_ascii_in_the_keyed_form(void **state)
{
    (void)state;
    check(EVENT_ID_KEY, record("\xc3\xa9\x7f", "v"), "id:[\"w6l_\",\"AQIAAg==\"]\ndata:v\n\n");
}

/* The length of the id of a record with a key and an etag of these lengths; -1: none. */
static size_t id_length(enum event_id form, int key_len, int etag_len)
{
    static char bytes[8192];

    memset(bytes, 'x', sizeof bytes);
    struct record r = {.value = BYTES("v")};
    if (key_len >= 0)
        r.key = slice_of(bytes, (size_t)key_len);
    if (etag_len >= 0)
        r.etag = slice_of(bytes, (size_t)etag_len);
    struct buf text = text_of(form, &r);
    size_t n = (size_t)((uint8_t *)memchr(text.p, '\n', text.n) - text.p) - strlen("id:");
    buf_fini(&text);
    return n;
}

static void an_etag_is_left_out_if_the_id_would_be_longer_than_4096(void **state)
{
    const int fits = EVENT_ID_MAX - (int)strlen("AQIAAg==/");

    (void)state;
    assert_int_equal(id_length(EVENT_ID_PROGRESS, 1, fits), EVENT_ID_MAX);
    assert_int_equal(id_length(EVENT_ID_PROGRESS, 1, fits + 1), strlen("AQIAAg=="));
    assert_int_equal(id_length(EVENT_ID_PROGRESS, 1, 8192), strlen("AQIAAg=="));
}

static void an_etag_is_left_out_if_the_keyed_id_would_be_longer_than_4096(void **state)
{
    const int fits = EVENT_ID_MAX - (int)strlen("[\"eA==\",\"AQIAAg==/\"]");

    (void)state;
    assert_int_equal(id_length(EVENT_ID_KEY, 1, fits), EVENT_ID_MAX);
    assert_int_equal(id_length(EVENT_ID_KEY, 1, fits + 1), strlen("[\"eA==\",\"AQIAAg==\"]"));
}

static void an_etag_beside_no_key_is_left_out_no_sooner(void **state)
{
    const int fits = EVENT_ID_MAX - (int)strlen("[null,\"AQIAAg==/\"]");

    (void)state;
    assert_int_equal(id_length(EVENT_ID_KEY, -1, fits), EVENT_ID_MAX);
    assert_int_equal(id_length(EVENT_ID_KEY, -1, fits + 1), strlen("[null,\"AQIAAg==\"]"));
}

static void a_key_that_would_make_the_id_longer_than_4096_is_null(void **state)
{
    const size_t frame = strlen("[\"\",\"AQIAAg==\"]");
    const int fits = (int)((EVENT_ID_MAX - frame) / 4 * 3);

    (void)state;
    assert_int_equal(id_length(EVENT_ID_KEY, fits, -1), frame + (size_t)fits / 3 * 4);
    assert_int_equal(id_length(EVENT_ID_KEY, fits + 1, -1), strlen("[null,\"AQIAAg==\"]"));
}

static void no_id_is_longer_than_4096_whatever_key_and_etag(void **state)
{
    (void)state;
    for (int key = -1; key < 3100; key += 7)
        for (int etag = -1; etag < 4200; etag += 101)
            for (int form = EVENT_ID_PROGRESS; form <= EVENT_ID_KEY; form++)
                assert_true(id_length((enum event_id)form, key, etag) <= EVENT_ID_MAX);
}

static void ids_of_both_forms_can_be_read(void **state)
{
    (void)state;
    for (int form = EVENT_ID_PROGRESS; form <= EVENT_ID_KEY; form++) {
        struct record r = with_etag(record("k", "v"), BYTES("\"/\\"));
        struct buf text = text_of((enum event_id)form, &r);
        struct progress_id id;
        size_t n = (size_t)((uint8_t *)memchr(text.p, '\n', text.n) - text.p);
        assert_int_equal(progress_id_parse(slice_of(text.p + 3, n - 3), &id), 0);
        assert_true(id.n == 1 && id.at[0].next == 1);
        progress_id_fini(&id);
        buf_fini(&text);
    }
}

/* PROTOCOL 2.11. */
static void a_notice_carries_its_place(void **state)
{
    static const char *const expected[] = {
        "id:AQIAAg==\nevent:gap\ndata:{}\n\n",
        "id:[null,\"AQIAAg==\"]\nevent:gap\ndata:{}\n\n",
    };

    (void)state;
    for (int form = EVENT_ID_PROGRESS; form <= EVENT_ID_KEY; form++) {
        struct buf out = {0};
        struct output event = {0};
        event_encode_notice(&out, shape_of(form), &at, slice_of(NULL, 0), "gap", "{}");
        output_read(&event, buf_slice(&out));
        assert_int_equal(event.id, 1);
        assert_text(buf_slice(&event.text), expected[form]);
        output_fini(&event);
        buf_fini(&out);
    }
}

/* Encoded with the tag; and without it, but with the head that goes in place of its first bytes. */
static void check_tagged(int form, const struct record *r, struct slice tag)
{
    struct buf whole = {0}, shared = {0}, pieces = {0};
    struct output expected = {0}, got = {0};

    event_encode(&whole, shape_of(form), &at, tag, r);
    size_t put, tag_at = event_encode(&shared, shape_of(form), &at, slice_of(NULL, 0), r);
    size_t skipped = event_add_head(&pieces, shape_of(form), buf_slice(&shared), tag_at,
                                    BYTES("anything"), &put);
    memcpy(pieces.p + put, tag.p, tag.n);
    buf_add(&pieces, shared.p + skipped, shared.n - skipped);
    output_read(&expected, buf_slice(&whole));
    output_read(&got, buf_slice(&pieces));
    assert_int_equal(got.rest, 0);
    assert_bytes(buf_slice(&got.text), buf_slice(&expected.text));
    output_fini(&expected);
    output_fini(&got);
    buf_fini(&whole);
    buf_fini(&shared);
    buf_fini(&pieces);
}

/* -- enveloped, and as lines of JSON -- */

static void an_enveloped_record_is_one_line_of_json(void **state)
{
    const struct record r = with_etag(record("1", "Hel\nlo"), BYTES("e"));

    (void)state;
    check(ENVELOPED, r,
          "id:AQIAAg==/e\ndata:{\"topic\":\"orders\",\"partition\":0,\"offset\":0,"
          "\"timestamp\":0,\"key\":\"1\",\"headers\":{},\"text\":\"Hel\\nlo\"}\n\n");
    check(KEYED_ENVELOPED, record("1", "2"),
          "id:[\"MQ==\",\"AQIAAg==\"]\ndata:{\"topic\":\"orders\",\"partition\":0,\"offset\":0,"
          "\"timestamp\":0,\"key\":\"1\",\"headers\":{},\"value\":2}\n\n");
}

static void an_event_has_the_name_that_its_rule_gives(void **state)
{
    static const struct envelope orders = {"orders", NULL, 0};
    static const struct shape shape = {.naming = {NAMING_FIELD, "type"}, .envelope = &orders};
    static const char *const expected[][2] = {
        {"{\"type\":\"new\"}", "id:AQIAAg==\nevent:new\ndata:{\"type\":\"new\"}\n\n"},
        {"{\"type\":\"delete\"}", "id:AQIAAg==\ndata:{\"type\":\"delete\"}\n\n"},
        {NULL, "id:AQIAAg==\nevent:delete\ndata:MQ==\n\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct record r = record("1", expected[i][0]);
        struct buf out = {0};
        struct output event = {0};
        event_encode(&out, &shape, &at, slice_of(NULL, 0), &r);
        output_read(&event, buf_slice(&out));
        assert_text(buf_slice(&event.text), expected[i][1]);
        output_fini(&event);
        buf_fini(&out);
    }
}

static void an_enveloped_delete_says_so_twice(void **state)
{
    (void)state;
    check(ENVELOPED, record("1", NULL),
          "id:AQIAAg==\nevent:delete\ndata:{\"topic\":\"orders\",\"partition\":0,\"offset\":0,"
          "\"timestamp\":0,\"key\":\"1\",\"headers\":{},\"deleted\":true}\n\n");
}

static void a_line_is_the_envelope_with_its_id(void **state)
{
    (void)state;
    check(NDJSON, with_etag(record("1", "[ 1 ]"), BYTES("a\"\\")),
          "{\"id\":\"AQIAAg==/a\\\"\\\\\",\"topic\":\"orders\",\"partition\":0,\"offset\":0,"
          "\"timestamp\":0,\"key\":\"1\",\"headers\":{},\"value\":[1]}\n");
    check(NDJSON, record("1", NULL),
          "{\"event\":\"delete\",\"id\":\"AQIAAg==\",\"topic\":\"orders\",\"partition\":0,"
          "\"offset\":0,"
          "\"timestamp\":0,\"key\":\"1\",\"headers\":{},\"deleted\":true}\n");
}

static void check_notice(int form, const char *type, const char *json, const char *expected)
{
    struct buf out = {0};
    struct output event = {0};

    event_encode_notice(&out, shape_of(form), &at, BYTES("TAGtag-_"), type, json);
    output_read(&event, buf_slice(&out));
    assert_text(buf_slice(&event.text), expected);
    output_fini(&event);
    buf_fini(&out);
}

static void notices_of_envelopes_name_the_topic(void **state)
{
    (void)state;
    check_notice(ENVELOPED, "gap", "{\"from\":1}",
                 "id:AQIAAg==~TAGtag-_\nevent:gap\ndata:{\"topic\":\"orders\",\"from\":1}\n\n");
    check_notice(NDJSON, "reset", "{\"reason\":\"x\"}",
                 "{\"event\":\"reset\",\"id\":\"AQIAAg==~TAGtag-_\",\"topic\":\"orders\","
                 "\"reason\":\"x\"}\n");
}

static void the_longest_id_of_a_line_is_counted_without_its_escapes(void **state)
{
    static char etag[EVENT_ID_MAX];
    const size_t fits = EVENT_ID_MAX - strlen("AQIAAg==/");

    (void)state;
    memset(etag, '"', sizeof etag);
    struct record r = with_etag(record("1", "v"), slice_of(etag, fits));
    struct buf text = text_of(NDJSON, &r);
    assert_int_equal(text.p[strlen("{\"id\":\"AQIAAg==")], '/');
    buf_fini(&text);
    check_tagged(NDJSON, &r, BYTES("TAGtag-_")); /* it goes without the etag */
    r.etag.n -= strlen("~TAGtag-_");
    check_tagged(NDJSON, &r, BYTES("TAGtag-_"));
}

static void a_keepalive_is_an_event_where_it_is_asked_for(void **state)
{
    static const char *const expected[] = {
        "id:AQIAAg==~TAGtag-_\nevent:keepalive\ndata:{}\n\n",
        "id:[null,\"AQIAAg==~TAGtag-_\"]\nevent:keepalive\ndata:{}\n\n",
        "id:AQIAAg==~TAGtag-_\nevent:keepalive\ndata:{}\n\n",
        "id:[null,\"AQIAAg==~TAGtag-_\"]\nevent:keepalive\ndata:{}\n\n",
        "{\"event\":\"keepalive\",\"id\":\"AQIAAg==~TAGtag-_\"}\n",
    };

    (void)state;
    for (int form = 0; form < SHAPES; form++) {
        struct buf out = {0};
        struct output event = {0};
        event_encode_keepalive(&out, shape_of(form), &at, BYTES("TAGtag-_"));
        output_read(&event, buf_slice(&out));
        assert_text(buf_slice(&event.text), expected[form]);
        output_fini(&event);
        buf_fini(&out);
    }
}

/* -- with a tag -- */

static void a_tag_stands_between_place_and_etag(void **state)
{
    const struct record r = with_etag(record("1", "v"), BYTES("e"));
    static const char *const expected[] = {
        "id:AQIAAg==~TAGtag-_/e\ndata:v\n\n",
        "id:[\"MQ==\",\"AQIAAg==~TAGtag-_/e\"]\ndata:v\n\n",
    };

    (void)state;
    for (int form = EVENT_ID_PROGRESS; form <= EVENT_ID_KEY; form++) {
        struct buf out = {0};
        struct output event = {0};
        event_encode(&out, shape_of(form), &at, BYTES("TAGtag-_"), &r);
        output_read(&event, buf_slice(&out));
        assert_text(buf_slice(&event.text), expected[form]);
        output_fini(&event);
        buf_fini(&out);
    }
}

static void the_bytes_behind_the_tag_are_those_of_the_event_without_it(void **state)
{
    struct buf large = {0};

    (void)state;
    memset(buf_reserve(&large, 200000), 'v', 200000);
    large.n = 200000;
    const struct record records[] = {
        record("1", "v"),
        record(NULL, "v"),
        record("1", NULL),
        with_etag(record("1", "v"), BYTES("a\"b")),
        {.key = BYTES("1"), .value = buf_slice(&large)},
    };
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
        for (int form = 0; form < SHAPES; form++)
            check_tagged(form, &records[i], BYTES("TAGtag-_"));
    buf_fini(&large);
}

/* The length of the id that is sent in two pieces, of a record with such a key and etag. */
static size_t tagged_id_length(int form, int key_len, int etag_len)
{
    static char bytes[8192];
    struct buf shared = {0}, pieces = {0};
    struct output got = {0};
    struct progress_id id;

    memset(bytes, 'x', sizeof bytes);
    struct record r = {.value = BYTES("v"), .key = slice_of(bytes, (size_t)key_len)};
    r.etag = slice_of(bytes, (size_t)etag_len);
    size_t put, tag_at = event_encode(&shared, shape_of(form), &at, slice_of(NULL, 0), &r);
    size_t skipped = event_add_head(&pieces, shape_of(form), buf_slice(&shared), tag_at,
                                    BYTES("TAGtag-_"), &put);
    buf_add(&pieces, shared.p + skipped, shared.n - skipped);
    output_read(&got, buf_slice(&pieces));
    size_t n = (size_t)((uint8_t *)memchr(got.text.p, '\n', got.text.n) - got.text.p) - 3;
    assert_memory_equal(got.text.p + 3 + n, "\ndata:v\n\n", 9);
    assert_int_equal(progress_id_parse(slice_of(got.text.p + 3, n), &id), 0);
    assert_string_equal(id.tag, "TAGtag-_");
    assert_true(id.n == 1 && id.at[0].next == 1);
    progress_id_fini(&id);
    output_fini(&got);
    buf_fini(&shared);
    buf_fini(&pieces);
    return n;
}

static void with_a_tag_no_id_is_longer_than_4096_either(void **state)
{
    (void)state;
    for (int key = 0; key < 3100; key += 1 + key % 7)
        for (int etag = 3900; etag < 4200; etag += key < 10 ? 1 : 150)
            for (int form = EVENT_ID_PROGRESS; form <= EVENT_ID_KEY; form++)
                assert_true(tagged_id_length((enum event_id)form, key, etag) <= EVENT_ID_MAX);
}

static void a_place_alone_is_an_id_and_a_blank_line(void **state)
{
    static const char *const expected[] = {
        "id:AQIAAg==~TAGtag-_\n\n",
        "id:[null,\"AQIAAg==~TAGtag-_\"]\n\n",
        "id:AQIAAg==~TAGtag-_\n\n",
        "id:[null,\"AQIAAg==~TAGtag-_\"]\n\n",
        "{\"event\":\"keepalive\",\"id\":\"AQIAAg==~TAGtag-_\"}\n",
    };

    (void)state;
    for (int form = 0; form < SHAPES; form++) {
        struct buf out = {0};
        struct output event = {0};
        event_encode_place(&out, shape_of(form), &at, BYTES("TAGtag-_"));
        output_read(&event, buf_slice(&out));
        assert_text(buf_slice(&event.text), expected[form]);
        output_fini(&event);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_id_and_data),
        cmocka_unit_test(an_empty_value_is_empty_data),
        cmocka_unit_test(no_value_is_a_delete_of_the_key),
        cmocka_unit_test(a_key_of_any_length_can_be_deleted),
        cmocka_unit_test(neither_key_nor_value_is_no_event),
        cmocka_unit_test(an_event_longer_than_a_record_is_framed_in_several),
        cmocka_unit_test(an_etag_stands_behind_a_slash),
        cmocka_unit_test(an_etag_that_is_not_printable_ascii_is_left_out),
        cmocka_unit_test(the_keyed_form_is_a_pair_in_json),
        cmocka_unit_test(an_etag_in_the_keyed_form_is_escaped),
        cmocka_unit_test(any_key_is_printable_ascii_in_the_keyed_form),
        cmocka_unit_test(an_etag_is_left_out_if_the_id_would_be_longer_than_4096),
        cmocka_unit_test(an_etag_is_left_out_if_the_keyed_id_would_be_longer_than_4096),
        cmocka_unit_test(an_etag_beside_no_key_is_left_out_no_sooner),
        cmocka_unit_test(a_key_that_would_make_the_id_longer_than_4096_is_null),
        cmocka_unit_test(no_id_is_longer_than_4096_whatever_key_and_etag),
        cmocka_unit_test(ids_of_both_forms_can_be_read),
        cmocka_unit_test(a_notice_carries_its_place),
        cmocka_unit_test(an_enveloped_record_is_one_line_of_json),
        cmocka_unit_test(an_event_has_the_name_that_its_rule_gives),
        cmocka_unit_test(an_enveloped_delete_says_so_twice),
        cmocka_unit_test(a_line_is_the_envelope_with_its_id),
        cmocka_unit_test(notices_of_envelopes_name_the_topic),
        cmocka_unit_test(the_longest_id_of_a_line_is_counted_without_its_escapes),
        cmocka_unit_test(a_keepalive_is_an_event_where_it_is_asked_for),
        cmocka_unit_test(a_tag_stands_between_place_and_etag),
        cmocka_unit_test(the_bytes_behind_the_tag_are_those_of_the_event_without_it),
        cmocka_unit_test(with_a_tag_no_id_is_longer_than_4096_either),
        cmocka_unit_test(a_place_alone_is_an_id_and_a_blank_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

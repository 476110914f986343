#include "topic/progress.h"

#include <errno.h>

#include "base/base64.h"
#include "support.h"

static void set(struct progress *p, int32_t n, const int64_t *next)
{
    progress_resize(p, n);
    for (int32_t i = 0; i < n; i++)
        p->next[i] = next[i];
}

static void check_text(int32_t n, const int64_t *next, const char *expected)
{
    struct progress p = {0};
    struct buf text = {0};

    set(&p, n, next);
    progress_add(&text, &p);
    assert_text(buf_slice(&text), expected);
    progress_fini(&p);
    buf_fini(&text);
}

/* The outcome of a raw id, base64url around it. */
static int parse_raw(struct slice raw, struct progress_id *out)
{
    struct buf text = {0};

    base64url_add(&text, raw);
    int err = progress_id_parse(buf_slice(&text), out);
    buf_fini(&text);
    return err;
}

/* Refused, and what was there before is untouched. */
static bool refused(int err, struct progress_id *out)
{
    if (err == 0)
        progress_id_fini(out);
    return err == -EINVAL && out->n == 77 && out->at == NULL;
}

static bool malformed(struct slice id)
{
    struct progress_id out = {.n = 77};

    return refused(progress_id_parse(id, &out), &out);
}

static bool raw_malformed(struct slice raw)
{
    struct progress_id out = {.n = 77};

    return refused(parse_raw(raw, &out), &out);
}

/* `0@1 2@5` for partition 0 at 1 and partition 2 at 5. */
static void check_id(const char *id, const char *expected)
{
    struct progress_id out;
    struct buf text = {0};

    assert_int_equal(progress_id_parse(slice_str(id), &out), 0);
    for (int32_t i = 0; i < out.n; i++)
        buf_printf(&text, "%s%d@%lld", i ? " " : "", out.at[i].partition,
                   (long long)out.at[i].next);
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    progress_id_fini(&out);
}

static void partition_0_next_offset_1_is_written_as_zilla_does(void **state)
{
    (void)state;
    check_text(1, (const int64_t[]){1}, "AQIAAg==");
}

static void offsets_are_zigzag_varints(void **state)
{
    (void)state;
    check_text(2, (const int64_t[]){63, 64}, "AQQAfgKAAQ=="); /* 7e; 80 01 */
    check_text(1, (const int64_t[]){INT64_MAX}, "AQIA_v__________AQ==");
}

static void no_partition_is_written_too(void **state)
{
    (void)state;
    check_text(0, NULL, "AQA=");
}

static void any_number_of_partitions_comes_back(void **state)
{
    static const int32_t counts[] = {0, 1, 2, 15, 16, 17, 63, 64, 65, 100, 1000};
    uint64_t seed = 4;

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct progress p = {0};
        struct progress_id back;
        struct buf text = {0};
        progress_resize(&p, counts[i]);
        for (int32_t k = 0; k < p.n; k++)
            p.next[k] = (int64_t)(((uint64_t)random_below(&seed, UINT32_MAX) << 31) >>
                                  random_below(&seed, 63));
        progress_add(&text, &p);
        assert_int_equal(progress_id_parse(buf_slice(&text), &back), 0);
        assert_int_equal(back.n, p.n);
        for (int32_t k = 0; k < p.n; k++) {
            assert_int_equal(back.at[k].partition, k);
            assert_int_equal(back.at[k].next, p.next[k]);
        }
        progress_id_fini(&back);
        progress_fini(&p);
        buf_fini(&text);
    }
}

static void new_partitions_are_at_the_beginning(void **state)
{
    struct progress p = {0};

    (void)state;
    set(&p, 2, (const int64_t[]){5, 6});
    progress_resize(&p, 4);
    assert_int_equal(progress_get(&p, 1), 6);
    assert_int_equal(progress_get(&p, 3), OFFSET_BEGINNING);
    assert_int_equal(progress_get(&p, 4), OFFSET_BEGINNING);
    progress_fini(&p);
}

static void a_copy_is_of_its_own(void **state)
{
    struct progress from = {0}, to = {0};

    (void)state;
    set(&from, 2, (const int64_t[]){5, 6});
    set(&to, 3, (const int64_t[]){1, 2, 3});
    progress_copy(&to, &from);
    from.next[0] = 99;
    assert_int_equal(to.n, 2);
    assert_int_equal(to.next[0], 5);
    assert_int_equal(to.next[1], 6);
    progress_fini(&from);
    progress_copy(&to, &from);
    assert_int_equal(to.n, 0);
    progress_fini(&to);
}

static void an_id_names_its_partitions_in_any_order(void **state)
{
    struct progress_id out;

    (void)state;
    assert_int_equal(parse_raw(BYTES("\1\4\4\12\0\2"), &out), 0);
    assert_int_equal(out.n, 2);
    assert_true(out.at[0].partition == 0 && out.at[0].next == 1);
    assert_true(out.at[1].partition == 2 && out.at[1].next == 5);
    progress_id_fini(&out);
}

static void zillas_live_and_historical_are_the_beginning(void **state)
{
    (void)state;
    check_id("AQQAAQID", "0@-2 1@-2"); /* -1 and -2 */
}

static void padding_may_be_missing(void **state)
{
    (void)state;
    check_id("AQIAAg", "0@1");
}

static void an_etag_behind_the_slash_is_not_looked_at(void **state)
{
    (void)state;
    check_id("AQIAAg==/", "0@1");
    check_id("AQIAAg==/\"W/ \xff%", "0@1");
    check_id("AQIAAg==/AQIABA==", "0@1");
}

static void the_keyed_form_is_read_too(void **state)
{
    (void)state;
    check_id("[\"MQ==\",\"AQIAAg==\"]", "0@1");
    check_id("[null,\"AQIAAg==/etag\"]", "0@1");
    check_id("[ null , \"AQIAAg\\u003d=\" ]", "0@1");
}

static void every_prefix_of_the_keyed_form_is_malformed(void **state)
{
    static const char id[] = "[\"MQ==\",\"AQIAAg==/e\"]";

    (void)state;
    for (size_t n = 0; n < sizeof id - 1; n++)
        assert_true(malformed(slice_of(id, n)));
}

static void another_json_is_malformed(void **state)
{
    static const char *const ids[] = {
        "[]",
        "[\"AQIAAg==\"]",
        "[null,null]",
        "[null,1]",
        "[null,[\"AQIAAg==\"]]",
        "[null,\"AQIAAg==\",null]",
        "[null,\"AQIAAg==\"]x",
        "[null,\"\"]",
        "[null,\"/e\"]",
        "[null,\"[null,\\\"AQIAAg==\\\"]\"]",
        "{\"id\":\"AQIAAg==\"}",
        "\"AQIAAg==\"",
        "[null,\"AQIAAg==\\u0000\"]",
        "[null,\"\xff\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_true(malformed(slice_str(ids[i])));
}

static void deeply_nested_json_is_malformed(void **state)
{
    static char id[EVENT_ID_PARSED];

    (void)state;
    memset(id, '[', sizeof id);
    assert_true(malformed(slice_of(id, sizeof id)));
}

static void every_prefix_is_malformed(void **state)
{
    static const uint8_t raw[] = {1, 4, 0, 0x80, 0x80, 2, 2, 0xfe, 0xff, 1};

    (void)state;
    for (size_t n = 0; n < sizeof raw; n++)
        assert_true(raw_malformed(slice_of(raw, n)));
    assert_false(raw_malformed(slice_of(raw, sizeof raw)));
}

static void what_follows_the_last_partition_is_malformed(void **state)
{
    (void)state;
    assert_true(raw_malformed(BYTES("\1\2\0\2\0")));
    assert_true(raw_malformed(BYTES("\1\0\0")));
    assert_true(raw_malformed(BYTES("\1\0\0\0")));
}

static void another_version_is_malformed(void **state)
{
    (void)state;
    for (int version = 0; version < 256; version++) {
        const uint8_t raw[] = {(uint8_t)version, 2, 0, 2};
        assert_int_equal(raw_malformed(slice_of(raw, sizeof raw)), version != 1);
    }
}

static void a_count_that_the_bytes_cannot_hold_is_malformed(void **state)
{
    (void)state;
    assert_true(raw_malformed(BYTES("\1\1\0\2")));                                     /* -1 */
    assert_true(raw_malformed(BYTES("\1\4\0\2")));                                     /* 2 */
    assert_true(raw_malformed(BYTES("\1\376\377\377\377\17\0\2")));                    /* 2^31-1 */
    assert_true(raw_malformed(BYTES("\1\376\377\377\377\377\377\377\377\377\1\0\2"))); /* 2^63-1 */
}

static void a_number_of_more_than_64_bits_is_malformed(void **state)
{
    struct progress_id out;

    (void)state;
    assert_int_equal(parse_raw(BYTES("\1\2\0\376\377\377\377\377\377\377\377\377\1"), &out), 0);
    assert_true(out.at[0].next == INT64_MAX);
    progress_id_fini(&out);
    assert_true(raw_malformed(BYTES("\1\2\0\376\377\377\377\377\377\377\377\377\2")));
    assert_true(raw_malformed(BYTES("\1\2\0\376\377\377\377\377\377\377\377\377\377\0")));
}

static void a_partition_is_a_number_of_31_bits(void **state)
{
    (void)state;
    assert_false(raw_malformed(BYTES("\1\2\376\377\377\377\17\2")));
    assert_true(raw_malformed(BYTES("\1\2\200\200\200\200\20\2")));
    assert_true(raw_malformed(BYTES("\1\2\1\2")));
}

static void an_offset_is_not_below_minus_two(void **state)
{
    (void)state;
    assert_false(raw_malformed(BYTES("\1\2\0\3")));
    assert_true(raw_malformed(BYTES("\1\2\0\5")));
}

static void a_partition_named_twice_is_malformed(void **state)
{
    (void)state;
    assert_true(raw_malformed(BYTES("\1\4\2\2\2\2")));
    assert_true(raw_malformed(BYTES("\1\6\2\2\0\2\2\4")));
}

static void check_tag(const char *id, const char *expected)
{
    struct progress_id out;

    assert_int_equal(progress_id_parse(slice_str(id), &out), 0);
    assert_string_equal(out.tag, expected);
    assert_true(out.n == 1 && out.at[0].next == 1);
    progress_id_fini(&out);
}

static void a_tag_stands_behind_the_place(void **state)
{
    (void)state;
    check_tag("AQIAAg==", "");
    check_tag("AQIAAg==~AZaz09-_", "AZaz09-_");
    check_tag("AQIAAg==~AZaz09-_/e~x", "AZaz09-_");
    check_tag("AQIAAg==/e~AZaz09-_", "");
    check_tag("[\"MQ==\",\"AQIAAg==~AZaz09-_/e\"]", "AZaz09-_");
}

static void check_moving(const char *id, const char *tag)
{
    struct progress_id out = {0};

    check_tag(id, tag);
    assert_int_equal(progress_id_parse(slice_str(id), &out), 0);
    assert_true(out.moving);
    progress_id_fini(&out);
    assert_int_equal(progress_id_parse(slice_str("AQIAAg==~AZaz09-_"), &out), 0);
    assert_false(out.moving);
    progress_id_fini(&out);
}

static void a_second_tilde_says_that_its_stream_was_moving(void **state)
{
    (void)state;
    check_moving("AQIAAg==~AZaz09-_~", "AZaz09-_");
    check_moving("AQIAAg==~~", "");
    check_moving("AQIAAg==~~/e~x", "");
    check_moving("[null,\"AQIAAg==~AZaz09-_~\"]", "AZaz09-_");
}

static void a_tag_of_anything_but_8_characters_of_base64url_is_malformed(void **state)
{
    static const char *const ids[] = {
        "AQIAAg==~",   "AQIAAg==~AZaz09-",           "AQIAAg==~AZaz09-_x", "AQIAAg==~AZaz09+_",
        "AQIAAg==~/e", "AQIAAg==~AZaz09-_~AZaz09-_", "AQIAAg==~AZaz09-~",  "AQIAAg==~AZaz09-_~~"};

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_true(malformed(slice_str(ids[i])));
}

static void text_that_is_no_base64url_is_malformed(void **state)
{
    static const char *const ids[] = {"",          "/",         "/etag",     "*",
                                      "AQIAAg==x", "AQIAAg= =", "AQIA Ag==", "AQIAAg==\n",
                                      "+QIAAg==",  "1234",      "null"};

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_true(malformed(slice_str(ids[i])));
}

/* With the largest offsets that there are, in both forms. */
static void what_is_written_of_2000_partitions_can_be_read(void **state)
{
    struct progress p = {0};
    struct progress_id back;

    (void)state;
    progress_resize(&p, EVENT_ID_PARTITIONS);
    for (int32_t i = 0; i < p.n; i++)
        p.next[i] = INT64_MAX - i;
    for (int keyed = 0; keyed < 2; keyed++) {
        struct buf id = {0};
        if (keyed)
            buf_add_str(&id, "[null,\"");
        progress_add(&id, &p);
        if (keyed)
            buf_add_str(&id, "\"]");
        assert_in_range(id.n, 30000, EVENT_ID_PARSED);
        assert_int_equal(progress_id_parse(buf_slice(&id), &back), 0);
        assert_int_equal(back.n, EVENT_ID_PARTITIONS);
        for (int32_t i = 0; i < back.n; i++)
            assert_true(back.at[i].partition == i && back.at[i].next == p.next[i]);
        progress_id_fini(&back);
        buf_fini(&id);
    }
    progress_fini(&p);
}

static void more_than_2000_partitions_are_malformed(void **state)
{
    struct progress p = {0};
    struct buf id = {0};

    (void)state;
    progress_resize(&p, EVENT_ID_PARTITIONS + 1);
    progress_add(&id, &p);
    assert_in_range(id.n, 1, EVENT_ID_PARSED);
    assert_true(malformed(buf_slice(&id)));
    progress_fini(&p);
    buf_fini(&id);
}

static void an_id_of_33_KB_is_read_and_a_longer_one_is_malformed(void **state)
{
    static char id[EVENT_ID_PARSED + 1];
    struct progress_id out;

    (void)state;
    memset(id, 'e', sizeof id);
    memcpy(id, "AQIAAg==/", 9);
    assert_int_equal(progress_id_parse(slice_of(id, EVENT_ID_PARSED), &out), 0);
    progress_id_fini(&out);
    assert_true(malformed(slice_of(id, EVENT_ID_PARSED + 1)));
}

static void any_bytes_are_taken_without_harm(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        uint8_t raw[24];
        struct progress_id out;
        size_t n = random_below(&seed, sizeof raw);
        for (size_t i = 0; i < n; i++)
            raw[i] = (uint8_t)random_below(&seed, i < 3 ? 8 : 256);
        raw[0] = 1;
        if (parse_raw(slice_of(raw, n), &out) < 0)
            continue;
        for (int32_t i = 0; i < out.n; i++)
            assert_true(out.at[i].partition >= 0 && out.at[i].next >= OFFSET_BEGINNING);
        progress_id_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition_0_next_offset_1_is_written_as_zilla_does),
        cmocka_unit_test(offsets_are_zigzag_varints),
        cmocka_unit_test(no_partition_is_written_too),
        cmocka_unit_test(any_number_of_partitions_comes_back),
        cmocka_unit_test(new_partitions_are_at_the_beginning),
        cmocka_unit_test(a_copy_is_of_its_own),
        cmocka_unit_test(an_id_names_its_partitions_in_any_order),
        cmocka_unit_test(zillas_live_and_historical_are_the_beginning),
        cmocka_unit_test(padding_may_be_missing),
        cmocka_unit_test(an_etag_behind_the_slash_is_not_looked_at),
        cmocka_unit_test(the_keyed_form_is_read_too),
        cmocka_unit_test(every_prefix_of_the_keyed_form_is_malformed),
        cmocka_unit_test(another_json_is_malformed),
        cmocka_unit_test(deeply_nested_json_is_malformed),
        cmocka_unit_test(every_prefix_is_malformed),
        cmocka_unit_test(what_follows_the_last_partition_is_malformed),
        cmocka_unit_test(another_version_is_malformed),
        cmocka_unit_test(a_count_that_the_bytes_cannot_hold_is_malformed),
        cmocka_unit_test(a_number_of_more_than_64_bits_is_malformed),
        cmocka_unit_test(a_partition_is_a_number_of_31_bits),
        cmocka_unit_test(an_offset_is_not_below_minus_two),
        cmocka_unit_test(a_partition_named_twice_is_malformed),
        cmocka_unit_test(a_tag_stands_behind_the_place),
        cmocka_unit_test(a_second_tilde_says_that_its_stream_was_moving),
        cmocka_unit_test(a_tag_of_anything_but_8_characters_of_base64url_is_malformed),
        cmocka_unit_test(text_that_is_no_base64url_is_malformed),
        cmocka_unit_test(what_is_written_of_2000_partitions_can_be_read),
        cmocka_unit_test(more_than_2000_partitions_are_malformed),
        cmocka_unit_test(an_id_of_33_KB_is_read_and_a_longer_one_is_malformed),
        cmocka_unit_test(any_bytes_are_taken_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "select/from.h"

#include "support.h"

static void check(const char *text, enum from_kind kind, int64_t value)
{
    struct from from;

    if (!from_parse(slice_str(text), &from))
        fail_msg("%s is refused", text);
    assert_int_equal(from.kind, kind);
    assert_int_equal(from.value, value);
}

static void the_ends_have_names(void **state)
{
    (void)state;
    check("earliest", FROM_EARLIEST, 0);
    check("latest", FROM_LATEST, 0);
}

static void the_last_are_1_to_10000(void **state)
{
    (void)state;
    check("-1", FROM_LAST, 1);
    check("-10000", FROM_LAST, 10000);
}

static void a_time_is_milliseconds_or_rfc_3339(void **state)
{
    (void)state;
    check("0", FROM_TIME, 0);
    check("1764498600123", FROM_TIME, 1764498600123);
    check("1970-01-01T00:00:00Z", FROM_TIME, 0);
    check("2025-11-30T10:30:00Z", FROM_TIME, 1764498600000);
    check("2025-11-30t10:30:00z", FROM_TIME, 1764498600000);
    check("2025-11-30T10:30:00.1Z", FROM_TIME, 1764498600100);
    check("2025-11-30T10:30:00.123999Z", FROM_TIME, 1764498600123);
    check("2025-11-30T12:30:00+02:00", FROM_TIME, 1764498600000);
    check("2025-11-30T12:30:00 02:00", FROM_TIME, 1764498600000);
    check("2025-11-30T05:00:00-05:30", FROM_TIME, 1764498600000);
    check("2024-02-29T00:00:00Z", FROM_TIME, 1709164800000);
    check("1969-12-31T23:59:59Z", FROM_TIME, -1000);
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "Earliest",
        "newest",
        "-0",
        "-10001",
        "-1x",
        "--1",
        "-",
        "1.5",
        "+5",
        "1234567890123456",
        "2025-11-30",
        "2025-11-30T10:30Z",
        "2025-11-30T10:30:00",
        "2025-11-30T10:30:00.Z",
        "2025-11-30T10:30:00Zx",
        "2025-11-30T10:30:00+2:00",
        "2025-11-30T10:30:00+0200",
        "2025-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2025-11-31T00:00:00Z",
        "2025-11-00T00:00:00Z",
        "2025-11-30T24:00:00Z",
        "2025-11-30T10:60:00Z",
        "2025-11-30T10:30:61Z",
        "2025-11-30T10:30:00+24:00",
    };
    struct from from = {FROM_LAST, 7};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (from_parse(slice_str(texts[i]), &from))
            fail_msg("%s is taken", texts[i]);
    assert_true(from.kind == FROM_LAST && from.value == 7);
    assert_false(from_parse(BYTES("1\0"), &from));
}

static void written(struct from from, const char *text)
{
    struct buf out = {0};
    struct from again = {0};

    from_add(&out, &from);
    assert_text(buf_slice(&out), text);
    assert_true(from_parse(buf_slice(&out), &again));
    assert_true(again.kind == from.kind);
    buf_fini(&out);
}

static void it_is_written_as_it_is_read(void **state)
{
    (void)state;
    written((struct from){FROM_EARLIEST, 0}, "earliest");
    written((struct from){FROM_LATEST, 0}, "latest");
    written((struct from){FROM_LAST, 10000}, "-10000");
    written((struct from){FROM_TIME, 0}, "1970-01-01T00:00:00.000Z");
    written((struct from){FROM_TIME, 1764498600123}, "2025-11-30T10:30:00.123Z");
    written((struct from){FROM_TIME, -1}, "1969-12-31T23:59:59.999Z");
    written((struct from){FROM_TIME, -62167305600000}, "0000-01-01T00:00:00.000Z");
    written((struct from){FROM_TIME, 253402300799999}, "9999-12-31T23:59:59.999Z");
    written((struct from){FROM_TIME, 253402300800000}, "253402300800000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ends_have_names),
        cmocka_unit_test(the_last_are_1_to_10000),
        cmocka_unit_test(a_time_is_milliseconds_or_rfc_3339),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(it_is_written_as_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

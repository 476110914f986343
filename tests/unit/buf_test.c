#include "base/buf.h"

#include "support.h"

static void bytes_are_appended_as_it_grows(void **state)
{
    struct buf b = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_add_byte(&b, (uint8_t)i);
    assert_int_equal(b.n, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.p[i], (uint8_t)i);
    buf_fini(&b);
}

static void each_way_to_append_appends(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add(&b, "ab", 2);
    buf_add_slice(&b, BYTES("c\0d"));
    buf_add_str(&b, "ef");
    buf_add_byte(&b, 'g');
    buf_printf(&b, "%d%s", 42, "h");
    assert_bytes(buf_slice(&b), BYTES("abc\0defg42h"));
    buf_fini(&b);
}

static void appending_nothing_needs_no_memory(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add(&b, NULL, 0);
    buf_add_slice(&b, slice_of(NULL, 0));
    buf_add_str(&b, "");
    buf_printf(&b, "%s", "");
    assert_null(b.p);
    assert_int_equal(b.n, 0);
}

static void room_is_made_behind_the_bytes(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add_str(&b, "ab");
    uint8_t *room = buf_reserve(&b, 1000);
    assert_ptr_equal(room, b.p + 2);
    memset(room, 'x', 1000);
    assert_text(buf_slice(&b), "ab");
    buf_fini(&b);
}

static void text_of_any_length_is_printed_whole(void **state)
{
    static char text[1000];

    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct buf b = {0};
        memset(text, 'x', n);
        text[n] = 0;
        buf_printf(&b, "%s", text);
        assert_text(buf_slice(&b), text);
        buf_fini(&b);
    }
}

static void it_can_be_used_again_when_the_memory_was_given_back(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add_str(&b, "ab");
    buf_fini(&b);
    assert_int_equal(b.n + b.cap, 0);
    buf_add_str(&b, "c");
    assert_text(buf_slice(&b), "c");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_appended_as_it_grows),
        cmocka_unit_test(each_way_to_append_appends),
        cmocka_unit_test(appending_nothing_needs_no_memory),
        cmocka_unit_test(room_is_made_behind_the_bytes),
        cmocka_unit_test(text_of_any_length_is_printed_whole),
        cmocka_unit_test(it_can_be_used_again_when_the_memory_was_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

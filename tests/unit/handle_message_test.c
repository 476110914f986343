#include <stdlib.h>

#include "front/subscriptions.h"
#include "support.h"

static bool parses(const struct handle_message *m, struct handle_message *out)
{
    static struct buf text;

    text.n = 0;
    handle_message_add(&text, m);
    return handle_message_parse(buf_slice(&text), out);
}

static void what_is_said_is_read(void **state)
{
    const struct handle_message told = {MESSAGE_TELL,      SUBSCRIPTION_UNKNOWN, 7, 8, 9,
                                        slice_str("key=a")};
    struct handle_message m;

    (void)state;
    assert_true(parses(&told, &m));
    assert_int_equal(m.type, MESSAGE_TELL);
    assert_int_equal(m.asker, 7);
    assert_int_equal(m.number, 8);
    assert_int_equal(m.told_at, 9);
    assert_text(m.form, "key=a");
}

static void only_who_tells_or_was_told_has_a_form(void **state)
{
    const struct handle_message found = {MESSAGE_ANSWER,    SUBSCRIPTION_KNOWN, 7, 8, 9,
                                         slice_str("key=a")};
    struct handle_message m;

    (void)state;
    assert_true(parses(&found, &m));
    assert_int_equal(m.form.n, 0);
}

static void each_prefix_and_each_bad_byte_is_refused(void **state)
{
    uint8_t bytes[26 + SUBSCRIPTION_FORM_MAX + 1] = {MESSAGE_TELL};
    struct handle_message m;

    (void)state;
    for (size_t n = 0; n < 26; n++)
        assert_false(handle_message_parse(slice_of(bytes, n), &m));
    assert_true(handle_message_parse(slice_of(bytes, sizeof bytes - 1), &m));
    assert_false(handle_message_parse(slice_of(bytes, sizeof bytes), &m));
    bytes[0] = MESSAGE_FIND;
    assert_false(handle_message_parse(slice_of(bytes, 27), &m));
    bytes[0] = 0;
    assert_false(handle_message_parse(slice_of(bytes, 26), &m));
    bytes[0] = MESSAGE_PASSED + 1;
    assert_false(handle_message_parse(slice_of(bytes, 26), &m));
    bytes[0] = MESSAGE_ANSWER;
    bytes[1] = SUBSCRIPTION_AWAY;
    assert_false(handle_message_parse(slice_of(bytes, 26), &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_read),
        cmocka_unit_test(only_who_tells_or_was_told_has_a_form),
        cmocka_unit_test(each_prefix_and_each_bad_byte_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

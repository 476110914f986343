#include "front/handles.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static struct handles *handles;
static struct stay *const one = (struct stay *)&handles, *const other = (struct stay *)&one;

static struct token_hash key_of(const char *name)
{
    return handle_key(slice_str("/events"), NULL, NULL, slice_str(name));
}

static struct handle *find(const char *name, int64_t now_ms)
{
    struct token_hash key = key_of(name);

    return handles_find(handles, &key, now_ms);
}

static struct handle *open_as(const char *name, struct stay *stay, int64_t now_ms)
{
    struct token_hash key = key_of(name);

    return handles_open(handles, &key, stay, now_ms);
}

static void close_as(const char *name, const struct stay *stay, int64_t now_ms)
{
    struct token_hash key = key_of(name);

    handles_close(handles, &key, stay, now_ms);
}

static int setup(void **state)
{
    (void)state;
    handles = handles_new(3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    handles_free(handles);
    return 0;
}

static bool is_handle(const char *text, size_t n)
{
    char query[128], handle[HANDLE_MAX + 1];

    snprintf(query, sizeof query, "stream=%.*s", (int)n, text);
    return handle_in_query(slice_str(query), handle);
}

static void a_handle_has_32_to_64_of_these_characters(void **state)
{
    static const char text[] = "0123456789012345678901234567890123456789012345678901234567890123z";

    (void)state;
    for (size_t n = 0; n < sizeof text; n++)
        assert_int_equal(is_handle(text, n), n >= 32 && n <= 64);
    assert_true(is_handle("AZaz09-_AZaz09-_AZaz09-_AZaz09-_", 32));
    assert_false(is_handle("AZaz09-_AZaz09-_AZaz09-_AZaz09-.", 32));
    assert_false(is_handle("AZaz09-_AZaz09-_AZaz09-_AZaz09%20", 33));
}

static void it_stands_in_the_query_once(void **state)
{
    static const char one_there[] = "key=a&stream=AZaz09-_AZaz09-_AZaz09-_AZaz09-_&b";
    char handle[HANDLE_MAX + 1];

    (void)state;
    assert_true(handle_in_query(slice_str(one_there), handle));
    assert_string_equal(handle, "AZaz09-_AZaz09-_AZaz09-_AZaz09-_");
    assert_true(handle_in_query(slice_str("key=a&streams=b"), handle));
    assert_string_equal(handle, "");
    assert_false(handle_in_query(slice_str("stream="), handle));
    assert_false(handle_in_query(slice_str("stream=AZaz09-_AZaz09-_AZaz09-_AZaz09-_&stream="
                                           "AZaz09-_AZaz09-_AZaz09-_AZaz09-_"),
                                 handle));
}

static void another_path_or_identity_has_another_handle(void **state)
{
    struct slice h = slice_str("h"), path = slice_str("/a");
    const struct token_hash keys[] = {
        handle_key(path, NULL, NULL, h), handle_key(slice_str("/b"), NULL, NULL, h),
        handle_key(path, "i", "s", h),   handle_key(path, "j", "s", h),
        handle_key(path, "i", "t", h),   handle_key(path, "i", NULL, h),
        handle_key(path, "i", "", h),    handle_key(slice_str("/"), NULL, NULL, slice_str("ah")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[0]);
}

static void it_is_remembered_for_five_minutes(void **state)
{
    (void)state;
    assert_null(find("a", 0));
    handle_tell(open_as("a", one, 0), slice_str("key=1"), 5);
    close_as("a", one, 1000);
    struct handle *a = find("a", 1000 + HANDLE_REMEMBERED_MS - 1);
    assert_null(a->stay);
    assert_text(buf_slice(&a->form), "key=1");
    assert_null(find("a", 1000 + HANDLE_REMEMBERED_MS));
    assert_int_equal(handles_count(handles), 0);
}

static void an_open_one_is_not_over(void **state)
{
    (void)state;
    open_as("a", one, 0);
    assert_ptr_equal(find("a", 100 * HANDLE_REMEMBERED_MS)->stay, one);
}

static void the_end_of_one_that_gave_way_changes_nothing(void **state)
{
    (void)state;
    open_as("a", one, 0);
    open_as("a", other, 0);
    close_as("a", one, 0);
    assert_ptr_equal(find("a", 0)->stay, other);
    close_as("b", one, 0);
}

static void what_was_told_comes_back_with_it(void **state)
{
    (void)state;
    handle_tell(open_as("a", one, 0), slice_str("key=1"), 5);
    close_as("a", one, 0);
    struct handle *a = open_as("a", other, 10);
    assert_true(a->told);
    handle_untell(a, 10);
    assert_false(find("a", 10)->told);
}

static void of_what_it_is_told_the_newest_counts(void **state)
{
    (void)state;
    struct handle *a = open_as("a", one, 0);
    assert_true(handle_tell(a, slice_str("key=2"), 6));
    assert_false(handle_tell(a, slice_str("key=2"), 6));
    assert_false(handle_tell(a, slice_str("key=1"), 5));
    assert_text(buf_slice(&a->form), "key=2");
    handle_untell(a, 10);
    assert_false(handle_tell(a, slice_str("key=3"), 9));
    assert_false(a->told);
}

static void the_one_used_longest_ago_is_forgotten_first(void **state)
{
    (void)state;
    open_as("a", one, 0);
    open_as("b", one, 0);
    open_as("c", one, 0);
    find("a", 0);
    open_as("d", one, 0);
    assert_null(find("b", 0));
    assert_non_null(find("a", 0));
    assert_int_equal(handles_count(handles), 3);
    assert_int_equal(handles_forgotten(handles), 1);
}

static void another_responders_is_remembered_as_long(void **state)
{
    struct token_hash key = key_of("a");

    (void)state;
    assert_null(handles_remember(handles, &key, 0)->stay);
    assert_non_null(find("a", HANDLE_REMEMBERED_MS - 1));
    assert_true(find("a", 0)->passed);
    open_as("a", one, 0);
    assert_false(find("a", 0)->passed);
    assert_ptr_equal(handles_remember(handles, &key, 0)->stay, one);
    assert_false(find("a", 0)->passed);
    handles_forget(handles, &key);
    assert_null(find("a", 0));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_handle_has_32_to_64_of_these_characters),
        T(it_stands_in_the_query_once),
        T(another_path_or_identity_has_another_handle),
        T(it_is_remembered_for_five_minutes),
        T(an_open_one_is_not_over),
        T(the_end_of_one_that_gave_way_changes_nothing),
        T(what_was_told_comes_back_with_it),
        T(of_what_it_is_told_the_newest_counts),
        T(the_one_used_longest_ago_is_forgotten_first),
        T(another_responders_is_remembered_as_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

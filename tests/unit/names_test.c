#include "kafka/names.h"

#include <stdio.h>
#include <string.h>

#include "support.h"

static void check(const char *numbers, const char *expected)
{
    struct names names = names_new("events");

    for (const char *p = numbers; *p; p++)
        names_add(&names, *p - '0');
    assert_int_equal(names.first, *numbers ? *numbers - '0' : -1);
    assert_string_equal(names_end(&names), expected);
}

static void neighbours_are_a_range(void **state)
{
    (void)state;
    check("0", "events[0]");
    check("7", "events[7]");
    check("01", "events[0-1]");
    check("02", "events[0,2]");
    check("01237", "events[0-3,7]");
    check("135678", "events[1,3,5-8]");
    check("", "events[]");
}

static void of_many_the_first_are_named(void **state)
{
    char topic[300];
    struct names names = names_new("events"), all = names_new("events");

    (void)state;
    for (int32_t i = 0; i < 1000; i++) {
        names_add(&names, 2 * i);
        names_add(&all, i);
    }
    const char *text = names_end(&names);
    assert_true(strncmp(text, "events[0,2,4,", 13) == 0);
    int32_t named = 0;
    for (const char *p = text; *p && *p != ']'; p++)
        named += *p == '[' || *p == ',';
    char more[32];
    snprintf(more, sizeof more, "] and %d more", 1000 - named);
    assert_string_equal(strchr(text, ']'), more);
    assert_string_equal(names_end(&all), "events[0-999]");
    memset(topic, 'x', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    names = names_new(topic);
    names_add(&names, 5);
    assert_string_equal(strchr(names_end(&names), '['), "[5]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_a_range),
        cmocka_unit_test(of_many_the_first_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

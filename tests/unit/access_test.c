#include "base/access.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

static char said[ACCESS_SIZE];

static int setup(void **state)
{
    (void)state;
    return unsetenv("INVOCATION_ID");
}

static void check(const char *path, int err, const char *expected)
{
    access_say(said, sizeof said, path, err);
    assert_string_equal(said, expected);
}

static void other_reasons_are_the_systems(void **state)
{
    (void)state;
    check("/etc/x", ENOENT, "No such file or directory");
    check("/etc/x", EISDIR, "Is a directory");
}

static void who_must_be_able_to_read_it_is_named(void **state)
{
    char expected[ACCESS_SIZE];
    const struct passwd *user = getpwuid(geteuid());

    (void)state;
    if (user == NULL)
        skip();
    snprintf(expected, sizeof expected,
             "Permission denied: user %s must be able to read it, and to enter its directory",
             user->pw_name);
    check("/home/x", EACCES, expected); /* no unit hides it */
}

static void what_the_unit_hides_is_told_as_such(void **state)
{
    (void)state;
    setenv("INVOCATION_ID", "1", 1);
    check(
        "/var/lib/x", ENOENT,
        "No such file or directory, or the unit hides it: /var/lib/sse-kafka-fanout is not hidden");
    check("/home/x", EACCES,
          "Permission denied, or the unit hides it: /var/lib/sse-kafka-fanout is not hidden");
    check("/var/lib/sse-kafka-fanout/x", ENOENT, "No such file or directory");
    check("/etc/x", ENOENT, "No such file or directory");
    check("/home/x", EISDIR, "Is a directory");
}

static void it_is_cut_to_what_there_is(void **state)
{
    (void)state;
    access_say(said, 8, "/etc/x", ENOENT);
    assert_string_equal(said, "No such");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, setup)
    const struct CMUnitTest tests[] = {
        T(other_reasons_are_the_systems),
        T(who_must_be_able_to_read_it_is_named),
        T(what_the_unit_hides_is_told_as_such),
        T(it_is_cut_to_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char directory[] = "/tmp/rundir_test.XXXXXX";
static char other[64]; /* beside it; each test removes what it makes there */
static char error[256];

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(other, sizeof other, "%s.other", directory);
    error[0] = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(directory);
}

static void check_refused(const char *path, int err, const char *why)
{
    char expected[256];

    assert_int_equal(rundir_open(path, error, sizeof error), err);
    snprintf(expected, sizeof expected, "peer directory %s: %s", path, why);
    assert_string_equal(error, expected);
}

static const char must_be[] = "must be a directory of this user, mode 0700";

static void what_lies_in_it_is_reached_by_the_descriptor(void **state)
{
    struct stat st;
    char name[64];

    (void)state;
    int fd = rundir_open(directory, error, sizeof error);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    snprintf(name, sizeof name, "%s/file", directory);
    close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(fstatat(fd, "file", &st, 0), 0);
    unlink(name);
    close(fd);
    assert_string_equal(error, "");
}

static void slashes_at_the_end_make_no_difference(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s///", directory);
    int fd = rundir_open(path, error, sizeof error);
    assert_true(fd >= 0);
    close(fd);
}

static void it_must_be_there(void **state)
{
    (void)state;
    check_refused(other, -ENOENT, "No such file or directory");
    check_refused("", -ENOENT, "No such file or directory");
}

static void it_is_for_its_owner_alone(void **state)
{
    static const mode_t modes[] = {0710, 0720, 0740, 0701, 0702, 0704, 0755, 01777};

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        chmod(directory, modes[i]);
        check_refused(directory, -EACCES, must_be);
    }
    chmod(directory, 0700);
}

static void a_file_is_no_directory(void **state)
{
    (void)state;
    close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    check_refused(other, -EACCES, must_be);
    unlink(other);
}

static void a_link_is_not_followed(void **state)
{
    char with_slash[80];

    (void)state;
    snprintf(with_slash, sizeof with_slash, "%s/", other);
    assert_int_equal(symlink(directory, other), 0);
    check_refused(other, -EACCES, must_be);
    check_refused(with_slash, -EACCES, must_be);
    unlink(other);
}

static void no_descriptor_is_left_by_a_refusal(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    chmod(directory, 0755);
    check_refused(directory, -EACCES, must_be);
    check_refused(other, -ENOENT, "No such file or directory");
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_lies_in_it_is_reached_by_the_descriptor),
        T(slashes_at_the_end_make_no_difference),
        T(it_must_be_there),
        T(it_is_for_its_owner_alone),
        T(a_file_is_no_directory),
        T(a_link_is_not_followed),
        T(no_descriptor_is_left_by_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

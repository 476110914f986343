#include "guard/keywish.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "support.h"

static char directory[] = "/tmp/keywish_test.XXXXXX";
static char file[64], error[256];
static struct loop *loop;
static struct keywish *wish;

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/%s", directory, KEYWISH_FILE);
    loop = loop_new();
    wish = keywish_new(directory, error, sizeof error);
    return wish == NULL;
}

static int teardown(void **state)
{
    (void)state;
    keywish_free(wish);
    loop_free(loop);
    unlink(file);
    return rmdir(directory);
}

static bool is_there(void)
{
    return access(file, F_OK) == 0;
}

/* As long ago. */
static void age(int64_t ms)
{
    int64_t then = loop_wall_ms() - ms;
    const struct timespec times[2] = {{then / 1000, 0}, {then / 1000, 0}};

    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}

static int64_t age_ms(void)
{
    struct stat st;

    assert_int_equal(stat(file, &st), 0);
    return loop_wall_ms() - (int64_t)st.st_mtim.tv_sec * 1000;
}

static void a_wish_is_a_file(void **state)
{
    struct stat st;

    (void)state;
    assert_false(is_there());
    keywish_ask(wish);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
}

static void there_is_one_a_minute(void **state)
{
    (void)state;
    keywish_ask(wish);
    unlink(file);
    fake_loop_pass(59999);
    keywish_ask(wish);
    assert_false(is_there());
    fake_loop_pass(1);
    keywish_ask(wish);
    assert_true(is_there());
}

static void what_another_has_asked_for_is_not_asked_again(void **state)
{
    (void)state;
    close(open(file, O_WRONLY | O_CREAT, 0600));
    age(50000);
    keywish_ask(wish);
    assert_true(age_ms() > 40000);
}

static void an_old_wish_is_written_anew(void **state)
{
    (void)state;
    close(open(file, O_WRONLY | O_CREAT, 0600));
    age(70000);
    keywish_ask(wish);
    assert_true(age_ms() < 40000);
}

/* A clock that was set back does not end all wishes. */
static void one_of_the_future_is_written_anew(void **state)
{
    (void)state;
    close(open(file, O_WRONLY | O_CREAT, 0600));
    age(-3600000);
    keywish_ask(wish);
    assert_true(age_ms() >= 0);
}

static void a_link_is_not_followed(void **state)
{
    char elsewhere[80];

    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s-elsewhere", directory);
    assert_int_equal(symlink(elsewhere, file), 0);
    const struct timespec old[2] = {{1, 0}, {1, 0}};
    utimensat(AT_FDCWD, file, old, AT_SYMLINK_NOFOLLOW);
    keywish_ask(wish);
    assert_int_not_equal(access(elsewhere, F_OK), 0);
}

static void a_directory_of_everybody_is_refused(void **state)
{
    (void)state;
    assert_null(keywish_new("/tmp", error, sizeof error));
    assert_non_null(strstr(error, "mode 0700"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_wish_is_a_file),
        T(there_is_one_a_minute),
        T(what_another_has_asked_for_is_not_asked_again),
        T(an_old_wish_is_written_anew),
        T(one_of_the_future_is_written_anew),
        T(a_link_is_not_followed),
        T(a_directory_of_everybody_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

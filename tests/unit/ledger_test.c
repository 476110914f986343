#include "front/ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

static char directory[] = "/tmp/ledger_test.XXXXXX";
static char error[256];
static struct metrics all[LEDGER_MAX], like;
static size_t read_count;

/* Several responders in one process. */
static pid_t pid;
pid_t __wrap_getpid(void);
pid_t __wrap_getpid(void)
{
    return pid;
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    error[0] = 0;
    metrics_init(&like, 2, 1);
    return mkdtemp(directory) == NULL;
}

static void give_back(void)
{
    while (read_count > 0)
        metrics_fini(&all[--read_count]);
}

/* Fails if something is left in it. */
static int teardown(void **state)
{
    (void)state;
    give_back();
    metrics_fini(&like);
    return rmdir(directory);
}

static struct ledger *join(pid_t as)
{
    pid = as;
    struct ledger *l = ledger_new(directory, &like, error, sizeof error);
    assert_non_null(l);
    return l;
}

static void write_streams(struct ledger *l, pid_t as, int64_t streams)
{
    like.pid = as;
    like.topics[1].values[TOPIC_METRIC_STREAMS] = streams;
    like.routes[0].streams = streams;
    ledger_write(l, &like);
}

static size_t read_living(const struct ledger *l)
{
    give_back();
    return read_count = ledger_read(l, all);
}

static struct ledger *join_with(pid_t as, int64_t streams)
{
    struct ledger *l = join(as);

    write_streams(l, as, streams);
    return l;
}

/* What the one of that pid has written; -1: it is not there. */
static int64_t streams_of(size_t n, pid_t as)
{
    int64_t streams = -1;

    for (size_t i = 0; i < n; i++)
        if (all[i].pid == as) {
            assert_int_equal(streams, -1);
            streams = all[i].topics[1].values[TOPIC_METRIC_STREAMS];
            assert_int_equal(all[i].routes[0].streams, streams);
        }
    return streams;
}

static const char *in_directory(const char *name)
{
    static char path[320];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* The name of the first file that begins so; NULL: there is none. */
static const char *file_of(const char *beginning)
{
    static char name[NAME_MAX + 1];
    DIR *dir = opendir(directory);
    struct dirent *entry;
    bool found = false;

    while (!found && (entry = readdir(dir)) != NULL) {
        found = strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
        snprintf(name, sizeof name, "%s", entry->d_name);
    }
    closedir(dir);
    return found ? name : NULL;
}

static bool is_there(const char *beginning)
{
    return file_of(beginning) != NULL;
}

/* -- */

static void one_reads_what_it_has_written_last(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10);
    write_streams(l, 1, 11);
    assert_int_equal(read_living(l), 1);
    assert_int_equal(streams_of(1, 1), 11);
    ledger_free(l);
}

static void each_reads_what_all_have_written(void **state)
{
    struct ledger *l[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        l[i] = join_with(i + 1, 10 * (i + 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_living(l[i]), 3);
        for (int k = 0; k < 3; k++)
            assert_int_equal(streams_of(3, k + 1), 10 * (k + 1));
    }
    for (int i = 0; i < 3; i++)
        ledger_free(l[i]);
}

static void one_that_has_not_written_yet_is_left_out(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10), *quiet = join(2);
    assert_int_equal(read_living(l), 1);
    assert_int_equal(streams_of(1, 1), 10);
    ledger_free(l);
    ledger_free(quiet);
}

static void one_that_has_left_is_gone(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10), *leaves = join_with(2, 20);
    assert_true(is_there("metrics-2-"));
    ledger_free(leaves);
    assert_false(is_there("metrics-2-"));
    assert_int_equal(read_living(l), 1);
    ledger_free(l);
}

/* Without having left. */
static void let_one_die(pid_t as)
{
    pid_t child = fork();

    if (child == 0) {
        join_with(as, 99);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void one_that_has_died_is_left_out(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10);
    let_one_die(2);
    assert_true(is_there("metrics-2-"));
    assert_int_equal(read_living(l), 1);
    assert_int_equal(streams_of(1, 1), 10);
    ledger_free(l);
    unlink(in_directory(file_of("metrics-2-")));
}

static void the_next_one_removes_the_files_of_the_dead_only(void **state)
{
    (void)state;
    let_one_die(2);
    let_one_die(3);
    struct ledger *lives = join_with(1, 10), *l = join_with(4, 40);
    assert_false(is_there("metrics-2-") || is_there("metrics-3"));
    assert_int_equal(read_living(l), 2);
    assert_int_equal(streams_of(2, 1), 10);
    ledger_free(lives);
    ledger_free(l);
}

static void one_with_the_number_of_a_dead_one_starts_with_nothing(void **state)
{
    (void)state;
    let_one_die(1);
    struct ledger *l = join(1);
    assert_int_equal(read_living(l), 0);
    write_streams(l, 1, 10);
    assert_int_equal(read_living(l), 1);
    assert_int_equal(streams_of(1, 1), 10);
    ledger_free(l);
}

/* A file like that of the one whose number is 1, locked by somebody; `cut` bytes are missing, and
 * its first byte is another one if `other_version`. */
static int copy_file(const char *name, off_t cut, bool other_version)
{
    uint8_t bytes[32768];
    int from = open(in_directory(file_of("metrics-1-")), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(from, bytes, sizeof bytes);
    int to = open(in_directory(name), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    close(from);
    assert_true(n > cut && n < (ssize_t)sizeof bytes && to >= 0);
    bytes[0] = (uint8_t)(bytes[0] + other_version);
    assert_int_equal(write(to, bytes, (size_t)(n - cut)), n - cut);
    assert_int_equal(flock(to, LOCK_EX | LOCK_NB), 0);
    return to;
}

static void of_another_version_nothing_is_read_and_its_file_stays(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10);
    int same = copy_file("metrics-2", 0, false), other = copy_file("metrics-3", 0, true),
        shorter = copy_file("metrics-4", 1, false);
    assert_int_equal(read_living(l), 2);
    struct ledger *next = join_with(5, 50);
    assert_int_equal(read_living(next), 3);
    assert_true(is_there("metrics-3") && is_there("metrics-4"));
    ledger_free(next);
    ledger_free(l);
    close(same);
    close(other);
    close(shorter);
    for (char name[] = "metrics-2"; name[8] <= '4'; name[8]++)
        unlink(in_directory(name));
}

/* Responders of one pool may serve different topics. */
static void each_has_its_own_topics_and_routes(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10);
    metrics_fini(&like);
    metrics_init(&like, 5, 3);
    struct ledger *more = join_with(2, 20);
    strcpy(like.topics[4].name, "last");
    like.topics[4].lag[METRICS_LAGS] = 77;
    like.routes[2].streams = 78;
    ledger_write(more, &like);
    assert_int_equal(read_living(l), 2);
    assert_int_equal(streams_of(2, 1), 10);
    const struct metrics *m = all[0].pid == 2 ? &all[0] : &all[1];
    assert_true(m->topic_count == 5 && m->route_count == 3);
    assert_string_equal(m->topics[4].name, "last");
    assert_int_equal(m->topics[4].lag[METRICS_LAGS], 77);
    assert_int_equal(m->routes[2].streams, 78);
    ledger_free(l);
    ledger_free(more);
}

static void what_counts_more_issuers_than_there_can_be_is_not_read(void **state)
{
    static const int32_t counts[] = {-1, 0, GUARD_ISSUERS_MAX, GUARD_ISSUERS_MAX + 1};

    (void)state;
    struct ledger *l = join_with(1, 10);
    for (size_t i = 0; i < 4; i++) {
        like.issuer_count = counts[i];
        ledger_write(l, &like);
        assert_int_equal(read_living(l), i == 1 || i == 2);
    }
    ledger_free(l);
}

static void other_files_are_left_alone(void **state)
{
    static const char *const names[] = {"peer-1", "metrics", "xmetrics-1", ".metrics-1x"};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        close(open(in_directory(names[i]), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(symlink(names[0], in_directory("metrics-link")), 0);
    assert_int_equal(mkdir(in_directory("metrics-directory"), 0700), 0);
    struct ledger *l = join_with(1, 10);
    assert_int_equal(read_living(l), 1);
    ledger_free(l);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(unlink(in_directory(names[i])), 0);
    assert_int_equal(unlink(in_directory("metrics-link")), 0);
    assert_int_equal(rmdir(in_directory("metrics-directory")), 0);
}

static void a_pipe_holds_nobody_up(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(in_directory("metrics-pipe"), 0600), 0);
    struct ledger *l = join_with(1, 10);
    assert_int_equal(read_living(l), 1);
    ledger_free(l);
    unlink(in_directory("metrics-pipe"));
}

/* One that died before its file had its name. */
static void what_half_a_start_has_left_is_nothing_and_goes(void **state)
{
    struct timespec old[2] = {{.tv_sec = time(NULL) - 61}, {.tv_sec = time(NULL) - 61}};

    (void)state;
    struct ledger *l = join_with(1, 10);
    close(copy_file(".metrics-2", 0, false));
    struct ledger *next = join(2); /* it may be starting just now */
    assert_true(is_there(".metrics-2"));
    assert_int_equal(read_living(l), 1);
    ledger_free(next);
    utimensat(AT_FDCWD, in_directory(".metrics-2"), old, 0);
    next = join(2);
    assert_false(is_there(".metrics-2"));
    ledger_free(next);
    ledger_free(l);
}

/* As in two containers that share the directory. */
static void two_of_one_number_are_two(void **state)
{
    (void)state;
    struct ledger *l = join_with(1, 10), *twin = join_with(1, 10);
    assert_int_equal(read_living(l), 2);
    ledger_free(twin);
    assert_int_equal(read_living(l), 1);
    ledger_free(l);
}

/* In a process of its own: 0 if it is told that a full file system has no room, instead of dying
 * by a signal when it writes. */
static int join_where_no_room_is(void)
{
    char bytes[4096] = "";

    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, "tmpfs", 0, "size=16k,mode=0700") != 0)
        return 77;
    int fd = open(in_directory("filler"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    struct ledger *l = ledger_new(directory, &like, error, sizeof error);
    if (l != NULL)
        write_streams(l, 1, 1);
    return l == NULL && strstr(error, "No space left") != NULL && !is_there(".metrics") ? 0 : 1;
}

static void a_full_file_system_is_told_at_the_start(void **state)
{
    int status;

    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(join_where_no_room_is());
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* only root may mount */
    assert_int_equal(status, 0);
}

static void no_more_are_read_than_there_is_room_for(void **state)
{
    enum { MANY = LEDGER_MAX + 3 };
    static struct ledger *l[MANY];
    static struct metrics guarded[LEDGER_MAX + 1];

    (void)state;
    for (int i = 0; i < MANY; i++)
        l[i] = join_with(i + 1, 1);
    guarded[LEDGER_MAX].pid = -1;
    assert_int_equal(ledger_read(l[0], guarded), LEDGER_MAX);
    assert_int_equal(guarded[LEDGER_MAX].pid, -1);
    for (int i = 0; i < LEDGER_MAX; i++)
        metrics_fini(&guarded[i]);
    for (int i = 0; i < MANY; i++)
        ledger_free(l[i]);
}

static void a_directory_that_is_not_ours_alone_is_refused(void **state)
{
    (void)state;
    chmod(directory, 0755);
    assert_null(ledger_new(directory, &like, error, sizeof error));
    assert_non_null(strstr(error, "mode 0700"));
    chmod(directory, 0700);
}

static int count_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void no_descriptor_is_left(void **state)
{
    (void)state;
    int before = count_descriptors();
    let_one_die(2);
    struct ledger *l = join_with(1, 10);
    int open_ones = count_descriptors();
    read_living(l);
    assert_int_equal(count_descriptors(), open_ones);
    ledger_free(l);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_reads_what_it_has_written_last),
        T(each_reads_what_all_have_written),
        T(one_that_has_not_written_yet_is_left_out),
        T(one_that_has_left_is_gone),
        T(one_that_has_died_is_left_out),
        T(the_next_one_removes_the_files_of_the_dead_only),
        T(one_with_the_number_of_a_dead_one_starts_with_nothing),
        T(of_another_version_nothing_is_read_and_its_file_stays),
        T(each_has_its_own_topics_and_routes),
        T(what_counts_more_issuers_than_there_can_be_is_not_read),
        T(other_files_are_left_alone),
        T(a_pipe_holds_nobody_up),
        T(what_half_a_start_has_left_is_nothing_and_goes),
        T(two_of_one_number_are_two),
        T(a_full_file_system_is_told_at_the_start),
        T(no_more_are_read_than_there_is_room_for),
        T(a_directory_that_is_not_ours_alone_is_refused),
        T(no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support.h"

static char directory[] = "/tmp/listener_test.XXXXXX";
static char path[64];
static char error[256];

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    error[0] = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static int open_at(const char *where)
{
    return listener_open(where, error, sizeof error);
}

static bool can_connect(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(at.sun_path, path);
    bool ok = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return ok;
}

static bool is_listening(int fd)
{
    int yes = 0;
    socklen_t size = sizeof yes;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes;
}

static void a_path_is_listened_at(void **state)
{
    (void)state;
    int fd = open_at(path);
    assert_true(fd >= 0);
    assert_true(can_connect());
    close(fd);
}

static void a_dead_socket_is_replaced(void **state)
{
    (void)state;
    close(open_at(path));
    int fd = open_at(path);
    assert_true(fd >= 0);
    assert_true(can_connect());
    close(fd);
}

static void a_living_socket_is_left_alone(void **state)
{
    (void)state;
    int fd = open_at(path);
    assert_true(open_at(path) < 0);
    assert_non_null(strstr(error, "somebody listens there already"));
    assert_true(can_connect());
    close(fd);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct stat st;

    (void)state;
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(open_at(path), -EADDRINUSE);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_non_null(strstr(error, "remove what is there"));
}

static void a_path_whose_directory_is_missing_is_told(void **state)
{
    char missing[96];
    char expected[256];

    (void)state;
    snprintf(missing, sizeof missing, "%s/missing/socket", directory);
    assert_int_equal(open_at(missing), -ENOENT);
    snprintf(expected, sizeof expected,
             "listen %s: cannot bind, make its directory first: No such file or directory",
             missing);
    assert_string_equal(error, expected);
}

static void a_path_may_have_107_characters_and_no_more(void **state)
{
    char longest[110];

    (void)state;
    memset(longest, 'x', sizeof longest);
    memcpy(longest, directory, strlen(directory));
    longest[strlen(directory)] = '/';
    longest[107] = 0;
    int fd = open_at(longest);
    assert_true(fd >= 0);
    close(fd);
    unlink(longest);
    longest[107] = 'x';
    longest[108] = 0;
    assert_true(open_at(longest) < 0);
    assert_non_null(strstr(error, "too long"));
}

static void loopback_addresses_are_listened_at(void **state)
{
    static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0", "localhost:0", "127.1.2.3:0"};

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        int fd = open_at(addresses[i]);
        assert_true(fd >= 0);
        assert_true(is_listening(fd));
        close(fd);
    }
}

static void other_addresses_are_refused(void **state)
{
    static const char *const addresses[] = {"0.0.0.0:0", "[::]:0", "192.0.2.1:0",
                                            "[2001:db8::1]:0"};

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        assert_true(open_at(addresses[i]) < 0);
        assert_non_null(strstr(error, "only loopback"));
    }
}

static void a_port_in_use_is_told(void **state)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    char where[32];

    (void)state;
    int fd = open_at("127.0.0.1:0");
    getsockname(fd, (struct sockaddr *)&at, &size);
    snprintf(where, sizeof where, "127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(open_at(where), -EADDRINUSE);
    assert_non_null(strstr(error, "Address already in use"));
    close(fd);
}

static void what_is_neither_path_nor_address_is_refused(void **state)
{
    static const char *const bad[] = {":9000", "127.0.0.1:x", "[]:9000", "256.1.1.1:9000", ":"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = open_at(bad[i]);
        assert_true(fd < 0);
        assert_non_null(strstr(error, bad[i]));
    }
}

static void a_port_that_cannot_be_is_refused(void **state)
{
    static const char *const bad[] = {"127.0.0.1:99999", "127.0.0.1:65536", "127.0.0.1:-1",
                                      "127.0.0.1:"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = open_at(bad[i]);
        if (fd >= 0)
            print_error("%s is listened at\n", bad[i]);
        assert_true(fd < 0);
    }
}

static void the_descriptor_blocks_nobody_and_is_not_inherited(void **state)
{
    (void)state;
    int fds[] = {open_at(path), open_at("127.0.0.1:0")};
    for (size_t i = 0; i < 2; i++) {
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        close(fds[i]);
    }
}

/* With that as descriptor 0. */
static int inherited(int fd)
{
    int real = dup(0);

    dup2(fd, 0);
    int result = listener_inherited();
    dup2(real, 0);
    close(real);
    close(fd);
    return result;
}

static void descriptor_0_is_taken_if_it_listens(void **state)
{
    (void)state;
    assert_int_equal(inherited(open_at(path)), 0);
}

static void descriptor_0_is_not_taken_if_it_does_not_listen(void **state)
{
    (void)state;
    assert_int_equal(inherited(open("/dev/null", O_RDONLY)), -ENOTSOCK);
    assert_int_equal(inherited(socket(AF_UNIX, SOCK_STREAM, 0)), -ENOTSOCK);
}

static void a_path_goes_with_its_socket(void **state)
{
    struct stat st;

    (void)state;
    int fd = open_at(path);
    listener_close(fd, path);
    assert_int_equal(lstat(path, &st), -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* Whoever handed it down goes on to use it. */
static void the_path_of_an_inherited_socket_stays(void **state)
{
    (void)state;
    int fd = open_at(path), held = dup(fd);
    listener_close(fd, NULL);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(can_connect());
    close(held);
}

static void closing_a_port_lets_the_next_one_have_it(void **state)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    char where[32];

    (void)state;
    int fd = open_at("127.0.0.1:0");
    getsockname(fd, (struct sockaddr *)&at, &size);
    snprintf(where, sizeof where, "127.0.0.1:%d", ntohs(at.sin_port));
    listener_close(fd, where);
    fd = open_at(where);
    assert_true(fd >= 0);
    listener_close(fd, where);
}

/* Who listens at a path of that name in the directory. */
static const char *name_at(const char *last)
{
    static char name[LISTENER_NAME];

    snprintf(path, sizeof path, "%s/%s", directory, last);
    int fd = open_at(path);
    assert_true(fd >= 0);
    listener_name(fd, name);
    listener_close(fd, path);
    return name;
}

static void a_name_is_the_end_of_the_path(void **state)
{
    (void)state;
    assert_string_equal(name_at("open-1.sock"), "open-1");
    assert_string_equal(name_at("open-1.sock-0"), "open-1-0"); /* lighttpd's, with bin-path */
    assert_string_equal(name_at("open.socket-12"), "open-12");
    assert_string_equal(name_at("@.b:c"), "@.b:c");
    assert_string_equal(name_at(".sock"), ".sock");
    assert_string_equal(name_at("a\"\\ \xc3\xbc"), "a_____");
}

static void a_relative_path_has_one_too(void **state)
{
    char name[LISTENER_NAME];

    (void)state;
    assert_int_equal(chdir(directory), 0);
    int fd = open_at("./x.sock");
    assert_true(fd >= 0);
    listener_name(fd, name);
    listener_close(fd, "./x.sock");
    assert_string_equal(name, "x");
    assert_int_equal(chdir("/"), 0);
}

static void a_name_of_a_port_is_its_address(void **state)
{
    char name[LISTENER_NAME];

    (void)state;
    int fd = open_at("127.0.0.1:0");
    assert_true(fd >= 0);
    listener_name(fd, name);
    assert_memory_equal(name, "127.0.0.1:", strlen("127.0.0.1:"));
    assert_true(atoi(name + strlen("127.0.0.1:")) > 0);
    close(fd);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_path_is_listened_at),
        T(a_dead_socket_is_replaced),
        T(a_living_socket_is_left_alone),
        T(a_file_that_is_no_socket_is_left_alone),
        T(a_path_whose_directory_is_missing_is_told),
        T(a_path_may_have_107_characters_and_no_more),
        T(loopback_addresses_are_listened_at),
        T(other_addresses_are_refused),
        T(a_port_in_use_is_told),
        T(what_is_neither_path_nor_address_is_refused),
        T(a_port_that_cannot_be_is_refused),
        T(the_descriptor_blocks_nobody_and_is_not_inherited),
        T(descriptor_0_is_taken_if_it_listens),
        T(descriptor_0_is_not_taken_if_it_does_not_listen),
        T(a_path_goes_with_its_socket),
        T(the_path_of_an_inherited_socket_stays),
        T(closing_a_port_lets_the_next_one_have_it),
        T(a_name_is_the_end_of_the_path),
        T(a_relative_path_has_one_too),
        T(a_name_of_a_port_is_its_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

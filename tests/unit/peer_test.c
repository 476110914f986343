#include "guard/peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "support.h"

enum { SCAN_MS = 1000, HASH = 16, OUTBOX_BYTES = 4 << 20, NOBODY = 65534 };

static char directory[] = "/tmp/peer_test.XXXXXX";
static struct loop *loop;
static char error[256];

/* -- between bind() and listen() -- */

static void (*before_listen)(void);

int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog)
{
    void (*hook)(void) = before_listen;

    before_listen = NULL;
    if (hook != NULL)
        hook();
    return __real_listen(fd, backlog);
}

/* -- the responders of a pool, all in this process -- */

struct node {
    struct peers *peers;
    int heard, room;   /* room -1: always */
    struct buf tokens; /* heard, each behind a `|` */
    bool had_selector;
    struct token_hash selector;
};
enum { A, B, C, NODES };
static struct node nodes[NODES];

static void on_message(void *arg, const struct peer_message *r)
{
    struct node *n = arg;

    n->heard++;
    buf_add_byte(&n->tokens, '|');
    buf_add_slice(&n->tokens, r->text);
    n->had_selector = r->hash != NULL;
    if (r->hash != NULL)
        n->selector = *r->hash;
    if (n->room > 0)
        n->room--;
}

static bool has_room(void *arg)
{
    return ((struct node *)arg)->room != 0;
}

static bool join(int which, const char *path, const char *agreement)
{
    struct node *n = &nodes[which];
    const struct peers_handler handler = {n, on_message, has_room};

    error[0] = 0;
    n->peers = peers_new(loop, path, slice_str(agreement), &handler, error, sizeof error);
    assert_int_equal(n->peers == NULL, error[0] != 0);
    fake_loop_settle();
    return n->peers != NULL;
}

static void leave(int which)
{
    peers_free(nodes[which].peers);
    nodes[which].peers = NULL;
}

static void join_all(void)
{
    for (int i = 0; i < NODES; i++)
        assert_true(join(i, directory, "x"));
    fake_loop_pass(SCAN_MS);
}

static int tell_bytes(int which, struct slice token, const struct token_hash *selector)
{
    const struct peer_message r = {token, selector};

    return peers_tell(nodes[which].peers, &r);
}

static int tell(int which, const char *token)
{
    int result = tell_bytes(which, slice_str(token), NULL);

    fake_loop_settle();
    return result;
}

static void check_heard(int which, const char *tokens)
{
    assert_text(buf_slice(&nodes[which].tokens), tokens);
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    for (int i = 0; i < NODES; i++)
        nodes[i] = (struct node){.room = -1};
    before_listen = NULL;
    loop = loop_new();
    return mkdtemp(directory) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++) {
        leave(i);
        buf_fini(&nodes[i].tokens);
    }
    loop_free(loop);
    return rmdir(directory); /* all have taken their names with them */
}

/* -- others in the directory -- */

/* The names in it; `last` gets one of them. */
static int names(char last[256])
{
    DIR *d = opendir(directory);
    struct dirent *e;
    int n = 0;

    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        if (last != NULL)
            snprintf(last, 256, "%s", e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

/* `name`, behind the hash of the first peer's agreement. */
static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char first[256];

    assert_true(names(first) > 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%.60s/%.*s-%.20s", directory, HASH, first, name);
    return at;
}

static int raw_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int raw_listen(const char *name, int backlog)
{
    struct sockaddr_un at = address(name);
    int fd = raw_socket();

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (backlog >= 0)
        assert_int_equal(__real_listen(fd, backlog), 0);
    return fd;
}

static void raw_unlink(const char *name)
{
    struct sockaddr_un at = address(name);

    unlink(at.sun_path);
}

static bool exists(const char *name)
{
    struct sockaddr_un at = address(name);

    return access(at.sun_path, F_OK) == 0;
}

/* Connected to the only peer, which has not looked yet. */
static int raw_connect_unseen(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[256];
    int fd = raw_socket();

    assert_int_equal(names(name), 1);
    snprintf(at.sun_path, sizeof at.sun_path, "%.60s/%.40s", directory, name);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static int raw_connect(void)
{
    int fd = raw_connect_unseen();

    fake_loop_settle();
    return fd;
}

static int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* -- telling -- */

static void a_pool_of_one_has_nobody_to_tell(void **state)
{
    (void)state;
    assert_true(join(A, directory, "x"));
    assert_int_equal(tell(A, "t"), 0);
    assert_int_equal(nodes[A].heard, 0);
}

static void every_peer_is_told_and_nobody_else(void **state)
{
    (void)state;
    join_all();
    for (int i = 0; i < NODES; i++)
        assert_int_equal(tell(i, i == A ? "a" : i == B ? "b" : "c"), 0);
    check_heard(A, "|b|c");
    check_heard(B, "|a|c");
    check_heard(C, "|a|b");
}

static void a_selector_goes_with_it_or_none(void **state)
{
    struct token_hash selector;

    (void)state;
    join_all();
    for (size_t i = 0; i < sizeof selector.bytes; i++)
        selector.bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(tell_bytes(A, slice_str("t"), &selector), 0);
    fake_loop_settle();
    assert_true(nodes[B].had_selector && nodes[C].had_selector);
    assert_memory_equal(&nodes[B].selector, &selector, sizeof selector);
    tell(A, "u");
    assert_false(nodes[B].had_selector || nodes[C].had_selector);
    check_heard(B, "|t|u");
}

static void a_selector_of_zeros_is_one(void **state)
{
    const struct token_hash zeros = {{0}};

    (void)state;
    join_all();
    tell_bytes(A, slice_str("t"), &zeros);
    fake_loop_settle();
    assert_true(nodes[B].had_selector);
    assert_memory_equal(&nodes[B].selector, &zeros, sizeof zeros);
}

static void a_token_of_any_size_arrives_whole(void **state)
{
    static const size_t sizes[] = {1, 2, 100, 4096, TOKEN_MAX - 1, TOKEN_MAX};
    struct buf token = {0};

    (void)state;
    join_all();
    for (int i = 0; i < TOKEN_MAX; i++)
        buf_add_byte(&token, (uint8_t)i);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        nodes[B].tokens.n = 0;
        assert_int_equal(tell_bytes(A, slice_of(token.p, sizes[i]), NULL), 0);
        fake_loop_settle();
        assert_bytes(slice_of(nodes[B].tokens.p + 1, nodes[B].tokens.n - 1),
                     slice_of(token.p, sizes[i]));
    }
    buf_fini(&token);
}

static void renewals_arrive_once_and_in_order(void **state)
{
    struct buf expected = {0};

    (void)state;
    join_all();
    for (int i = 0; i < 500; i++) {
        char token[16];
        snprintf(token, sizeof token, "%d", i);
        buf_printf(&expected, "|%d", i);
        assert_int_equal(tell_bytes(A, slice_str(token), NULL), 0);
    }
    fake_loop_settle();
    assert_bytes(buf_slice(&nodes[B].tokens), buf_slice(&expected));
    assert_bytes(buf_slice(&nodes[C].tokens), buf_slice(&expected));
    buf_fini(&expected);
}

static void one_that_came_just_now_is_told(void **state)
{
    (void)state;
    assert_true(join(A, directory, "x"));
    assert_true(join(B, directory, "x"));
    assert_int_equal(tell(A, "a"), 0);
    assert_int_equal(tell(B, "b"), 0);
    check_heard(A, "|b");
    check_heard(B, "|a");
}

/* Before the version counted, a name was behind the hash of the agreement alone. */
static void another_version_of_the_messages_is_another_pool(void **state)
{
    struct token_hash alone = token_hash(slice_str("x"));
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[256], old[HASH + 1];
    int fd = raw_socket();

    (void)state;
    assert_true(join(A, directory, "x"));
    assert_int_equal(names(name), 1);
    for (size_t i = 0; i < HASH / 2; i++)
        snprintf(old + 2 * i, 3, "%02x", alone.bytes[i]);
    assert_memory_not_equal(name, old, HASH);
    snprintf(at.sun_path, sizeof at.sun_path, "%.60s/%s-1-0", directory, old);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(__real_listen(fd, 1), 0);
    assert_int_equal(tell(A, "t"), 0);
    assert_true(accept(fd, NULL, NULL) < 0);
    close(fd);
    unlink(at.sun_path);
}

static void only_equals_talk(void **state)
{
    (void)state;
    assert_true(join(A, directory, "issuer\naudience\ntopic"));
    assert_true(join(B, directory, "issuer\naudience\nother"));
    assert_true(join(C, directory, "issuer\naudience\ntopic"));
    fake_loop_pass(SCAN_MS);
    assert_int_equal(tell(A, "a"), 0);
    assert_int_equal(tell(B, "b"), 0);
    assert_int_equal(nodes[A].heard, 0);
    assert_int_equal(nodes[B].heard, 0);
    check_heard(C, "|a");
}

/* -- coming and going -- */

static void one_that_left_is_not_told_and_not_missed(void **state)
{
    (void)state;
    join_all();
    leave(B);
    assert_int_equal(tell(A, "a"), 0);
    check_heard(C, "|a");
    fake_loop_pass(5 * SCAN_MS);
    assert_int_equal(tell(C, "c"), 0);
    check_heard(A, "|c");
}

static void one_that_comes_back_is_told_again(void **state)
{
    (void)state;
    join_all();
    for (int i = 0; i < 5; i++) {
        leave(B);
        if (i % 2)
            fake_loop_pass(SCAN_MS);
        assert_true(join(B, directory, "x"));
        nodes[B].tokens.n = 0;
        assert_int_equal(tell(A, "a"), 0);
        check_heard(B, "|a");
    }
}

static void what_was_told_is_not_lost_with_the_one_who_told_it(void **state)
{
    (void)state;
    join_all();
    for (int i = 0; i < 10; i++)
        assert_int_equal(tell_bytes(A, slice_str("a"), NULL), 0);
    leave(A);
    fake_loop_settle();
    check_heard(B, "|a|a|a|a|a|a|a|a|a|a");
}

static void a_name_is_in_the_directory_as_long_as_its_peer(void **state)
{
    (void)state;
    join_all();
    assert_int_equal(names(NULL), 3);
    leave(B);
    assert_int_equal(names(NULL), 2);
    leave(A);
    leave(C);
    assert_int_equal(names(NULL), 0);
}

static void no_descriptor_is_left(void **state)
{
    int before = open_descriptors();

    (void)state;
    for (int i = 0; i < 20; i++) {
        join_all();
        tell(A, "a");
        for (int j = 0; j < NODES; j++)
            leave((i + j) % NODES);
    }
    assert_int_equal(open_descriptors(), before);
}

static void a_pool_that_stays_opens_no_more_descriptors(void **state)
{
    (void)state;
    join_all();
    fake_loop_pass(SCAN_MS);
    int before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        tell(A, "a");
        fake_loop_pass(SCAN_MS);
    }
    assert_int_equal(open_descriptors(), before);
}

/* -- names -- */

static void a_name_on_which_nobody_answers_is_unlinked(void **state)
{
    (void)state;
    assert_true(join(A, directory, "x"));
    close(raw_listen("1-dead", 8));
    assert_true(exists("1-dead"));
    fake_loop_pass(SCAN_MS);
    assert_false(exists("1-dead"));
    assert_int_equal(tell(A, "a"), 0);
}

static void a_name_on_which_somebody_answers_is_left(void **state)
{
    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_listen("1-alive", 8);
    fake_loop_pass(5 * SCAN_MS);
    assert_true(exists("1-alive"));
    close(fd);
    raw_unlink("1-alive");
}

static void names_of_others_are_left(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s/0123456789abcdef-1-2", directory);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_true(join(A, directory, "x"));
    fake_loop_pass(5 * SCAN_MS);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

/* Its name is in the directory, but it is not listening yet. */
static void look_around(void)
{
    tell_bytes(A, slice_str("early"), NULL);
}

static void one_that_is_about_to_listen_is_not_taken_for_dead(void **state)
{
    (void)state;
    assert_true(join(A, directory, "x"));
    before_listen = look_around;
    assert_true(join(B, directory, "x"));
    fake_loop_pass(SCAN_MS);
    assert_int_equal(names(NULL), 2);
    assert_int_equal(tell(A, "a"), 0);
    assert_int_equal(nodes[B].heard, 1);
}

/* -- a receiver that has no room -- */

static void what_comes_while_there_is_no_room_waits(void **state)
{
    (void)state;
    join_all();
    nodes[B].room = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(tell(A, "a"), 0);
    fake_loop_pass(100);
    check_heard(B, "");
    check_heard(C, "|a|a|a");
    nodes[B].room = -1;
    fake_loop_pass(100);
    check_heard(B, "|a|a|a");
    tell(A, "b");
    check_heard(B, "|a|a|a|b");
}

static void room_is_asked_for_before_each(void **state)
{
    (void)state;
    join_all();
    for (int i = 0; i < 10; i++)
        tell_bytes(A, slice_str("a"), NULL);
    nodes[B].room = 4;
    fake_loop_settle();
    assert_int_equal(nodes[B].heard, 4);
    nodes[B].room = 3;
    fake_loop_pass(100);
    assert_int_equal(nodes[B].heard, 7);
    nodes[B].room = -1;
    fake_loop_pass(100);
    assert_int_equal(nodes[B].heard, 10);
}

static void two_senders_wait_alike(void **state)
{
    (void)state;
    join_all();
    nodes[B].room = 0;
    tell(A, "a");
    tell(C, "c");
    fake_loop_pass(100);
    assert_int_equal(nodes[B].heard, 0);
    nodes[B].room = -1;
    fake_loop_pass(100);
    assert_int_equal(nodes[B].heard, 2);
}

static void what_waits_is_not_lost_with_its_sender(void **state)
{
    (void)state;
    join_all();
    nodes[B].room = 0;
    tell(A, "a");
    leave(A);
    fake_loop_pass(100);
    nodes[B].room = -1;
    fake_loop_pass(100);
    check_heard(B, "|a");
}

static void without_room_nothing_is_busy(void **state)
{
    (void)state;
    join_all();
    nodes[B].room = 0;
    tell(A, "a"); /* fake_loop_settle() fails if the loop never comes to rest */
    leave(C);
    fake_loop_pass(1000);
}

/* -- taking what has come by now -- */

static void what_has_come_can_be_taken_without_a_turn(void **state)
{
    (void)state;
    join_all();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(tell_bytes(A, slice_str("a"), NULL), 0);
        assert_int_equal(tell_bytes(C, slice_str("c"), NULL), 0);
    }
    assert_int_equal(nodes[B].heard, 0);
    assert_true(peers_drain(nodes[B].peers));
    assert_int_equal(nodes[B].heard, 200);
    assert_true(peers_drain(nodes[B].peers));
    assert_int_equal(nodes[B].heard, 200);
}

static void what_came_with_a_new_connection_can_be_taken_too(void **state)
{
    uint8_t bytes[100] = {1};

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_connect_unseen();
    send(fd, bytes, sizeof bytes, 0);
    assert_true(peers_drain(nodes[A].peers));
    assert_int_equal(nodes[A].heard, 1);
    close(fd);
}

static void without_room_for_all_the_caller_is_told(void **state)
{
    (void)state;
    join_all();
    for (int i = 0; i < 10; i++)
        tell_bytes(A, slice_str("a"), NULL);
    nodes[B].room = 4;
    assert_false(peers_drain(nodes[B].peers));
    assert_int_equal(nodes[B].heard, 4);
    assert_false(peers_drain(nodes[B].peers));
    nodes[B].room = -1;
    assert_true(peers_drain(nodes[B].peers));
    assert_int_equal(nodes[B].heard, 10);
}

static void peers_may_be_gone_when_what_came_is_taken(void **state)
{
    (void)state;
    join_all();
    tell_bytes(A, slice_str("a"), NULL);
    leave(A);
    leave(C);
    assert_true(peers_drain(nodes[B].peers));
    check_heard(B, "|a");
    assert_int_equal(tell(B, "b"), 0);
}

/* -- a peer that does not read -- */

static int tell_until_full(struct slice token)
{
    int n = 0, result;

    while ((result = tell_bytes(A, token, NULL)) == 0) {
        fake_loop_settle();
        assert_true(++n < 10000);
    }
    assert_int_equal(result, -EAGAIN);
    return n;
}

static void a_peer_that_never_reads_has_a_bounded_outbox(void **state)
{
    static const uint8_t token[TOKEN_MAX];

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_listen("1-stopped", 8);
    assert_true(join(B, directory, "x"));
    int n = tell_until_full(slice_of(token, sizeof token));
    assert_in_range(n, OUTBOX_BYTES / (TOKEN_MAX + 100), OUTBOX_BYTES / TOKEN_MAX + 200);
    assert_int_equal(nodes[B].heard, n); /* what was taken on, and nothing of what was not */
    fake_loop_settle();
    assert_int_equal(tell(B, "b"), 0); /* its own way to it is free */
    assert_int_equal(nodes[A].heard, 1);
    close(fd);
    raw_unlink("1-stopped");
    fake_loop_settle();
}

static void a_peer_that_reads_again_gets_all_that_it_was_told(void **state)
{
    uint8_t token[4000], message[TOKEN_MAX + 100];
    int heard = 0;

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_listen("1-stopped", 8);
    memset(token, 'x', sizeof token);
    int n = tell_until_full(slice_of(token, sizeof token));
    int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
    assert_true(peer >= 0);
    for (;;) {
        ssize_t size = recv(peer, message, sizeof message, 0);
        if (size < 0)
            break;
        assert_in_range(size, sizeof token, sizeof token + 100);
        assert_memory_equal(message + size - sizeof token, token, sizeof token);
        heard++;
        fake_loop_settle();
    }
    assert_int_equal(heard, n);
    assert_int_equal(tell_bytes(A, slice_of(token, sizeof token), NULL), 0);
    close(peer);
    close(fd);
    raw_unlink("1-stopped");
    fake_loop_settle();
}

static void a_peer_that_dies_with_a_full_outbox_is_forgotten(void **state)
{
    static const uint8_t token[TOKEN_MAX];

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_listen("1-stopped", 8);
    tell_until_full(slice_of(token, sizeof token));
    close(fd); /* and with it what was not accepted */
    raw_unlink("1-stopped");
    fake_loop_settle();
    assert_int_equal(tell(A, "a"), 0);
}

static void a_full_outbox_is_given_back_at_the_end(void **state)
{
    static const uint8_t token[TOKEN_MAX];

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_listen("1-stopped", 8);
    tell_until_full(slice_of(token, sizeof token));
    raw_unlink("1-stopped");
    leave(A); /* the sanitizer sees what is not freed */
    close(fd);
}

static void a_peer_that_lives_and_cannot_be_reached_is_told_to_the_caller(void **state)
{
    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_listen("1-busy", 0), other = raw_socket();
    struct sockaddr_un at = address("1-busy");
    assert_int_equal(connect(other, (struct sockaddr *)&at, sizeof at),
                     0); /* its backlog is full */
    assert_int_equal(tell(A, "a"), -EAGAIN);
    assert_true(exists("1-busy"));
    close(accept(fd, NULL, NULL));
    assert_int_equal(tell(A, "a"), 0);
    close(fd);
    close(other);
    raw_unlink("1-busy");
}

/* -- what others send -- */

static bool sees_the_end(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void what_is_no_renewal_closes_the_connection(void **state)
{
    static uint8_t bytes[2 * TOKEN_MAX] = {1};
    static const size_t sizes[] = {1, 2, 33, 34, 34 + PEER_TEXT_MAX + 1, 2 * TOKEN_MAX};

    (void)state;
    assert_true(join(A, directory, "x"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int fd = raw_connect();
        assert_int_equal(send(fd, bytes, sizes[i], 0), sizes[i]);
        fake_loop_settle();
        assert_true(sees_the_end(fd));
        close(fd);
    }
    assert_int_equal(nodes[A].heard, 0);
}

static void another_version_closes_the_connection(void **state)
{
    uint8_t bytes[100] = {2};

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_connect();
    send(fd, bytes, sizeof bytes, 0);
    fake_loop_settle();
    assert_true(sees_the_end(fd));
    assert_int_equal(nodes[A].heard, 0);
    close(fd);
}

static void the_least_and_the_largest_renewal_are_taken(void **state)
{
    static uint8_t bytes[34 + TOKEN_MAX] = {1};
    static const size_t sizes[] = {35, sizeof bytes};

    (void)state;
    assert_true(join(A, directory, "x"));
    int fd = raw_connect();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(fd, bytes, sizes[i], 0), sizes[i]);
        fake_loop_settle();
    }
    assert_int_equal(nodes[A].heard, 2);
    assert_int_equal(nodes[A].tokens.n, 1 + 1 + 1 + TOKEN_MAX);
    close(fd);
}

static void one_that_connects_and_says_nothing_does_no_harm(void **state)
{
    int fds[50];

    (void)state;
    assert_true(join(A, directory, "x"));
    for (int i = 0; i < 50; i++)
        fds[i] = raw_connect();
    assert_true(join(B, directory, "x"));
    assert_int_equal(tell(A, "a"), 0);
    check_heard(B, "|a");
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    fake_loop_settle();
    assert_int_equal(tell(B, "b"), 0);
    check_heard(A, "|b");
}

static void a_peer_beyond_the_limit_is_told_to_the_caller(void **state)
{
    static int fds[256];

    (void)state;
    assert_true(join(A, directory, "x"));
    for (int i = 0; i < 256; i++)
        fds[i] = raw_connect();
    assert_true(join(B, directory, "x"));
    int result = tell(A, "a");
    for (int i = 0; i < 256; i++)
        close(fds[i]);
    assert_int_equal(result, nodes[B].heard ? 0 : -EAGAIN);
}

/* In a child: connects as another user, whom the directory's mode would not let in. */
static int connect_as_nobody(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint8_t bytes[100] = {1};
    int fd = raw_socket();

    memcpy(at.sun_path, path, strlen(path));
    if (setuid(NOBODY) != 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        return 1;
    return send(fd, bytes, sizeof bytes, 0) < 0;
}

static void another_user_is_refused(void **state)
{
    char name[256], path[100];
    int status;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(join(A, directory, "x"));
    names(name);
    snprintf(path, sizeof path, "%s/%.60s", directory, name);
    chmod(directory, 0711);
    chmod(path, 0777);
    pid_t child = fork();
    if (child == 0)
        _exit(connect_as_nobody(path));
    waitpid(child, &status, 0);
    assert_int_equal(status, 0); /* it came through, and was told nothing */
    fake_loop_settle();
    assert_int_equal(nodes[A].heard, 0);
}

/* -- the directory -- */

static void check_refused(const char *path)
{
    if (join(A, path, "x"))
        fail_msg("%s is taken", path);
    assert_null(strchr(error, '\n'));
    assert_non_null(strstr(error, "peer directory"));
}

static void the_directory_must_be_there(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s/none", directory);
    check_refused(path);
    check_refused("");
}

static void the_directory_is_for_its_owner_alone(void **state)
{
    static const mode_t modes[] = {0710, 0701, 0750, 0755, 0770, 0777, 01777, 0704, 0740};

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        chmod(directory, modes[i]);
        check_refused(directory);
    }
    chmod(directory, 0700);
    assert_true(join(A, directory, "x"));
}

static void the_directory_is_of_our_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(directory, NOBODY, (gid_t)-1), 0);
    check_refused(directory);
}

static void the_directory_is_no_file(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s/file", directory);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    check_refused(path);
    unlink(path);
}

static void the_directory_is_no_link(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s.link", directory);
    assert_int_equal(symlink(directory, path), 0);
    check_refused(path);
    unlink(path);
}

static void a_link_with_a_slash_behind_it_is_a_link(void **state)
{
    char path[64], with_slash[70];

    (void)state;
    snprintf(path, sizeof path, "%s.link", directory);
    snprintf(with_slash, sizeof with_slash, "%s/", path);
    assert_int_equal(symlink(directory, path), 0);
    bool joined = join(A, with_slash, "x");
    leave(A);
    unlink(path);
    assert_false(joined);
}

static void a_directory_may_have_a_longer_name_than_a_socket_could(void **state)
{
    char path[160];

    (void)state;
    snprintf(path, sizeof path, "%s/%0100d", directory, 0);
    assert_int_equal(mkdir(path, 0700), 0);
    bool joined = join(A, path, "x") && join(B, path, "x");
    if (joined)
        assert_int_equal(tell(A, "a"), 0);
    peers_free(nodes[A].peers);
    peers_free(nodes[B].peers);
    nodes[A].peers = nodes[B].peers = NULL;
    rmdir(path);
    assert_true(joined);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_pool_of_one_has_nobody_to_tell),
        T(every_peer_is_told_and_nobody_else),
        T(a_selector_goes_with_it_or_none),
        T(a_selector_of_zeros_is_one),
        T(a_token_of_any_size_arrives_whole),
        T(renewals_arrive_once_and_in_order),
        T(one_that_came_just_now_is_told),
        T(another_version_of_the_messages_is_another_pool),
        T(only_equals_talk),
        T(one_that_left_is_not_told_and_not_missed),
        T(one_that_comes_back_is_told_again),
        T(what_was_told_is_not_lost_with_the_one_who_told_it),
        T(a_name_is_in_the_directory_as_long_as_its_peer),
        T(no_descriptor_is_left),
        T(a_pool_that_stays_opens_no_more_descriptors),
        T(a_name_on_which_nobody_answers_is_unlinked),
        T(a_name_on_which_somebody_answers_is_left),
        T(names_of_others_are_left),
        T(one_that_is_about_to_listen_is_not_taken_for_dead),
        T(what_comes_while_there_is_no_room_waits),
        T(room_is_asked_for_before_each),
        T(two_senders_wait_alike),
        T(what_waits_is_not_lost_with_its_sender),
        T(without_room_nothing_is_busy),
        T(what_has_come_can_be_taken_without_a_turn),
        T(what_came_with_a_new_connection_can_be_taken_too),
        T(without_room_for_all_the_caller_is_told),
        T(peers_may_be_gone_when_what_came_is_taken),
        T(a_peer_that_never_reads_has_a_bounded_outbox),
        T(a_peer_that_reads_again_gets_all_that_it_was_told),
        T(a_peer_that_dies_with_a_full_outbox_is_forgotten),
        T(a_full_outbox_is_given_back_at_the_end),
        T(a_peer_that_lives_and_cannot_be_reached_is_told_to_the_caller),
        T(what_is_no_renewal_closes_the_connection),
        T(another_version_closes_the_connection),
        T(the_least_and_the_largest_renewal_are_taken),
        T(one_that_connects_and_says_nothing_does_no_harm),
        T(a_peer_beyond_the_limit_is_told_to_the_caller),
        T(another_user_is_refused),
        T(the_directory_must_be_there),
        T(the_directory_is_for_its_owner_alone),
        T(the_directory_is_of_our_user),
        T(the_directory_is_no_file),
        T(the_directory_is_no_link),
        T(a_link_with_a_slash_behind_it_is_a_link),
        T(a_directory_may_have_a_longer_name_than_a_socket_could),
    };
    log_set_level(LOG_ERROR); /* peers are refused here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

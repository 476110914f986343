#include "front/subscriptions.h"

#include <stdio.h>

#include "base/loop.h"
#include "front/stay.h"
#include "guard/peer.h"
#include "guard/rate.h"
#include "support.h"

/* -- the peers: what they are told -- */

static struct peers_handler peers_handler;
static struct buf told;
static char some_peers;

struct peers *peers_new(struct loop *loop, const char *directory, struct slice agreement,
                        const struct peers_handler *handler, char *error, size_t size)
{
    (void)loop, (void)agreement, (void)error, (void)size;
    assert_string_equal(directory, "peers");
    peers_handler = *handler;
    return (struct peers *)&some_peers;
}

void peers_free(struct peers *peers)
{
    assert_ptr_equal(peers, &some_peers);
}

int peers_tell(struct peers *peers, const struct peer_message *message)
{
    struct handle_message m;

    assert_ptr_equal(peers, &some_peers);
    assert_true(handle_message_parse(message->text, &m));
    assert_int_equal(m.type, MESSAGE_OPENED);
    buf_printf(&told, "%c opened %d\n", message->hash->bytes[0], (int)m.number);
    return 0;
}

size_t peers_told(const struct peers *peers)
{
    assert_ptr_equal(peers, &some_peers);
    return 1;
}

/* -- the streams -- */

static char a_stay; /* never looked into */
static int gave_way;

void stay_give_way(struct stay *s)
{
    assert_ptr_equal(s, &a_stay);
    gave_way++;
}

void stay_narrow(struct stay *s, struct slice form)
{
    (void)s, (void)form;
    fail_msg("it was told nothing");
}

/* -- a responder that has a stream -- */

static struct loop *loop;
static struct handles *handles;
static struct rates *rates;
static struct subscriptions *subscriptions;
static struct token_hash key;

static int setup(void **state)
{
    char error[128];

    (void)state;
    loop = loop_new();
    handles = handles_new(10);
    rates = rates_new();
    subscriptions =
        subscriptions_new(loop, handles, rates, "peers", BYTES("agreed"), error, sizeof error);
    assert_non_null(subscriptions);
    memset(&key, 'h', sizeof key);
    gave_way = 0;
    told.n = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    subscriptions_free(subscriptions);
    rates_free(rates);
    handles_free(handles);
    loop_free(loop);
    return 0;
}

static void open_at(uint64_t stamp)
{
    handles_open(handles, &key, (struct stay *)&a_stay, loop_now_ms())->stamp = stamp;
}

static void hear_of(uint64_t stamp)
{
    const struct handle_message m = {.type = MESSAGE_OPENED, .number = stamp};
    struct buf text = {0};

    handle_message_add(&text, &m);
    const struct peer_message message = {buf_slice(&text), &key};
    peers_handler.on_message(peers_handler.arg, &message);
    buf_fini(&text);
}

static void one_that_was_opened_later_elsewhere_takes_the_handle(void **state)
{
    (void)state;
    open_at(7);
    hear_of(8);
    assert_int_equal(gave_way, 1);
    assert_null(handles_find(handles, &key, loop_now_ms()));
    assert_text(buf_slice(&told), "");
}

/* It was opened while ours was, and has not heard of that: else both would stay. */
static void one_that_was_opened_before_is_told_of_ours(void **state)
{
    (void)state;
    open_at(8);
    hear_of(7);
    assert_int_equal(gave_way, 0);
    assert_non_null(handles_find(handles, &key, loop_now_ms()));
    assert_text(buf_slice(&told), "h opened 8\n");
}

static void of_one_that_is_only_remembered_nobody_is_told(void **state)
{
    (void)state;
    open_at(8);
    handles_close(handles, &key, (struct stay *)&a_stay, loop_now_ms());
    hear_of(7);
    assert_null(handles_find(handles, &key, loop_now_ms()));
    hear_of(9);
    assert_int_equal(gave_way, 0);
    assert_text(buf_slice(&told), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_was_opened_later_elsewhere_takes_the_handle, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_was_opened_before_is_told_of_ours, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_one_that_is_only_remembered_nobody_is_told, setup,
                                        teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buf_fini(&told);
    return failed;
}

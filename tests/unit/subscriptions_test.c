#include "front/subscriptions.h"

#include <stdio.h>

#include "base/loop.h"
#include "front/stay.h"
#include "guard/peer.h"
#include "guard/rate.h"
#include "support.h"

/* -- the peers: what they are told -- */

static void hear(const struct handle_message *m);
static struct peers_handler peers_handler;
static struct buf told;
static char some_peers;
static uint64_t asker; /* who has told something */

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
    const char *what = m.type == MESSAGE_OPENED   ? "opened"
                       : m.type == MESSAGE_TOLD   ? "told"
                       : m.type == MESSAGE_PASSED ? "passed"
                                                  : "other";
    asker = m.asker;
    buf_printf(&told, "%c %s %d %.*s\n", message->hash->bytes[0], what, (int)m.number,
               (int)m.form.n, m.form.n > 0 ? (const char *)m.form.p : "");
    return 0;
}

/* What waits to be heard, once. */
static struct handle_message waiting;

bool peers_drain(struct peers *peers)
{
    struct handle_message m = waiting;

    assert_ptr_equal(peers, &some_peers);
    waiting.type = 0;
    if (m.type != 0)
        hear(&m);
    return true;
}

size_t peers_told(const struct peers *peers)
{
    assert_ptr_equal(peers, &some_peers);
    return 2;
}

/* -- the streams -- */

static char a_stay; /* never looked into */
static int gave_way;
static struct buf narrowed;

void stay_give_way(struct stay *s)
{
    assert_ptr_equal(s, &a_stay);
    gave_way++;
}

void stay_narrow(struct stay *s, struct slice form)
{
    assert_ptr_equal(s, &a_stay);
    buf_printf(&narrowed, "%.*s\n", (int)form.n, (const char *)form.p);
}

uint64_t stay_clock(void)
{
    return 100;
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
    told.n = narrowed.n = 0;
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

static void hear(const struct handle_message *m)
{
    struct buf text = {0};

    handle_message_add(&text, m);
    const struct peer_message message = {buf_slice(&text), &key};
    peers_handler.on_message(peers_handler.arg, &message);
    buf_fini(&text);
}

/* A stream was opened elsewhere, by what was told at `told_at`. */
static void hear_of(uint64_t stamp, uint64_t told_at)
{
    hear(&(struct handle_message){.type = MESSAGE_OPENED, .number = stamp, .told_at = told_at});
}

static void hear_form(enum message_type type, const char *form, uint64_t told_at)
{
    hear(&(struct handle_message){
        .type = type, .answer = SUBSCRIPTION_TOLD, .told_at = told_at, .form = slice_str(form)});
}

static struct handle *known(void)
{
    return handles_find(handles, &key, loop_now_ms());
}

static void close_it(void)
{
    handles_close(handles, &key, (struct stay *)&a_stay, loop_now_ms());
}

static void one_that_was_opened_later_elsewhere_takes_the_handle(void **state)
{
    (void)state;
    open_at(7);
    hear_of(8, 0);
    assert_int_equal(gave_way, 1);
    assert_null(handles_find(handles, &key, loop_now_ms()));
    assert_text(buf_slice(&told), "");
}

/* It was opened while ours was, and has not heard of that: else both would stay. */
static void one_that_was_opened_before_is_told_of_ours(void **state)
{
    (void)state;
    open_at(8);
    hear_of(7, 0);
    assert_int_equal(gave_way, 0);
    assert_non_null(handles_find(handles, &key, loop_now_ms()));
    assert_text(buf_slice(&told), "h opened 8 \n");
}

/* The other has heard of ours, and gives way: only this one remembers the handle then. */
static void one_that_was_opened_before_does_not_take_what_is_remembered(void **state)
{
    (void)state;
    open_at(8);
    close_it();
    hear_of(7, 0);
    assert_non_null(known());
    assert_text(buf_slice(&told), "");
    hear_of(9, 0);
    assert_null(known());
    assert_int_equal(gave_way, 0);
}

/* -- what is told -- */

static void of_what_a_handle_was_told_the_newest_counts(void **state)
{
    (void)state;
    open_at(8);
    hear_form(MESSAGE_TOLD, "key=2", 20);
    hear_form(MESSAGE_TOLD, "key=1", 10);
    hear_form(MESSAGE_TELL, "key=1", 10);
    assert_text(buf_slice(&narrowed), "key=2\n");
    assert_text(buf_slice(&known()->form), "key=2");
}

/* A stream that comes back has asked before, and begins by what it was told until then. */
static void what_was_told_since_the_handle_was_asked_for_is_not_lost_with_it(void **state)
{
    (void)state;
    open_at(8);
    handle_tell(known(), slice_str("key=1"), 10);
    handle_tell(known(), slice_str("key=2"), 20);
    hear_of(30, 10);
    assert_null(known());
    assert_text(buf_slice(&told), "h told 8 key=2\n");
}

static void what_it_was_opened_with_is_not_told_again(void **state)
{
    (void)state;
    open_at(8);
    handle_tell(known(), slice_str("key=1"), 10);
    hear_of(30, 10);
    assert_text(buf_slice(&told), "");
    open_at(40);
    handle_tell(known(), slice_str("key=1"), 41);
    hear_of(50, 50); /* anew */
    assert_text(buf_slice(&told), "");
}

static void who_has_the_stream_tells_nobody_else(void **state)
{
    (void)state;
    open_at(8);
    handle_tell(known(), slice_str("key=1"), 10);
    assert_true(subscriptions_told(subscriptions, &key, known()));
    assert_text(buf_slice(&told), "");
}

/* Others may remember it, too: those to whom it was passed on. */
static void who_only_remembers_a_handle_tells_the_others(void **state)
{
    (void)state;
    open_at(8);
    close_it();
    handle_tell(known(), slice_str("key=1"), 10);
    assert_true(subscriptions_told(subscriptions, &key, known()));
    assert_text(buf_slice(&told), "h told 8 key=1\n");
}

static void who_has_passed_its_handles_on_tells_the_others(void **state)
{
    (void)state;
    open_at(8);
    subscriptions_pass_on(subscriptions);
    handle_tell(known(), slice_str("key=1"), 10);
    assert_true(subscriptions_told(subscriptions, &key, known()));
    assert_text(buf_slice(&told), "h passed 8 \nh told 8 key=1\n");
}

static void what_was_passed_on_a_moment_ago_is_passed_on(void **state)
{
    (void)state;
    waiting = (struct handle_message){.type = MESSAGE_PASSED,
                                      .answer = SUBSCRIPTION_TOLD,
                                      .number = 7,
                                      .told_at = 10,
                                      .form = slice_str("key=1")};
    subscriptions_pass_on(subscriptions);
    assert_text(buf_slice(&told), "h passed 7 key=1\n");
}

/* It has come back before its handle was passed on to here. */
static void a_stream_that_has_come_back_takes_what_is_passed_on(void **state)
{
    (void)state;
    open_at(8);
    hear_form(MESSAGE_PASSED, "key=1", 10);
    assert_text(buf_slice(&narrowed), "key=1\n");
}

/* It was passed on by one that had not heard of this stream yet, and maybe not to here alone. */
static void who_is_passed_what_it_has_since_says_so(void **state)
{
    (void)state;
    open_at(8);
    const struct handle_message m = {.type = MESSAGE_PASSED,
                                     .answer = SUBSCRIPTION_TOLD,
                                     .number = 7,
                                     .told_at = 10,
                                     .form = slice_str("key=1")};
    hear(&m);
    assert_text(buf_slice(&narrowed), "key=1\n");
    assert_text(buf_slice(&told), "h opened 8 \n");
}

/* It was told something, and opened anew since: word of the former that comes late is of no use. */
static void one_that_was_opened_anew_is_told_nothing_older(void **state)
{
    (void)state;
    waiting = (struct handle_message){
        .type = MESSAGE_PASSED, .answer = SUBSCRIPTION_KNOWN, .number = 20, .told_at = 20};
    subscriptions_hear(subscriptions);
    hear_form(MESSAGE_PASSED, "key=1", 10);
    assert_false(known()->told);
    hear_form(MESSAGE_PASSED, "key=2", 30);
    assert_true(known()->told);
}

/* -- asked -- */

static struct buf answered;

static void on_answer(void *arg, enum subscription_answer answer, const struct handle_message *m)
{
    assert_ptr_equal(arg, &key);
    buf_printf(&answered, "%d %d %.*s\n", (int)answer, (int)m->told_at, (int)m->form.n,
               m->form.n > 0 ? (const char *)m->form.p : "");
}

static void ask(struct slice form)
{
    answered.n = 0;
    subscriptions_ask(subscriptions, &key, form, on_answer, &key);
}

static void hear_answer(enum subscription_answer answer, uint64_t number, const char *form,
                        uint64_t told_at)
{
    hear(&(struct handle_message){.type = MESSAGE_ANSWER,
                                  .answer = answer,
                                  .asker = asker,
                                  .number = number,
                                  .told_at = told_at,
                                  .form = slice_str(form)});
}

static void of_what_several_know_the_newest_counts(void **state)
{
    (void)state;
    ask(slice_of(NULL, 0));
    hear_answer(SUBSCRIPTION_TOLD, 1, "key=1", 10);
    assert_text(buf_slice(&answered), "");
    hear_answer(SUBSCRIPTION_TOLD, 1, "key=2", 20);
    assert_text(buf_slice(&answered), "2 20 key=2\n");

    ask(slice_of(NULL, 0));
    hear_answer(SUBSCRIPTION_KNOWN, 2, "", 30); /* opened anew */
    hear_answer(SUBSCRIPTION_TOLD, 2, "key=2", 20);
    assert_text(buf_slice(&answered), "1 30 \n");

    ask(slice_of(NULL, 0));
    hear_answer(SUBSCRIPTION_UNKNOWN, 3, "", 0);
    hear_answer(SUBSCRIPTION_KNOWN, 3, "", 0);
    assert_text(buf_slice(&answered), "1 0 \n");
    buf_fini(&answered);
}

static void a_form_is_taken_when_one_has_taken_it(void **state)
{
    (void)state;
    ask(BYTES("key=1"));
    hear_answer(SUBSCRIPTION_LIMITED, 1, "", 0);
    assert_text(buf_slice(&answered), "");
    hear_answer(SUBSCRIPTION_KNOWN, 1, "", 0);
    assert_text(buf_slice(&answered), "1 0 \n");

    ask(BYTES("key=1"));
    hear_answer(SUBSCRIPTION_KNOWN, 2, "", 0); /* the other one is not waited for */
    assert_text(buf_slice(&answered), "1 0 \n");

    ask(BYTES("key=1"));
    hear_answer(SUBSCRIPTION_LIMITED, 3, "", 0);
    hear_answer(SUBSCRIPTION_UNKNOWN, 3, "", 0);
    assert_text(buf_slice(&answered), "3 0 \n");
    buf_fini(&answered);
}

/* Time is over: here for the responder ends. */
static void who_does_not_answer_hides_nothing_that_another_knows(void **state)
{
    (void)state;
    ask(slice_of(NULL, 0));
    hear_answer(SUBSCRIPTION_TOLD, 1, "key=1", 10);
    ask(slice_of(NULL, 0));
    hear_answer(SUBSCRIPTION_UNKNOWN, 2, "", 0);
    subscriptions_free(subscriptions);
    subscriptions = NULL;
    assert_text(buf_slice(&answered), "2 10 key=1\n4 0 \n");
    buf_fini(&answered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_was_opened_later_elsewhere_takes_the_handle, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_was_opened_before_is_told_of_ours, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_was_opened_before_does_not_take_what_is_remembered,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(of_what_a_handle_was_told_the_newest_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            what_was_told_since_the_handle_was_asked_for_is_not_lost_with_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_it_was_opened_with_is_not_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_the_stream_tells_nobody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(who_only_remembers_a_handle_tells_the_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_passed_what_it_has_since_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_passed_its_handles_on_tells_the_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_passed_on_a_moment_ago_is_passed_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_has_come_back_takes_what_is_passed_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_was_opened_anew_is_told_nothing_older, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_what_several_know_the_newest_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_form_is_taken_when_one_has_taken_it, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_answer_hides_nothing_that_another_knows, setup,
                                        teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buf_fini(&told);
    buf_fini(&narrowed);
    return failed;
}

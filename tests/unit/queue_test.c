#include "guard/queue.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

static struct queue *queue;
static const struct subject_hash alice = {"alice"}, bob = {"bob"};

static int setup(void **state)
{
    (void)state;
    queue = queue_new();
    return 0;
}

static int teardown(void **state)
{
    struct queued *t;

    (void)state;
    while ((t = queue_take(queue)) != NULL)
        free(t);
    queue_free(queue);
    return 0;
}

static bool add(const char *name, const struct subject_hash *who)
{
    return queue_add(queue, slice_str(name), who, NULL, NULL);
}

/* The first letters of the next n tokens. */
static void check_next(const char *expected)
{
    for (; *expected; expected++) {
        struct queued *t = queue_take(queue);
        assert_non_null(t);
        assert_int_equal(t->text[0], *expected);
        free(t);
    }
}

static void tokens_come_in_their_order(void **state)
{
    (void)state;
    assert_true(queue_is_empty(queue));
    add("1", NULL);
    add("2", &alice);
    add("3", NULL);
    assert_false(queue_is_empty(queue));
    check_next("123");
    assert_true(queue_is_empty(queue));
    assert_null(queue_take(queue));
}

static void the_text_is_copied(void **state)
{
    char text[] = "token";

    (void)state;
    add(text, NULL);
    memset(text, 'x', sizeof text);
    struct queued *t = queue_take(queue);
    assert_bytes(slice_of(t->text, t->size), slice_str("token"));
    free(t);
}

static void a_known_subject_goes_before_the_others(void **state)
{
    (void)state;
    queue_know(queue, &alice);
    add("1", &bob);
    add("2", NULL);
    add("A", &alice);
    add("B", &alice);
    check_next("AB12");
    queue_forget(queue, &alice);
}

static void a_subject_is_known_until_all_of_it_is_forgotten(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        queue_know(queue, &alice);
    queue_forget(queue, &alice);
    add("1", NULL);
    add("A", &alice);
    check_next("A1");
    queue_forget(queue, &alice);
    add("1", NULL);
    add("2", &alice);
    check_next("12");
}

static void a_subject_may_be_forgotten_while_its_token_waits(void **state)
{
    (void)state;
    queue_know(queue, &alice);
    add("A", &alice);
    queue_forget(queue, &alice);
    add("1", NULL);
    add("2", &alice);
    check_next("A12");
}

/* Whoever knows its name could fill the queue with it. */
static void of_one_subject_only_a_few_go_before_the_others(void **state)
{
    (void)state;
    queue_know(queue, &alice);
    queue_know(queue, &bob);
    for (int i = 0; i < 20; i++)
        add(i < QUEUE_SUBJECT_MAX ? "A" : "a", &alice);
    add("B", &bob);
    check_next("AAAaABaaa"); /* every fourth is of the others */
    add("A", &alice);        /* those that waited have had their turn */
    check_next("Aaaa");
    queue_forget(queue, &alice);
    queue_forget(queue, &bob);
}

static void the_others_have_their_share(void **state)
{
    struct subject_hash who[40] = {0};

    (void)state;
    for (uint8_t i = 0; i < 40; i++) {
        who[i].bytes[0] = i;
        queue_know(queue, &who[i]);
        add("A", &who[i]);
        add("1", NULL);
    }
    for (int i = 0; i < 10; i++)
        check_next("AAA1");
    for (int i = 0; i < 40; i++)
        queue_forget(queue, &who[i]);
}

static void known_subjects_have_room_when_the_others_have_none(void **state)
{
    (void)state;
    queue_know(queue, &alice);
    for (int i = 0; i < QUEUE_OTHERS_MAX; i++)
        assert_true(add("1", NULL));
    assert_false(add("2", &bob));
    assert_true(queue_has_room(queue));
    for (int i = 0; i < QUEUE_SUBJECT_MAX; i++)
        assert_true(add("A", &alice));
    assert_false(add("a", &alice));
    queue_forget(queue, &alice);
}

static void it_is_full_when_there_is_room_for_neither(void **state)
{
    static struct subject_hash who[QUEUE_KNOWN_MAX];

    (void)state;
    for (int i = 0; i < QUEUE_OTHERS_MAX; i++)
        add("1", NULL);
    for (uint32_t i = 0; i < QUEUE_KNOWN_MAX; i++) {
        memcpy(who[i].bytes, &i, sizeof i);
        queue_know(queue, &who[i]);
        assert_true(queue_has_room(queue));
        assert_true(add("A", &who[i]));
    }
    assert_false(queue_has_room(queue));
    free(queue_take(queue));
    assert_true(queue_has_room(queue));
    for (uint32_t i = 0; i < QUEUE_KNOWN_MAX; i++)
        queue_forget(queue, &who[i]);
}

static void so_many_of_known_subjects_go_before_the_others(void **state)
{
    static struct subject_hash who[QUEUE_KNOWN_MAX + 1];

    (void)state;
    add("1", NULL);
    for (uint32_t i = 0; i <= QUEUE_KNOWN_MAX; i++) {
        memcpy(who[i].bytes, &i, sizeof i);
        queue_know(queue, &who[i]);
        add(i < QUEUE_KNOWN_MAX ? "A" : "2", &who[i]);
    }
    for (int i = 0; i < QUEUE_KNOWN_MAX; i += QUEUE_SHARE - 1)
        check_next(i == 0 ? "AAA1" : i == QUEUE_SHARE - 1 ? "AAA2" : i < 1023 ? "AAA" : "A");
    assert_true(queue_is_empty(queue));
    for (uint32_t i = 0; i <= QUEUE_KNOWN_MAX; i++)
        queue_forget(queue, &who[i]);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(tokens_come_in_their_order),
        T(the_text_is_copied),
        T(a_known_subject_goes_before_the_others),
        T(a_subject_is_known_until_all_of_it_is_forgotten),
        T(a_subject_may_be_forgotten_while_its_token_waits),
        T(of_one_subject_only_a_few_go_before_the_others),
        T(the_others_have_their_share),
        T(known_subjects_have_room_when_the_others_have_none),
        T(it_is_full_when_there_is_room_for_neither),
        T(so_many_of_known_subjects_go_before_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "stream/mark.h"

#include <stdlib.h>

#include "support.h"

enum { PARTITIONS = 4, LEADERLESS_MS = 10000 };

/* -- the consumer, as the mark sees it -- */

struct consumer {
    struct {
        int64_t end, next;
        bool leaderless, at_end;
    } p[PARTITIONS];
};
static struct consumer consumer;
static struct mark mark;

int64_t consumer_end(const struct consumer *c, int32_t partition)
{
    return c->p[partition].end;
}

bool consumer_has_leader(const struct consumer *c, int32_t partition)
{
    return !c->p[partition].leaderless;
}

bool consumer_passed(const struct consumer *c, int32_t partition, int64_t end)
{
    return c->p[partition].next >= end || c->p[partition].at_end;
}

static int setup(void **state)
{
    (void)state;
    memset(&consumer, 0, sizeof consumer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mark_fini(&mark);
    return 0;
}

static bool reached(int64_t now_ms)
{
    return mark_reached(&mark, &consumer, now_ms);
}

static void a_mark_is_not_set_at_first(void **state)
{
    (void)state;
    assert_false(mark.set);
    mark_set(&mark, &consumer, 1, 0);
    assert_true(mark.set);
}

static void the_mark_of_an_empty_topic_is_reached(void **state)
{
    (void)state;
    mark_set(&mark, &consumer, PARTITIONS, 0);
    assert_true(reached(0));
}

static void a_mark_of_no_partitions_is_reached(void **state)
{
    (void)state;
    mark_set(&mark, &consumer, 0, 0);
    assert_true(reached(0));
}

static void every_partition_must_have_come_to_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < PARTITIONS; i++)
        consumer.p[i].end = 10 + i;
    mark_set(&mark, &consumer, PARTITIONS, 0);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_false(reached(0));
        consumer.p[i].next = 10 + i - 1;
        assert_false(reached(0));
        consumer.p[i].next++;
    }
    assert_true(reached(0));
}

static void what_comes_after_it_does_not_matter(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    mark_set(&mark, &consumer, 1, 0);
    consumer.p[0].end = 1000;
    consumer.p[0].next = 10;
    assert_true(reached(0));
}

static void an_open_transaction_is_not_waited_for(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    mark_set(&mark, &consumer, 1, 0);
    consumer.p[0].next = 5;
    consumer.p[0].at_end = true;
    assert_true(reached(0));
}

static void a_partition_without_a_leader_is_waited_for_ten_seconds(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    consumer.p[0].leaderless = true;
    mark_set(&mark, &consumer, 2, 5000);
    assert_false(reached(5000));
    assert_false(reached(5000 + LEADERLESS_MS - 1));
    assert_true(reached(5000 + LEADERLESS_MS));
}

static void one_with_a_leader_is_waited_for_beyond_that(void **state)
{
    (void)state;
    consumer.p[0].end = consumer.p[1].end = 10;
    consumer.p[0].leaderless = true;
    mark_set(&mark, &consumer, 2, 0);
    assert_false(reached(LEADERLESS_MS));
    assert_false(reached(100 * LEADERLESS_MS));
    consumer.p[1].next = 10;
    assert_true(reached(LEADERLESS_MS));
    consumer.p[0].leaderless = false; /* it has one again: it is waited for */
    assert_false(reached(LEADERLESS_MS));
}

/* consumer_end() says -1; what is then there is not known, and nothing can be waited for. */
static void an_end_that_is_not_known_is_passed(void **state)
{
    (void)state;
    consumer.p[0].end = -1;
    mark_set(&mark, &consumer, 1, 0);
    assert_true(reached(0));
}

static void a_mark_may_be_set_again(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    consumer.p[0].leaderless = true;
    mark_set(&mark, &consumer, 1, 0);
    consumer.p[0].next = 10;
    assert_true(reached(0));
    consumer.p[0].end = 20;
    consumer.p[2].end = 1;
    mark_set(&mark, &consumer, 3, LEADERLESS_MS);
    assert_false(reached(LEADERLESS_MS)); /* its time begins anew */
    consumer.p[0].next = 20;
    assert_false(reached(LEADERLESS_MS));
    consumer.p[2].next = 1;
    assert_true(reached(LEADERLESS_MS));
}

static void a_mark_may_be_set_for_fewer_partitions(void **state)
{
    (void)state;
    consumer.p[3].end = 10;
    mark_set(&mark, &consumer, PARTITIONS, 0);
    assert_false(reached(0));
    mark_set(&mark, &consumer, 1, 0); /* the topic was made again */
    assert_true(reached(0));
}

static void a_mark_that_is_given_back_is_not_set(void **state)
{
    (void)state;
    mark_set(&mark, &consumer, PARTITIONS, 0);
    mark_fini(&mark);
    assert_false(mark.set);
    assert_int_equal(mark.end.n, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_mark_is_not_set_at_first),
        T(the_mark_of_an_empty_topic_is_reached),
        T(a_mark_of_no_partitions_is_reached),
        T(every_partition_must_have_come_to_its_end),
        T(what_comes_after_it_does_not_matter),
        T(an_open_transaction_is_not_waited_for),
        T(a_partition_without_a_leader_is_waited_for_ten_seconds),
        T(one_with_a_leader_is_waited_for_beyond_that),
        T(an_end_that_is_not_known_is_passed),
        T(a_mark_may_be_set_again),
        T(a_mark_may_be_set_for_fewer_partitions),
        T(a_mark_that_is_given_back_is_not_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

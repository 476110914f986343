#include "stream/mark.h"

#include <stdlib.h>

#include "support.h"

enum { PARTITIONS = 4 };

/* -- the consumer, as the mark sees it -- */

struct consumer {
    struct {
        int64_t end, next; /* end -1: not known */
        int64_t committed; /* as its leader has said, to the question of that ticket */
        uint64_t ticket;
        bool given_up;
    } p[PARTITIONS];
    uint64_t asked;
};
static struct consumer consumer;
static struct mark mark;

int64_t consumer_end(const struct consumer *c, int32_t partition)
{
    return c->p[partition].end;
}

bool consumer_given_up(const struct consumer *c, int32_t partition)
{
    return c->p[partition].given_up;
}

bool consumer_passed(const struct consumer *c, int32_t partition, int64_t end, uint64_t ticket)
{
    return c->p[partition].next >= end ||
           (c->p[partition].ticket >= ticket && c->p[partition].next >= c->p[partition].committed);
}

uint64_t consumer_ask(struct consumer *c)
{
    return ++c->asked;
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

static bool reached(void)
{
    return mark_reached(&mark, &consumer);
}

static void a_mark_is_not_set_at_first(void **state)
{
    (void)state;
    assert_false(mark.set);
    mark_set(&mark, &consumer, 1);
    assert_true(mark.set);
}

static void the_mark_of_an_empty_topic_is_reached(void **state)
{
    (void)state;
    mark_set(&mark, &consumer, PARTITIONS);
    assert_true(reached());
}

static void a_mark_of_no_partitions_is_reached(void **state)
{
    (void)state;
    mark_set(&mark, &consumer, 0);
    assert_true(reached());
}

static void every_partition_must_have_come_to_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < PARTITIONS; i++)
        consumer.p[i].end = 10 + i;
    mark_set(&mark, &consumer, PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_false(reached());
        consumer.p[i].next = 10 + i - 1;
        assert_false(reached());
        consumer.p[i].next++;
    }
    assert_true(reached());
}

static void what_comes_after_it_does_not_matter(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    mark_set(&mark, &consumer, 1);
    consumer.p[0].end = 1000;
    consumer.p[0].next = 10;
    assert_true(reached());
}

static void an_open_transaction_is_not_waited_for_once_its_leader_has_said_so(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    consumer.p[0].next = consumer.p[0].committed = 5;
    mark_set(&mark, &consumer, 1);
    assert_int_equal(consumer.asked, 1);
    assert_false(reached()); /* there may be five that were fetched and not handed on yet */
    consumer.p[0].ticket = 1;
    assert_true(reached());
}

static void nobody_is_asked_about_what_was_read(void **state)
{
    (void)state;
    consumer.p[0].end = consumer.p[0].next = 10;
    mark_set(&mark, &consumer, 1);
    assert_int_equal(consumer.asked, 0);
    assert_true(reached());
}

static void a_partition_that_is_given_up_is_not_waited_for(void **state)
{
    (void)state;
    consumer.p[0].end = consumer.p[1].end = 10;
    mark_set(&mark, &consumer, 2);
    consumer.p[0].given_up = true;
    assert_false(reached());
    consumer.p[1].next = 10;
    assert_true(reached());
    consumer.p[0].given_up = false; /* it is back */
    assert_false(reached());
}

static void an_end_that_is_not_known_is_waited_for(void **state)
{
    (void)state;
    consumer.p[0].end = -1;
    mark_set(&mark, &consumer, 1);
    assert_false(reached());
    consumer.p[0].end = 10;
    assert_false(reached());
    consumer.p[0].end = 20; /* the first one counts */
    consumer.p[0].next = 10;
    assert_true(reached());
}

static void a_mark_may_be_set_again(void **state)
{
    (void)state;
    consumer.p[0].end = 10;
    mark_set(&mark, &consumer, 1);
    consumer.p[0].next = 10;
    assert_true(reached());
    consumer.p[0].end = 20;
    consumer.p[2].end = 1;
    mark_set(&mark, &consumer, 3);
    consumer.p[0].next = 20;
    assert_false(reached());
    consumer.p[2].next = 1;
    assert_true(reached());
}

static void a_mark_may_be_set_for_fewer_partitions(void **state)
{
    (void)state;
    consumer.p[3].end = 10;
    mark_set(&mark, &consumer, PARTITIONS);
    assert_false(reached());
    mark_set(&mark, &consumer, 1); /* the topic was made again */
    assert_true(reached());
}

static void a_mark_that_is_given_back_is_not_set(void **state)
{
    (void)state;
    mark_set(&mark, &consumer, PARTITIONS);
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
        T(an_open_transaction_is_not_waited_for_once_its_leader_has_said_so),
        T(nobody_is_asked_about_what_was_read),
        T(a_partition_that_is_given_up_is_not_waited_for),
        T(an_end_that_is_not_known_is_waited_for),
        T(a_mark_may_be_set_again),
        T(a_mark_may_be_set_for_fewer_partitions),
        T(a_mark_that_is_given_back_is_not_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

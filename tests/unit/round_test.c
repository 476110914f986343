#include "kafka/round.h"

#include "support.h"

enum { BROKER = 2 };

static struct findings a, b;
static struct round r;
static struct topic_id ids[2];

/* Of its three partitions the broker leads the second and the third. */
static void tell(struct findings *f)
{
    struct layout_partition partitions[] = {{1, 1}, {BROKER, 1}, {BROKER, 2}};
    struct layout_topic topic = {.n = 3, .partitions = partitions};
    const struct layout layout = {.topics_n = 1, .topics = &topic};

    findings_add_layout(f, &layout, 0, 1);
}

static int setup(void **state)
{
    (void)state;
    a = b = (struct findings){0};
    tell(&a);
    tell(&b);
    r = (struct round){.leader = BROKER, .ticket = 4, .asked_ms = 1000};
    round_add(&r, "a", &a);
    round_add(&r, "b", &b);
    memset(ids, 0, sizeof ids);
    r.ids = ids;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    r.ids = NULL;
    round_fini(&r);
    survey_result_fini(&a.result);
    survey_result_fini(&b.result);
    return 0;
}

/* All ends are other ones. */
static void answer(void)
{
    for (int32_t i = 0; i < r.n; i++) {
        r.extents[i].answered = true;
        r.extents[i].end = 10 + i;
    }
}

static void it_asks_for_what_the_leader_has_of_each_topic(void **state)
{
    (void)state;
    assert_int_equal(r.n, 4);
    assert_string_equal(r.extents[1].topic, "a");
    assert_int_equal(r.extents[1].partition, 2);
    assert_string_equal(r.extents[2].topic, "b");
    assert_int_equal(r.extents[2].partition, 1);
}

static void a_topic_of_which_it_has_nothing_is_left_out(void **state)
{
    struct findings none = {0};

    (void)state;
    round_add(&r, "none", &none);
    assert_int_equal(r.topics_n, 2);
}

static void a_partition_that_the_leader_has_answered_for_is_in_another_question(void **state)
{
    struct round settled = {.leader = BROKER, .settled = true}, others = {.leader = BROKER};
    bool answered;

    (void)state;
    r.extents[2].answered = true; /* the second of b */
    assert_true(round_merge(&r, &answered));
    round_add(&settled, "a", &a);
    round_add(&settled, "b", &b);
    assert_int_equal(settled.n, 1);
    assert_string_equal(settled.extents[0].topic, "b");
    assert_int_equal(settled.extents[0].partition, 1);
    round_add(&others, "a", &a);
    round_add(&others, "b", &b);
    assert_int_equal(others.n, 3);
    round_fini(&settled);
    round_fini(&others);
}

static void each_topic_gets_its_answers(void **state)
{
    bool answered;

    (void)state;
    answer();
    ids[1] = (struct topic_id){7, 8};
    assert_true(round_merge(&r, &answered));
    assert_true(answered);
    assert_int_equal(a.result.partitions[0].end, -1);
    assert_int_equal(a.result.partitions[2].end, 11);
    assert_int_equal(b.result.partitions[1].end, 12);
    assert_int_equal(b.result.partitions[1].ticket, 4);
    assert_false(topicid_known(a.result.id));
    assert_int_equal(b.result.id.low, 8);
}

static void answers_about_a_topic_that_is_gone_are_void_and_no_others(void **state)
{
    bool answered;

    (void)state;
    answer();
    a.generation++;
    a.result.n = 0;
    assert_true(round_merge(&r, &answered));
    assert_true(answered);
    assert_int_equal(b.result.partitions[2].end, 13);
    b.generation++;
    assert_false(round_merge(&r, &answered));
    assert_false(answered);
}

static void silence_is_no_answer(void **state)
{
    bool answered;

    (void)state;
    r.extents[0].error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    assert_true(round_merge(&r, &answered));
    assert_false(answered);
    assert_int_equal(a.result.partitions[1].error, RD_KAFKA_RESP_ERR__TIMED_OUT);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_asks_for_what_the_leader_has_of_each_topic),
        T(a_topic_of_which_it_has_nothing_is_left_out),
        T(a_partition_that_the_leader_has_answered_for_is_in_another_question),
        T(each_topic_gets_its_answers),
        T(answers_about_a_topic_that_is_gone_are_void_and_no_others),
        T(silence_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

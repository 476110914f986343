#include "kafka/findings.h"

#include "support.h"

static struct findings f;

static int setup(void **state)
{
    (void)state;
    f = (struct findings){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    survey_result_fini(&f.result);
    return 0;
}

/* The cluster says that broker 1 leads the first of n partitions, and broker 2 the others. */
static void tell(int32_t n, rd_kafka_resp_err_t error, uint64_t ticket)
{
    struct layout_partition partitions[4] = {{1, 1}, {2, 2}, {2, 2}, {2, 2}};
    struct broker brokers[] = {{1, "one:9092"}, {2, "two:9092"}};
    struct layout_topic topic = {.error = error, .n = n, .partitions = partitions};
    const struct layout layout = {2, brokers, "a cluster", 1, &topic};

    findings_add_layout(&f, &layout, 0, ticket);
}

static bool answer(int32_t leader, int32_t partition, int64_t end, uint64_t ticket)
{
    const struct extent extent = {.partition = partition, .answered = true, .end = end};

    return findings_add_extent(&f, leader, &extent, ticket, 1000);
}

static void what_is_new_is_taken_once(void **state)
{
    struct survey_result r;

    (void)state;
    assert_false(findings_take(&f, &r));
    tell(2, 0, 5);
    assert_true(findings_take(&f, &r));
    assert_true(r.told);
    assert_int_equal(r.ticket, 5);
    assert_int_equal(r.partitions[1].leader, 2);
    assert_string_equal(r.brokers[1].address, "two:9092");
    assert_string_equal(r.cluster, "a cluster");
    survey_result_fini(&r);
    assert_false(findings_take(&f, &r));
}

static void an_answer_is_fresh_until_it_is_taken(void **state)
{
    struct survey_result r;

    (void)state;
    tell(2, 0, 0);
    assert_true(answer(2, 1, 7, 3));
    assert_true(findings_take(&f, &r));
    assert_true(r.partitions[1].fresh);
    assert_int_equal(r.partitions[1].end, 7);
    assert_int_equal(r.partitions[0].end, -1);
    survey_result_fini(&r);
    answer(1, 0, 0, 3);
    assert_true(findings_take(&f, &r));
    assert_false(r.told);
    assert_false(r.partitions[1].fresh);
    assert_int_equal(r.partitions[1].end, 7);
    survey_result_fini(&r);
}

static void an_answer_to_an_older_question_is_none(void **state)
{
    (void)state;
    tell(1, 0, 0);
    answer(1, 0, 7, 3);
    assert_false(answer(1, 0, 6, 2));
    assert_int_equal(f.result.partitions[0].end, 7);
}

/* Of two questions under way at once the newer one may be answered first. */
static void what_comes_of_an_older_question_is_nothing(void **state)
{
    const struct extent late = {.error = RD_KAFKA_RESP_ERR__TIMED_OUT},
                        older = {.answered = true, .end = 6};

    (void)state;
    tell(1, 0, 0);
    answer(1, 0, 7, 3);
    assert_false(findings_add_extent(&f, 1, &late, 3, 999));
    assert_int_equal(f.result.partitions[0].error, 0);
    assert_false(findings_add_extent(&f, 1, &older, 3, 999));
    assert_int_equal(f.result.partitions[0].end, 7);
}

static void a_partition_is_settled_when_the_one_that_leads_it_has_answered(void **state)
{
    (void)state;
    tell(2, 0, 0);
    assert_false(survey_partition_settled(&f.result.partitions[0]));
    answer(2, 0, 7, 3); /* which led it before */
    assert_false(survey_partition_settled(&f.result.partitions[0]));
    answer(1, 0, 7, 3);
    assert_true(survey_partition_settled(&f.result.partitions[0]));
}

static void the_error_is_the_leaders(void **state)
{
    const struct extent refused = {.error = RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION};

    (void)state;
    tell(1, 0, 0);
    assert_false(findings_add_extent(&f, 2, &refused, 1, 1000)); /* which it was before */
    assert_int_equal(f.result.partitions[0].error, 0);
    findings_add_extent(&f, 1, &refused, 1, 1000);
    assert_int_equal(f.result.partitions[0].error, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
}

static void of_another_topic_of_that_name_nothing_is_known(void **state)
{
    uint64_t generation;

    (void)state;
    tell(3, 0, 0);
    answer(1, 0, 7, 3);
    generation = f.generation;
    tell(4, 0, 1);
    assert_int_equal(f.generation, generation);
    assert_int_equal(f.result.partitions[0].end, 7);
    tell(2, 0, 2);
    assert_true(f.generation > generation);
    assert_int_equal(f.result.partitions[0].end, -1);
    tell(0, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 3);
    assert_true(f.generation > generation + 1);
    assert_int_equal(f.result.n, 0);
}

/* Who takes late must hear of it, too. */
static void that_a_topic_was_another_meanwhile_is_told_once(void **state)
{
    struct survey_result r;

    (void)state;
    tell(2, 0, 0);
    tell(0, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 1);
    tell(3, 0, 2);
    assert_true(findings_take(&f, &r));
    assert_true(r.anew);
    assert_int_equal(r.n, 3);
    survey_result_fini(&r);
    tell(3, 0, 3);
    findings_take(&f, &r);
    assert_false(r.anew);
    survey_result_fini(&r);
    tell(2, 0, 4);
    tell(3, 0, 5);
    findings_take(&f, &r);
    assert_true(r.anew);
    survey_result_fini(&r);
}

/* It may be the same one, for all that the answer says. */
static void a_topic_of_which_nothing_may_be_told_is_no_other(void **state)
{
    struct survey_result r;

    (void)state;
    tell(2, 0, 0);
    tell(0, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);
    tell(2, 0, 2);
    findings_take(&f, &r);
    assert_false(r.anew);
    survey_result_fini(&r);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_new_is_taken_once),
        T(an_answer_is_fresh_until_it_is_taken),
        T(an_answer_to_an_older_question_is_none),
        T(what_comes_of_an_older_question_is_nothing),
        T(a_partition_is_settled_when_the_one_that_leads_it_has_answered),
        T(the_error_is_the_leaders),
        T(of_another_topic_of_that_name_nothing_is_known),
        T(that_a_topic_was_another_meanwhile_is_told_once),
        T(a_topic_of_which_nothing_may_be_told_is_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

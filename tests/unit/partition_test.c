#include "kafka/partition.h"

#include "kafka/tick.h"
#include "support.h"

static struct partition p;
static struct tick tick;
static int64_t now_ms;

static int setup(void **state)
{
    (void)state;
    now_ms = 5000;
    p = partition_new(now_ms);
    tick = tick_new(now_ms);
    return 0;
}

/* It is fetched from there on, and its leader has said where it ends. */
static void start(int64_t next, int64_t end)
{
    p.started = true;
    p.next = next;
    partition_answered(&p, end, 1);
}

static enum partition_state look(void)
{
    enum partition_state before = p.state;

    now_ms += TICK_MS;
    tick_look(&tick, now_ms);
    bool changed = partition_look(&p, false, &tick);
    assert_int_equal(changed, p.state != before);
    return p.state;
}

/* Looks on for so long, and its leader answers each time: its state in the end. */
static enum partition_state look_while_answered(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        partition_answered(&p, p.seen_end, 1);
        look();
    }
    return p.state;
}

/* Likewise, and nobody answers. */
static enum partition_state look_in_silence(int seconds)
{
    for (int i = 0; i < seconds; i++)
        look();
    return p.state;
}

static void one_that_nobody_answers_for_is_away_within_ten_seconds(void **state)
{
    (void)state;
    assert_int_equal(look_in_silence(8), PARTITION_GIVES);
    assert_int_equal(look_in_silence(1), PARTITION_AWAY);
}

static void an_answer_begins_the_time_anew(void **state)
{
    (void)state;
    start(0, 0);
    look_in_silence(8);
    partition_answered(&p, 0, 2);
    assert_int_equal(look_in_silence(9), PARTITION_GIVES);
    assert_int_equal(look_in_silence(1), PARTITION_AWAY);
}

/* An answer may take longer than a record: both come over one connection. */
static void one_that_moves_is_not_away(void **state)
{
    (void)state;
    start(0, 100);
    for (int i = 0; i < 30; i++) {
        p.next++;
        assert_int_equal(look(), PARTITION_GIVES);
    }
}

static void the_end_of_one_that_is_away_is_not_known(void **state)
{
    (void)state;
    start(5, 5);
    look();
    look_in_silence(9);
    assert_int_equal(p.end, -1);
    assert_int_equal(p.seen_end, 5);
}

static void one_that_is_away_is_back_with_an_answer(void **state)
{
    (void)state;
    start(5, 5);
    look_in_silence(10);
    partition_answered(&p, 8, 2);
    assert_int_equal(look(), PARTITION_GIVES);
    assert_int_equal(p.end, 8);
}

static void one_with_more_to_read_that_stands_still_is_stuck(void **state)
{
    (void)state;
    start(3, 5);
    look(); /* it has come to 3 */
    assert_int_equal(look_while_answered(9), PARTITION_GIVES);
    assert_int_equal(look_while_answered(1), PARTITION_STUCK);
    p.next = 4;
    assert_int_equal(look(), PARTITION_GIVES);
}

static void one_that_has_read_everything_is_idle(void **state)
{
    (void)state;
    start(5, 5);
    assert_int_equal(look_while_answered(100), PARTITION_GIVES);
}

/* Nobody knows whether there is more. */
static void silence_makes_nothing_stuck(void **state)
{
    (void)state;
    start(3, 5);
    look();
    look_while_answered(9);
    assert_int_equal(look_in_silence(8), PARTITION_GIVES);
    assert_int_equal(look_in_silence(1), PARTITION_AWAY);
    assert_int_equal(look_while_answered(9), PARTITION_GIVES); /* its time begins anew */
    assert_int_equal(look_while_answered(1), PARTITION_STUCK);
}

static void one_whose_records_nobody_takes_is_neither_away_nor_stuck(void **state)
{
    (void)state;
    start(3, 5);
    for (int i = 0; i < 30; i++) {
        now_ms += TICK_MS;
        tick_look(&tick, now_ms);
        partition_look(&p, true, &tick);
        assert_int_equal(p.state, PARTITION_GIVES);
    }
}

static void one_that_may_not_be_read_stands_still(void **state)
{
    (void)state;
    start(5, 5);
    look();
    p.refused = true;
    assert_int_equal(look_while_answered(10), PARTITION_STUCK);
    p.refused = false;
    assert_int_equal(look_while_answered(1), PARTITION_GIVES);
}

/* The process stood still, not the partition. */
static void a_long_time_between_two_looks_counts_for_little(void **state)
{
    (void)state;
    start(3, 5);
    look();
    partition_answered(&p, 5, 2);
    now_ms += 60000;
    tick_look(&tick, now_ms);
    partition_look(&p, false, &tick);
    assert_int_equal(p.state, PARTITION_GIVES);
}

static void nor_is_one_away_because_we_did_not_run(void **state)
{
    (void)state;
    start(5, 5);
    look();
    now_ms += 60000;
    tick_look(&tick, now_ms);
    partition_look(&p, false, &tick);
    assert_int_equal(p.state, PARTITION_GIVES);
    assert_int_equal(look_in_silence(7), PARTITION_GIVES);
    assert_int_equal(look_in_silence(1), PARTITION_AWAY);
}

/* It was found in the turn in which we went on, before the look. */
static void one_that_is_new_when_we_go_on_is_away_like_any_other(void **state)
{
    (void)state;
    now_ms += 3600000;
    p = partition_new(now_ms);
    tick_look(&tick, now_ms);
    partition_look(&p, false, &tick);
    assert_int_equal(look_in_silence(8), PARTITION_GIVES);
    assert_int_equal(look_in_silence(1), PARTITION_AWAY);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(one_that_nobody_answers_for_is_away_within_ten_seconds),
        T(an_answer_begins_the_time_anew),
        T(one_that_moves_is_not_away),
        T(the_end_of_one_that_is_away_is_not_known),
        T(one_that_is_away_is_back_with_an_answer),
        T(one_with_more_to_read_that_stands_still_is_stuck),
        T(one_that_has_read_everything_is_idle),
        T(silence_makes_nothing_stuck),
        T(one_whose_records_nobody_takes_is_neither_away_nor_stuck),
        T(one_that_may_not_be_read_stands_still),
        T(a_long_time_between_two_looks_counts_for_little),
        T(nor_is_one_away_because_we_did_not_run),
        T(one_that_is_new_when_we_go_on_is_away_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

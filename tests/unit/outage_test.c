#include "kafka/outage.h"

#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "support.h"

/* -- what is logged -- */

static struct buf lines;

static void note(const char *format, va_list ap)
{
    char line[2048];

    vsnprintf(line, sizeof line, format, ap);
    buf_printf(&lines, "%s\n", line);
}

void __wrap_log_error(const char *format, ...);
void __wrap_log_error(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    note(format, ap);
    va_end(ap);
}

void __wrap_log_info(const char *format, ...);
void __wrap_log_info(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    note(format, ap);
    va_end(ap);
}

/* -- six partitions of three brokers -- */

enum { PARTITIONS = 6, BROKERS = 2 };
static struct partition partitions[PARTITIONS];
static struct contact contact;
static struct trouble trouble;
static const struct broker brokers[BROKERS] = {{1, "one:9092"}, {2, "two:9092"}};

static int setup(void **state)
{
    (void)state;
    contact_init(&contact, 0);
    trouble_init(&trouble, "events", &contact);
    for (int i = 0; i < PARTITIONS; i++) {
        partitions[i] = partition_new(0);
        partitions[i].leader = 1 + i / 3;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&lines);
    return 0;
}

static void check_told(const char *expected)
{
    lines.n = 0;
    outage_tell(&trouble, brokers, BROKERS, partitions, PARTITIONS);
    assert_text(buf_slice(&lines), expected);
}

static void what_goes_well_is_not_told(void **state)
{
    (void)state;
    check_told("");
}

static void the_partitions_of_a_broker_are_one_line_and_once(void **state)
{
    (void)state;
    partitions[3].state = partitions[5].state = PARTITION_AWAY;
    check_told("kafka: broker 2 at two:9092 gives nothing of events[3,5], the other partitions go "
               "on: it does not answer\n");
    check_told("");
    partitions[4].state = PARTITION_AWAY;
    check_told("kafka: broker 2 at two:9092 gives nothing of events[4], the other partitions go "
               "on: it does not answer\n");
    for (int i = 3; i < 6; i++) {
        partitions[i].state = PARTITION_GIVES;
        partitions[i].next = 7;
    }
    check_told("kafka: events[3-5] goes on at 7\n");
    check_told("");
}

static void the_reason_is_librdkafkas_or_the_brokers(void **state)
{
    (void)state;
    contact_hear(&contact, RD_KAFKA_RESP_ERR__TRANSPORT, "one:9092/1: Connection refused");
    partitions[0].state = PARTITION_AWAY;
    check_told("kafka: broker 1 at one:9092 gives nothing of events[0], the other partitions go "
               "on: Connection refused\n");
    partitions[3].state = PARTITION_AWAY;
    partitions[3].error = RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR;
    check_told("kafka: broker 2 at two:9092 gives nothing of events[3], the other partitions go "
               "on: Broker: Disk error when trying to access log file on disk\n");
}

static void each_broker_has_its_line_and_the_leaderless_have_one(void **state)
{
    (void)state;
    for (int i = 1; i < 5; i++)
        partitions[i].state = PARTITION_AWAY;
    partitions[2].leader = -1;
    partitions[2].home = 1;
    check_told("kafka: broker 1 at one:9092 gives nothing of events[1], the other partitions go "
               "on: it does not answer\n"
               "kafka: broker 1 at one:9092 gives nothing of events[2], the other partitions go "
               "on: the cluster has no leader for it\n"
               "kafka: broker 2 at two:9092 gives nothing of events[3-4], the other partitions go "
               "on: it does not answer\n");
}

static void one_that_is_stuck_says_what_was_fetched_in_vain(void **state)
{
    (void)state;
    words_note(&trouble.words, WORDS_PARTITION, 1, "the batch is broken");
    contact_hear(&contact, RD_KAFKA_RESP_ERR__BAD_MSG, "two:9092/2: it is too large");
    words_note(&trouble.words, WORDS_PARTITION, 2, "this one, too");
    for (int i = 0; i < 6; i++)
        partitions[i].state = PARTITION_STUCK;
    partitions[1].next = 17;
    partitions[3].next = 3;
    check_told("kafka: events[0] is stuck at -1 though its broker answers\n"
               "kafka: events[1] is stuck at 17 though its broker answers: the batch is broken\n"
               "kafka: events[2] is stuck at -1 though its broker answers: this one, too\n"
               "kafka: events[3-5] is stuck at 3 though its broker answers: it is too large\n");
    check_told("");
}

static void a_broker_that_nobody_has_told_of_is_told_by_its_number(void **state)
{
    (void)state;
    partitions[0].leader = 7;
    partitions[0].state = PARTITION_AWAY;
    check_told("kafka: broker 7 at an unknown address gives nothing of events[0], the other "
               "partitions go on: it does not answer\n");
}

static void of_many_partitions_the_first_ones_are_named(void **state)
{
    enum { MANY = 400 };
    static struct partition many[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        many[i] = partition_new(0);
        many[i].leader = 1;
        many[i].state = i % 2 ? PARTITION_AWAY : PARTITION_GIVES;
    }
    outage_tell(&trouble, brokers, BROKERS, many, MANY);
    assert_non_null(memmem(lines.p, lines.n, "events[1,3,5,", 13));
    assert_non_null(memmem(lines.p, lines.n, " more, the other", 16));
    assert_in_range(lines.n, 200, 500);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(many[i].told, many[i].state);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_goes_well_is_not_told),
        T(the_partitions_of_a_broker_are_one_line_and_once),
        T(the_reason_is_librdkafkas_or_the_brokers),
        T(each_broker_has_its_line_and_the_leaderless_have_one),
        T(one_that_is_stuck_says_what_was_fetched_in_vain),
        T(a_broker_that_nobody_has_told_of_is_told_by_its_number),
        T(of_many_partitions_the_first_ones_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

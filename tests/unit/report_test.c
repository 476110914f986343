#include "report.h"

#include "reason_bits.h"
#include "support.h"

enum { SLOW_FOR_MS = 60000 };

/* -- the rooms, as the report sees them -- */

struct loop {
    struct loop_turns turns;
};
static struct loop loop;
static int64_t now_ms;
static struct fanout_stats fanout;
static size_t streams;
static struct consumer_stats consumer;
static bool ready, keys_broken;
static uint64_t refusals[REFUSED_COUNTS], renewals[RENEWALS];
static char a_fanout, a_consumer, a_handler, a_guard, some_sessions; /* never looked into */

const struct loop_turns *loop_turns(const struct loop *l)
{
    return &l->turns;
}

int64_t loop_now_ms(void)
{
    return now_ms;
}

struct fanout_stats fanout_stats(const struct fanout *f)
{
    assert_ptr_equal(f, &a_fanout);
    return fanout;
}

size_t fanout_count(const struct fanout *f)
{
    assert_ptr_equal(f, &a_fanout);
    return streams;
}

struct consumer_stats consumer_stats(const struct consumer *c)
{
    assert_ptr_equal(c, &a_consumer);
    return consumer;
}

bool consumer_ready(const struct consumer *c)
{
    assert_ptr_equal(c, &a_consumer);
    return ready;
}

int64_t consumer_lag(const struct consumer *c, int32_t partition)
{
    assert_ptr_equal(c, &a_consumer);
    return 100 + partition;
}

const uint64_t *handler_renewals(const struct handler *h)
{
    assert_ptr_equal(h, &a_handler);
    return renewals;
}

uint64_t sessions_challenges(const struct sessions *ss)
{
    assert_ptr_equal(ss, &some_sessions);
    return 50;
}

size_t guard_issuers(const struct guard *g)
{
    assert_ptr_equal(g, &a_guard);
    return 2;
}

struct guard_keys guard_keys(const struct guard *g, size_t i)
{
    static const char *const names[] = {"https://a.example", "https://b.example"};

    assert_ptr_equal(g, &a_guard);
    return (struct guard_keys){names[i], i == 1 && keys_broken, 51 + (int64_t)i};
}

const uint64_t *handler_refusals(const struct handler *h)
{
    assert_ptr_equal(h, &a_handler);
    return refusals;
}

/* -- */

static struct report report;
static struct metrics metrics;

static int setup(void **state)
{
    (void)state;
    memset(&loop, 0, sizeof loop);
    memset(&consumer, 0, sizeof consumer);
    memset(refusals, 0, sizeof refusals);
    memset(renewals, 0, sizeof renewals);
    memset(&metrics, 0, sizeof metrics);
    now_ms = 1000000;
    fanout = (struct fanout_stats){.caught_up = true};
    streams = 0;
    ready = true;
    keys_broken = false;
    report = (struct report){.loop = &loop,
                             .fanout = (struct fanout *)&a_fanout,
                             .consumer = (struct consumer *)&a_consumer,
                             .handler = (struct handler *)&a_handler};
    return 0;
}

static uint32_t reasons(void)
{
    report_collect(&report, &metrics);
    return bits_of(&metrics.health);
}

static void one_that_fares_well_is_ready(void **state)
{
    (void)state;
    assert_int_equal(reasons(), 0);
    report.guard = (struct guard *)&a_guard;
    assert_int_equal(reasons(), 0);
}

static void a_topic_that_is_missing_is_not_caught_up_with(void **state)
{
    (void)state;
    ready = fanout.caught_up = false;
    assert_int_equal(reasons(), BIT(CATCHING_UP));
    ready = true;
    assert_int_equal(reasons(), BIT(CATCHING_UP));
    consumer.trouble = TROUBLE_MISSING;
    assert_int_equal(reasons(), BIT(TOPIC_MISSING));
}

static void each_trouble_with_kafka_is_a_reason_of_its_own(void **state)
{
    (void)state;
    ready = fanout.caught_up = false;
    consumer.trouble = TROUBLE_AWAY;
    assert_int_equal(reasons(), BIT(KAFKA_AWAY));
    consumer.trouble = TROUBLE_REFUSED;
    assert_int_equal(reasons(), BIT(KAFKA_REFUSED));
}

static void partitions_that_are_away_are_counted(void **state)
{
    (void)state;
    consumer.away = 3;
    assert_int_equal(reasons(), BIT(PARTITION_AWAY));
    assert_int_equal(metrics.health.count[REASON_PARTITION_AWAY], 3);
}

static void each_other_trouble_is_a_reason_of_its_own(void **state)
{
    (void)state;
    fanout.cache_overflowed = true;
    assert_int_equal(reasons(), BIT(CACHE_FULL));
    fanout.cache_overflowed = false;
    consumer.stuck = true;
    assert_int_equal(reasons(), BIT(CONSUMER_STUCK));
    consumer.stuck = false;
    consumer.refused = 2001;
    assert_int_equal(reasons(), BIT(TOO_MANY_PARTITIONS));
    consumer.refused = 0;
    consumer.settings_assumed = true;
    assert_int_equal(reasons(), BIT(SETTINGS_ASSUMED));
    consumer.settings_assumed = false;
    report.draining = true;
    assert_int_equal(reasons(), BIT(DRAINING));
    report.draining = false;
    report.guard = (struct guard *)&a_guard;
    keys_broken = true;
    assert_int_equal(reasons(), BIT(KEYS_BROKEN));
    fanout.caught_up = false;
    assert_int_equal(reasons(), BIT(KEYS_BROKEN) | BIT(CATCHING_UP));
}

static void a_long_turn_is_held_against_it_for_a_minute(void **state)
{
    (void)state;
    loop.turns.last_long_ms = now_ms;
    assert_int_equal(reasons(), BIT(LOOP_SLOW));
    now_ms += SLOW_FOR_MS - 1;
    assert_int_equal(reasons(), BIT(LOOP_SLOW));
    now_ms++;
    assert_int_equal(reasons(), 0);
}

/* The clock may have begun with the machine, just now. */
static void without_a_long_turn_nothing_is_held_against_it(void **state)
{
    (void)state;
    now_ms = 5;
    assert_int_equal(reasons(), 0);
}

static void each_number_has_its_place(void **state)
{
    (void)state;
    streams = 1;
    fanout.opened = 2;
    for (int i = 0; i < STREAM_ENDS; i++)
        fanout.ended[i] = (uint64_t)(10 + i);
    for (int i = 0; i < REFUSED_COUNTS; i++)
        refusals[i] = (uint64_t)(20 + i);
    for (int i = 0; i < RENEWALS; i++)
        renewals[i] = (uint64_t)(30 + i);
    report.guard = (struct guard *)&a_guard;
    report.sessions = (struct sessions *)&some_sessions;
    fanout.sent_events = 60;
    fanout.sent_bytes = 61;
    fanout.cache_keys = 62;
    fanout.records = 3;
    fanout.conflations = 5;
    fanout.gaps = 6;
    fanout.resets = 7;
    fanout.cache_records = 8;
    fanout.cache_bytes = 9;
    loop.turns = (struct loop_turns){.count = 38, .busy_ms = 39, .longest_ms = 40, .long_ones = 41};
    consumer.stuck_ever = 42;
    report_collect(&report, &metrics);

    const int64_t expected[METRICS] = {
        [METRIC_STREAMS] = 1,
        [METRIC_OPENED] = 2,
        [METRIC_ENDED_CLIENT] = 10 + STREAM_END_CLIENT,
        [METRIC_ENDED_TOKEN] = 10 + STREAM_END_TOKEN,
        [METRIC_ENDED_AGE] = 10 + STREAM_END_AGE,
        [METRIC_ENDED_DRAIN] = 10 + STREAM_END_DRAIN,
        [METRIC_REFUSED_DRAINING] = 20 + REFUSED_DRAINING,
        [METRIC_REFUSED_FULL] = 20 + REFUSED_FULL,
        [METRIC_REFUSED_ADDRESS_STREAMS] = 20 + REFUSED_ADDRESS_STREAMS,
        [METRIC_REFUSED_ADDRESS_OPENS] = 20 + REFUSED_ADDRESS_OPENS,
        [METRIC_REFUSED_ADDRESS_ATTEMPTS] = 20 + REFUSED_ADDRESS_ATTEMPTS,
        [METRIC_REFUSED_SUBJECT_STREAMS] = 20 + REFUSED_SUBJECT_STREAMS,
        [METRIC_REFUSED_SUBJECT_OPENS] = 20 + REFUSED_SUBJECT_OPENS,
        [METRIC_REFUSED_BUSY] = 20 + REFUSED_BUSY,
        [METRIC_REFUSED_TOKEN] = 20 + REFUSED_TOKEN,
        [METRIC_REFUSED_FORBIDDEN] = 20 + REFUSED_FORBIDDEN,
        [METRIC_REFUSED_OTHER] = 20 + REFUSED_OTHER,
        [METRIC_RENEWAL_ACCEPTED] = 30 + RENEWAL_ACCEPTED,
        [METRIC_RENEWAL_TOKEN] = 30 + RENEWAL_TOKEN,
        [METRIC_RENEWAL_FORBIDDEN] = 30 + RENEWAL_FORBIDDEN,
        [METRIC_RENEWAL_LIMITED] = 30 + RENEWAL_LIMITED,
        [METRIC_RENEWAL_PEER] = 30 + RENEWAL_PEER,
        [METRIC_RENEWAL_BUSY] = 30 + RENEWAL_BUSY,
        [METRIC_CHALLENGES] = 50,
        [METRIC_SENT_EVENTS] = 60,
        [METRIC_SENT_BYTES] = 61,
        [METRIC_RECORDS] = 3,
        [METRIC_CONFLATIONS] = 5,
        [METRIC_GAPS] = 6,
        [METRIC_RESETS] = 7,
        [METRIC_CACHE_RECORDS] = 8,
        [METRIC_CACHE_KEYS] = 62,
        [METRIC_CACHE_BYTES] = 9,
        [METRIC_TURNS] = 38,
        [METRIC_BUSY] = 39,
        [METRIC_LONGEST_TURN] = 40,
        [METRIC_LONG_TURNS] = 41,
        [METRIC_STUCK] = 42,
    };
    for (int i = 0; i < METRICS; i++)
        assert_int_equal(metrics.values[i], expected[i]);
}

static void each_partition_has_its_lag(void **state)
{
    (void)state;
    consumer.partitions = METRICS_LAGS + 2;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.partitions, METRICS_LAGS + 2);
    for (int i = 0; i < METRICS_LAGS; i++)
        assert_int_equal(metrics.lag[i], 100 + i);
    assert_int_equal(metrics.lag[METRICS_LAGS], 2 * 100 + 2 * METRICS_LAGS + 1);
}

static void an_open_pool_has_no_keys_and_no_challenges(void **state)
{
    (void)state;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.issuer_count, 0);
    assert_int_equal(metrics.values[METRIC_CHALLENGES], 0);
}

static void it_tells_how_the_keys_of_each_issuer_fare(void **state)
{
    (void)state;
    report.guard = (struct guard *)&a_guard;
    keys_broken = true;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.issuer_count, 2);
    assert_string_equal(metrics.issuers[1].name, "https://b.example");
    assert_true(!metrics.issuers[0].broken && metrics.issuers[1].broken);
    assert_int_equal(metrics.issuers[0].changed_ms, 51);
    assert_int_equal(metrics.health.count[REASON_KEYS_BROKEN], 1);
}

static void it_tells_whether_the_pool_is_guarded(void **state)
{
    (void)state;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.guarded, 0);
    report.guard = (struct guard *)&a_guard;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.guarded, 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(one_that_fares_well_is_ready),
        T(a_topic_that_is_missing_is_not_caught_up_with),
        T(each_trouble_with_kafka_is_a_reason_of_its_own),
        T(partitions_that_are_away_are_counted),
        T(each_other_trouble_is_a_reason_of_its_own),
        T(a_long_turn_is_held_against_it_for_a_minute),
        T(without_a_long_turn_nothing_is_held_against_it),
        T(each_number_has_its_place),
        T(each_partition_has_its_lag),
        T(an_open_pool_has_no_keys_and_no_challenges),
        T(it_tells_how_the_keys_of_each_issuer_fare),
        T(it_tells_whether_the_pool_is_guarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

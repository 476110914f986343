#include "report.h"

#include "base/process.h"
#include "reason_bits.h"
#include "support.h"

enum { SLOW_FOR_MS = 60000 };

/* -- the rooms, as the report sees them -- */

struct loop {
    struct loop_turns turns;
};
static struct loop loop;
static int64_t now_ms;
/* of the second topic; nothing is wrong with the first */
static struct fanout_stats fanout;
static size_t streams;
static struct consumer_stats consumer;
static bool ready, keys_broken;
static uint64_t refusals[REFUSED_COUNTS], renewals[RENEWALS];
static char first, a_fanout, a_consumer, a_handler, an_inlet, a_guard,
    some_sessions; /* never looked into */
static struct fanout *fanouts[] = {(struct fanout *)&first, (struct fanout *)&a_fanout};
static struct consumer *consumers[] = {(struct consumer *)&first, (struct consumer *)&a_consumer};
static const size_t by_route[] = {43, 44, 45};

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
    return f == fanouts[0] ? (struct fanout_stats){.caught_up = true} : fanout;
}

size_t fanout_count(const struct fanout *f)
{
    return f == fanouts[0] ? 7 : streams;
}

struct consumer_stats consumer_stats(const struct consumer *c)
{
    return c == consumers[0] ? (struct consumer_stats){.partitions = 0} : consumer;
}

bool consumer_ready(const struct consumer *c)
{
    return c == consumers[0] || ready;
}

int64_t consumer_lag(const struct consumer *c, int32_t partition)
{
    assert_ptr_equal(c, &a_consumer);
    return 100 + partition;
}

const size_t *handler_streams(const struct handler *h)
{
    assert_ptr_equal(h, &a_handler);
    return by_route;
}

size_t handler_waiting(const struct handler *h)
{
    assert_ptr_equal(h, &a_handler);
    return 20;
}

size_t inlet_waiting(const struct inlet *i)
{
    assert_ptr_equal(i, &an_inlet);
    return 3;
}

int64_t process_resident_bytes(void)
{
    return 71;
}

int64_t process_descriptors(void)
{
    return -1; /* an older kernel */
}

int64_t process_descriptors_limit(void)
{
    return 73;
}

size_t handler_handles(const struct handler *h)
{
    (void)h;
    return 4;
}

uint64_t handler_handles_forgotten(const struct handler *h)
{
    (void)h;
    return 5;
}

uint64_t handler_told(const struct handler *h)
{
    (void)h;
    return 3;
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
static struct routes *routes;
static struct config_topic topics[] = {{.cache_bytes = 1}, {.cache_bytes = 70}};
static struct config config = {.topics = topics, .max_handles = 76};
static const struct backlogs backlogs = {.max_bytes = 75};
static const struct fanouts all_fanouts = {fanouts, 2};

static void make_routes(void)
{
    config.routes = routes = routes_new();
    routes_add_topic(routes, "a");
    routes_add_topic(routes, "b");
    routes_add_literal(routes, "/a", (struct from){0});
    routes_add_literal(routes, "/b", (struct from){0});
    routes_add_literal(routes, "/c", (struct from){0});
}

static int teardown(void **state)
{
    (void)state;
    routes_free(routes);
    metrics_fini(&metrics);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&loop, 0, sizeof loop);
    memset(&consumer, 0, sizeof consumer);
    memset(refusals, 0, sizeof refusals);
    memset(renewals, 0, sizeof renewals);
    make_routes();
    metrics_init(&metrics, 2, 3);
    now_ms = 1000000;
    fanout = (struct fanout_stats){.caught_up = true};
    streams = 0;
    ready = true;
    keys_broken = false;
    report = (struct report){.loop = &loop,
                             .config = &config,
                             .descriptors = {.streams = 74, .requests = 72},
                             .fanouts = &all_fanouts,
                             .backlogs = &backlogs,
                             .consumers = consumers,
                             .handler = (struct handler *)&a_handler};
    return 0;
}

static uint32_t reasons(void)
{
    report_collect(&report, &metrics);
    assert_int_equal(bits_of(&metrics.topics[0].health), 0);
    assert_int_equal(bits_of(&metrics.topics[1].health) & bits_of(&metrics.health), 0);
    const struct health both = metrics_health(&metrics, 1);
    return bits_of(&both);
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
    assert_int_equal(metrics.topics[1].health.count[REASON_PARTITION_AWAY], 3);
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
    for (int i = 0; i < SHAPE_KINDS; i++) {
        fanout.open_as[i] = (size_t)(110 + i);
        fanout.opened_as[i] = (uint64_t)(120 + i);
    }
    fanout.sent_events = 60;
    fanout.sent_bytes = 61;
    fanout.cache_keys = 62;
    fanout.records = 3;
    fanout.conflations = 5;
    fanout.gaps = 6;
    for (int i = 0; i < RESETS; i++)
        fanout.resets[i] = (uint64_t)(100 + i);
    fanout.unwanted = 63;
    fanout.index_keys = 64;
    fanout.cache_records = 8;
    fanout.cache_bytes = 9;
    fanout.backlog_bytes = 46;
    loop.turns = (struct loop_turns){.count = 38, .busy_ms = 39, .longest_ms = 40, .long_ones = 41};
    consumer.stuck_ever = 42;
    fanout.delays = (struct delay_counts){.at = {65}, .sum_ms = 66};
    report_collect(&report, &metrics);

    const int64_t of_topic[TOPIC_METRICS] = {
        [TOPIC_METRIC_STREAMS] = 1,
        [TOPIC_METRIC_OPENED] = 2,
        [TOPIC_METRIC_ENDED_CLIENT] = 10 + STREAM_END_CLIENT,
        [TOPIC_METRIC_ENDED_TOKEN] = 10 + STREAM_END_TOKEN,
        [TOPIC_METRIC_ENDED_AGE] = 10 + STREAM_END_AGE,
        [TOPIC_METRIC_ENDED_DRAIN] = 10 + STREAM_END_DRAIN,
        [TOPIC_METRIC_ENDED_WHOLE] = 10 + STREAM_END_WHOLE,
        [TOPIC_METRIC_ENDED_REPLACED] = 10 + STREAM_END_REPLACED,
        [TOPIC_METRIC_SHAPE_SSE] = 110 + SHAPE_SSE,
        [TOPIC_METRIC_SHAPE_ENVELOPE] = 110 + SHAPE_ENVELOPE,
        [TOPIC_METRIC_SHAPE_NDJSON] = 110 + SHAPE_NDJSON,
        [TOPIC_METRIC_SHAPE_JSON] = 110 + SHAPE_JSON,
        [TOPIC_METRIC_SHAPE_OPENED_SSE] = 120 + SHAPE_SSE,
        [TOPIC_METRIC_SHAPE_OPENED_ENVELOPE] = 120 + SHAPE_ENVELOPE,
        [TOPIC_METRIC_SHAPE_OPENED_NDJSON] = 120 + SHAPE_NDJSON,
        [TOPIC_METRIC_SHAPE_OPENED_JSON] = 120 + SHAPE_JSON,
        [TOPIC_METRIC_SENT_EVENTS] = 60,
        [TOPIC_METRIC_SENT_BYTES] = 61,
        [TOPIC_METRIC_RECORDS] = 3,
        [TOPIC_METRIC_CONFLATIONS] = 5,
        [TOPIC_METRIC_GAPS] = 6,
        [TOPIC_METRIC_RESET_ID_MALFORMED] = 100 + RESET_ID_MALFORMED,
        [TOPIC_METRIC_RESET_PARTITION_UNKNOWN] = 100 + RESET_PARTITION_UNKNOWN,
        [TOPIC_METRIC_RESET_ID_BEYOND_END] = 100 + RESET_ID_BEYOND_END,
        [TOPIC_METRIC_RESET_DELETES_UNKNOWN] = 100 + RESET_DELETES_UNKNOWN,
        [TOPIC_METRIC_RESET_TOPIC_NEW] = 100 + RESET_TOPIC_NEW,
        [TOPIC_METRIC_RESET_SELECTION] = 100 + RESET_SELECTION,
        [TOPIC_METRIC_UNWANTED] = 63,
        [TOPIC_METRIC_INDEX_KEYS] = 64,
        [TOPIC_METRIC_CACHE_RECORDS] = 8,
        [TOPIC_METRIC_CACHE_KEYS] = 62,
        [TOPIC_METRIC_CACHE_BYTES] = 9,
        [TOPIC_METRIC_CACHE_LIMIT] = 70,
        [TOPIC_METRIC_BACKLOG_BYTES] = 46,
        [TOPIC_METRIC_STUCK] = 42,
    };
    const int64_t expected[METRICS] = {
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
        [METRIC_TOLD] = 3,
        [METRIC_HANDLES] = 4,
        [METRIC_HANDLES_LIMIT] = 76,
        [METRIC_HANDLES_FORGOTTEN] = 5,
        [METRIC_CHALLENGES] = 50,
        [METRIC_TURNS] = 38,
        [METRIC_BUSY] = 39,
        [METRIC_LONGEST_TURN] = 40,
        [METRIC_LONG_TURNS] = 41,
        [METRIC_STREAMS_LIMIT] = 74,
        [METRIC_REQUESTS] = 20,
        [METRIC_REQUESTS_LIMIT] = 72,
        [METRIC_BACKLOGS_LIMIT] = 75,
        [METRIC_RESIDENT] = 71,
        [METRIC_DESCRIPTORS] = -1,
        [METRIC_DESCRIPTORS_LIMIT] = 73,
    };
    for (int i = 0; i < TOPIC_METRICS; i++)
        assert_int_equal(metrics.topics[1].values[i], of_topic[i]);
    assert_int_equal(metrics.topics[1].delays.at[0], 65);
    assert_int_equal(metrics.topics[1].delays.sum_ms, 66);
    assert_int_equal(metrics.topics[0].values[TOPIC_METRIC_STREAMS], 7);
    for (int i = 0; i < METRICS; i++)
        assert_int_equal(metrics.values[i], expected[i]);
}

static void requests_that_are_not_whole_are_counted_once_they_can_come(void **state)
{
    (void)state;
    report.inlet = (struct inlet *)&an_inlet;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.values[METRIC_REQUESTS], 23);
}

static void topics_and_routes_are_named(void **state)
{
    (void)state;
    report_collect(&report, &metrics);
    assert_string_equal(metrics.topics[0].name, "a");
    assert_string_equal(metrics.topics[1].name, "b");
    for (int i = 0; i < 3; i++)
        assert_int_equal(metrics.routes[i].streams, 43 + i);
    assert_string_equal(metrics.routes[2].path, "/c");
}

static void each_partition_has_its_lag(void **state)
{
    (void)state;
    consumer.partitions = METRICS_LAGS + 2;
    report_collect(&report, &metrics);
    assert_int_equal(metrics.topics[1].partitions, METRICS_LAGS + 2);
    for (int i = 0; i < METRICS_LAGS; i++)
        assert_int_equal(metrics.topics[1].lag[i], 100 + i);
    assert_int_equal(metrics.topics[1].lag[METRICS_LAGS], 2 * 100 + 2 * METRICS_LAGS + 1);
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
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_that_fares_well_is_ready),
        T(a_topic_that_is_missing_is_not_caught_up_with),
        T(each_trouble_with_kafka_is_a_reason_of_its_own),
        T(partitions_that_are_away_are_counted),
        T(each_other_trouble_is_a_reason_of_its_own),
        T(a_long_turn_is_held_against_it_for_a_minute),
        T(without_a_long_turn_nothing_is_held_against_it),
        T(each_number_has_its_place),
        T(requests_that_are_not_whole_are_counted_once_they_can_come),
        T(topics_and_routes_are_named),
        T(each_partition_has_its_lag),
        T(an_open_pool_has_no_keys_and_no_challenges),
        T(it_tells_how_the_keys_of_each_issuer_fare),
        T(it_tells_whether_the_pool_is_guarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

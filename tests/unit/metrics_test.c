#include "front/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static struct buf text;
static struct metrics made[8];
static size_t n_made;

static int teardown(void **state)
{
    (void)state;
    buf_fini(&text);
    while (n_made > 0)
        metrics_fini(&made[--n_made]);
    return 0;
}

static struct metrics new_metrics(int32_t topics, int32_t routes)
{
    metrics_init(&made[n_made], topics, routes);
    return made[n_made++];
}

/* Each value tells whose and which it is. */
static struct metrics sample(int pid)
{
    struct metrics m = new_metrics(1, 1);

    m.pid = pid;
    snprintf(m.responder, sizeof m.responder, "r%d", pid);
    strcpy(m.version, "1.2.3");
    strcpy(m.topics[0].name, "t");
    strcpy(m.routes[0].path, "/of/{a}");
    m.routes[0].streams = pid;
    for (int i = 0; i < METRICS; i++)
        m.values[i] = pid * 1000 + 500 + i;
    for (int i = 0; i < TOPIC_METRICS; i++)
        m.topics[0].values[i] = pid * 1000 + i;
    m.issuer_count = 2;
    strcpy(m.issuers[0].name, "https://a.example");
    strcpy(m.issuers[1].name, "b\"\\c");
    m.issuers[1].broken = 1;
    m.topics[0].partitions = 2;
    m.topics[0].lag[0] = 30;
    m.topics[0].lag[1] = 31;
    return m;
}

static bool says(const char *line)
{
    return memmem(text.p, text.n, line, strlen(line)) != NULL;
}

static void a_value_stands_with_its_owner_and_label(void **state)
{
    struct metrics m[2] = {sample(7), sample(8)};

    (void)state;
    m[1].guarded = true;
    m[1].health.count[REASON_SILENT] = 1;
    m[0].topics[0].lag[1] = INT64_MAX;
    metrics_add_text(&text, m, 2);
    assert_true(says("# HELP sse_kafka_fanout_ready 1: ready for streams.\n"
                     "# TYPE sse_kafka_fanout_ready gauge\n"
                     "sse_kafka_fanout_ready{responder=\"r7\",pool=\"open\",topic=\"t\"} 1\n"
                     "sse_kafka_fanout_ready{responder=\"r8\",pool=\"guarded\",topic=\"t\"} 0\n"));
    assert_true(
        says("\nsse_kafka_fanout_streams{responder=\"r7\",pool=\"open\",topic=\"t\"} 7000\n"));
    assert_true(says("\nsse_kafka_fanout_streams_ended_total"
                     "{responder=\"r8\",pool=\"guarded\",topic=\"t\",reason=\"age\"} 8004\n"));
    assert_true(says("\nsse_kafka_fanout_lag_records{responder=\"r7\",pool=\"open\",topic=\"t\","
                     "partition=\"1\"} "
                     "9223372036854775807\n"));
    assert_true(
        says("\nsse_kafka_fanout_trouble{responder=\"r7\",pool=\"open\",reason=\"silent\"} 0\n"));
    assert_true(says(
        "\nsse_kafka_fanout_trouble{responder=\"r8\",pool=\"guarded\",reason=\"silent\"} 1\n"));
    assert_true(says(
        "\nsse_kafka_fanout_route_streams{responder=\"r7\",pool=\"open\",route=\"/of/{a}\"} 7\n"));
    assert_true(says("\n# TYPE sse_kafka_fanout_streams_ended_total counter\n"));
    assert_true(says("\n# TYPE sse_kafka_fanout_cache_bytes gauge\n"));
}

static bool is_part_of_histogram(const char *suffix)
{
    return strncmp(suffix, "_bucket{", 8) == 0 || strncmp(suffix, "_sum{", 5) == 0 ||
           strncmp(suffix, "_count{", 7) == 0;
}

/* A scraper refuses a text whose families are torn apart, or with one series twice. */
static void families_stand_together_and_no_series_comes_twice(void **state)
{
    struct metrics m[2] = {sample(7), sample(8)};
    char family[128] = "", types[8192] = "\n", series[32768] = "\n", *line, *rest = NULL;
    int values = 0;

    (void)state;
    metrics_add_text(&text, m, 2);
    assert_int_equal(text.p[text.n - 1], '\n');
    buf_add_byte(&text, 0);
    for (line = strtok_r((char *)text.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char name[256];
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%127s", family), 1);
            assert_true(strlen(line) > 7 + strlen(family) + 1);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            snprintf(name, sizeof name, "\n%s ", family);
            assert_null(strstr(types, name));
            snprintf(types + strlen(types), sizeof types - strlen(types), "%s \n", family);
            assert_memory_equal(line + 7, family, strlen(family));
        } else {
            values++;
            assert_memory_equal(line, family, strlen(family));
            assert_true(line[strlen(family)] == '{' || is_part_of_histogram(line + strlen(family)));
            snprintf(name, sizeof name, "\n%.*s\n", (int)(strrchr(line, ' ') - line), line);
            assert_null(strstr(series, name));
            snprintf(series + strlen(series), sizeof series - strlen(series), "%s\n", name + 1);
        }
    }
    /* info, ready, trouble, delays, routes, issuers, lag */
    assert_int_equal(
        values, 2 * (TOPIC_METRICS + METRICS + 1 + 1 + REASONS + DELAY_BOUNDS + 3 + 1 + 2 * 2 + 2));
}

static void the_process_is_in_one_series_that_a_restart_changes(void **state)
{
    struct metrics m = sample(7);

    (void)state;
    metrics_add_text(&text, &m, 1);
    assert_true(says("# TYPE sse_kafka_fanout_info gauge\n"
                     "sse_kafka_fanout_info{responder=\"r7\",pool=\"open\",pid=\"7\","
                     "version=\"1.2.3\"} 1\n"));
    buf_add_byte(&text, 0);
    assert_null(strstr(strstr((char *)text.p, "pid=") + 1, "pid="));
}

static void what_is_not_known_has_no_series(void **state)
{
    struct metrics m = sample(7);

    (void)state;
    m.values[METRIC_DESCRIPTORS] = -1;
    metrics_add_text(&text, &m, 1);
    assert_false(says("sse_kafka_fanout_open_descriptors{"));
    assert_true(says("sse_kafka_fanout_open_descriptors_limit{"));
}

static struct metrics namesake(int pid, int64_t start_ms, bool draining)
{
    struct metrics m = new_metrics(0, 0);

    strcpy(m.responder, "r");
    m.pid = pid;
    m.values[METRIC_START] = start_ms;
    m.health.count[REASON_DRAINING] = draining;
    return m;
}

static void of_one_name_the_oldest_that_serves_keeps_it(void **state)
{
    struct metrics m[] = {namesake(1, 10, true), namesake(2, 30, false), namesake(3, 20, false),
                          namesake(3, 20, false), namesake(4, 5, false)};

    (void)state;
    m[4].guarded = true;
    metrics_tell_apart(m, 5);
    assert_string_equal(m[0].responder, "r#4");
    assert_string_equal(m[1].responder, "r#3");
    assert_string_equal(m[2].responder, "r");
    assert_string_equal(m[3].responder, "r#2");
    assert_string_equal(m[4].responder, "r"); /* another pool */
}

static void each_topic_has_its_series_and_its_readiness(void **state)
{
    struct metrics m = new_metrics(3, 0);

    (void)state;
    strcpy(m.responder, "r7");
    for (int i = 0; i < 3; i++) {
        snprintf(m.topics[i].name, sizeof m.topics[i].name, "t%d", i);
        m.topics[i].values[TOPIC_METRIC_STREAMS] = i;
    }
    m.topics[1].health.count[REASON_TOPIC_MISSING] = 1;
    metrics_add_text(&text, &m, 1);
    assert_true(says("\nsse_kafka_fanout_ready{responder=\"r7\",pool=\"open\",topic=\"t0\"} 1\n"
                     "sse_kafka_fanout_ready{responder=\"r7\",pool=\"open\",topic=\"t1\"} 0\n"
                     "sse_kafka_fanout_ready{responder=\"r7\",pool=\"open\",topic=\"t2\"} 1\n"));
    assert_true(says("{responder=\"r7\",pool=\"open\",topic=\"t1\",reason=\"topic_missing\"} 1\n"));
    assert_true(says("{responder=\"r7\",pool=\"open\",topic=\"t2\",reason=\"topic_missing\"} 0\n"));
    assert_true(
        says("\nsse_kafka_fanout_streams{responder=\"r7\",pool=\"open\",topic=\"t2\"} 2\n"));
}

static void no_topic_is_ready_in_a_process_that_is_not(void **state)
{
    struct metrics m = new_metrics(2, 0);

    (void)state;
    m.health.count[REASON_DRAINING] = 1;
    metrics_add_text(&text, &m, 1);
    assert_true(says("ready{") && !says("} 1\n# HELP sse_kafka_fanout_trouble"));
    assert_true(says("trouble{responder=\"\",pool=\"open\",reason=\"draining\"} 1\n"));
}

/* A scraper refuses a text that is not UTF-8. */
static void a_path_of_any_bytes_is_a_label(void **state)
{
    struct metrics m = new_metrics(0, 1);

    (void)state;
    strcpy(m.routes[0].path, "/\xff\"\\\x7f{a}");
    metrics_add_text(&text, &m, 1);
    assert_true(says("route=\"/%FF\\\"\\\\%7F{a}\"} 0\n"));
}

static void times_are_told_in_seconds(void **state)
{
    struct metrics m = sample(7);

    (void)state;
    m.values[METRIC_BUSY] = 62005;
    m.values[METRIC_LONGEST_TURN] = 7;
    m.issuers[0].changed_ms = 1700000000123;
    metrics_add_text(&text, &m, 1);
    assert_true(says(
        "\nsse_kafka_fanout_loop_busy_seconds_total{responder=\"r7\",pool=\"open\"} 62.005\n"));
    assert_true(says(
        "\nsse_kafka_fanout_loop_longest_turn_seconds{responder=\"r7\",pool=\"open\"} 0.007\n"));
    assert_true(
        says("\nsse_kafka_fanout_jwks_changed_timestamp_seconds"
             "{responder=\"r7\",pool=\"open\",issuer=\"https://a.example\"} 1700000000.123\n"));
}

static void delays_are_a_histogram_of_seconds(void **state)
{
    struct metrics m = sample(7);

    (void)state;
    m.topics[0].delays = (struct delay_counts){.at = {3, 2, [DELAY_BOUNDS] = 1}, .sum_ms = 62005};
    metrics_add_text(&text, &m, 1);
#define SERIES(rest) "\nsse_kafka_fanout_append_to_written_seconds" rest
#define OF "responder=\"r7\",pool=\"open\",topic=\"t\""
    assert_true(says("\n# TYPE sse_kafka_fanout_append_to_written_seconds histogram" SERIES(
        "_bucket{" OF ",le=\"0.005\"} 3") SERIES("_bucket{" OF ",le=\"0.01\"} 5")
                         SERIES("_bucket{" OF ",le=\"0.025\"} 5\n")));
    assert_true(says(SERIES("_bucket{" OF ",le=\"60\"} 5") SERIES("_bucket{" OF ",le=\"+Inf\"} 6")
                         SERIES("_sum{" OF "} 62.005") SERIES("_count{" OF "} 6\n")));
}

static void the_keys_of_each_issuer_have_a_series(void **state)
{
    struct metrics m = sample(7);

    (void)state;
    metrics_add_text(&text, &m, 1);
    assert_true(says("\nsse_kafka_fanout_jwks_broken"
                     "{responder=\"r7\",pool=\"open\",issuer=\"https://a.example\"} 0\n"
                     "sse_kafka_fanout_jwks_broken"
                     "{responder=\"r7\",pool=\"open\",issuer=\"b\\\"\\\\c\"} 1\n"));
    assert_true(says("\n# TYPE sse_kafka_fanout_jwks_changed_timestamp_seconds gauge\n"));
}

static void what_there_is_not_is_left_out(void **state)
{
    struct metrics m[2] = {sample(7), sample(8)};

    (void)state;
    m[0].issuer_count = 0;
    m[0].topics[0].partitions = 0;
    metrics_add_text(&text, m, 2);
    assert_false(says("jwks_changed_timestamp_seconds{responder=\"r7\""));
    assert_true(says("jwks_changed_timestamp_seconds{responder=\"r8\""));
    assert_false(says("lag_records{responder=\"r7\""));
}

/* A topic of thousands of partitions does not make thousands of series. */
static void partitions_beyond_a_number_have_one_series(void **state)
{
    struct metrics m = sample(7);

    (void)state;
    m.topics[0].partitions = METRICS_LAGS;
    m.topics[0].lag[METRICS_LAGS] = 5;
    metrics_add_text(&text, &m, 1);
    assert_true(says("partition=\"255\"") && !says("partition=\"other\""));
    m.topics[0].partitions++;
    metrics_add_text(&text, &m, 1);
    assert_true(says("partition=\"other\"} 5\n") && !says("partition=\"256\""));
}

static void without_responders_the_families_are_empty(void **state)
{
    (void)state;
    metrics_add_text(&text, NULL, 0);
    assert_true(says("# TYPE sse_kafka_fanout_streams gauge\n"));
    assert_false(says("{"));
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(a_value_stands_with_its_owner_and_label),
        T(families_stand_together_and_no_series_comes_twice),
        T(the_process_is_in_one_series_that_a_restart_changes),
        T(what_is_not_known_has_no_series),
        T(of_one_name_the_oldest_that_serves_keeps_it),
        T(each_topic_has_its_series_and_its_readiness),
        T(no_topic_is_ready_in_a_process_that_is_not),
        T(a_path_of_any_bytes_is_a_label),
        T(times_are_told_in_seconds),
        T(delays_are_a_histogram_of_seconds),
        T(the_keys_of_each_issuer_have_a_series),
        T(what_there_is_not_is_left_out),
        T(partitions_beyond_a_number_have_one_series),
        T(without_responders_the_families_are_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

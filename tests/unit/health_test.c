#include "front/health.h"

#include <stdlib.h>

#include "reason_bits.h"
#include "support.h"

static void check_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT);

    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void check_reasons(uint32_t bits, const char *expected)
{
    struct health h = health_of(bits);

    check_json(health_reasons(&h), expected);
}

static void names_stay_what_they_are(void **state)
{
    (void)state;
    check_reasons(0, "[]");
    check_reasons(BIT(KAFKA_AWAY), "[\"kafka_away\"]");
    check_reasons(BIT(KAFKA_REFUSED), "[\"kafka_refused\"]");
    check_reasons(BIT(TOPIC_MISSING), "[\"topic_missing\"]");
    check_reasons(BIT(PARTITION_AWAY), "[\"partition_away\"]");
    check_reasons(BIT(CATCHING_UP), "[\"catching_up\"]");
    check_reasons(BIT(CACHE_FULL), "[\"cache_full\"]");
    check_reasons(BIT(KEYS_BROKEN), "[\"keys_broken\"]");
    check_reasons(BIT(LOOP_SLOW), "[\"loop_slow\"]");
    check_reasons(BIT(CONSUMER_STUCK), "[\"consumer_stuck\"]");
    check_reasons(BIT(SETTINGS_ASSUMED), "[]");
    check_reasons(BIT(DRAINING), "[\"draining\"]");
    check_reasons(BIT(SILENT), "[\"silent\"]");
    check_reasons(BIT(KAFKA_AWAY) | BIT(CATCHING_UP), "[\"kafka_away\",\"catching_up\"]");
}

static void for_people_the_names_stand_in_a_row(void **state)
{
    struct health h = health_of(BIT(KAFKA_AWAY) | BIT(SETTINGS_ASSUMED) | BIT(CATCHING_UP));
    struct buf out = {0};

    (void)state;
    health_add_reasons(&out, &(struct health){0});
    assert_int_equal(out.n, 0);
    health_add_reasons(&out, &h);
    buf_add_byte(&out, 0);
    assert_string_equal(out.p, "kafka_away, catching_up");
    buf_fini(&out);
}

#define KIND(name, text, scope, kind, meaning) REASON_##kind,
static const enum reason_kind kinds[REASONS] = {REASON_TABLE(KIND)};

static void one_is_ready_unless_something_fails(void **state)
{
    struct health h = {0};

    (void)state;
    assert_true(health_ready(&h));
    for (int i = 0; i < REASONS; i++) {
        health_set(&h, (enum reason)i, 1);
        assert_int_equal(health_ready(&h), kinds[i] == REASON_TELLS);
        assert_int_equal(bits_of(&h), 1u << i);
        health_set(&h, (enum reason)i, 0);
        assert_true(health_ready(&h));
    }
}

static void the_details_tell_what_each_reason_means(void **state)
{
    struct health h = health_of(BIT(TOPIC_MISSING) | BIT(DRAINING));

    (void)state;
    check_json(health_details(&h), "{\"topic_missing\":\"the topic does not exist\","
                                   "\"draining\":\"it stops\"}");
    check_json(health_details(&(struct health){0}), "{}");
}

/* What does not fit a number is not taken for nothing. */
static void a_count_of_any_size_stays_what_it_says(void **state)
{
    struct health h = {0};

    (void)state;
    health_set(&h, REASON_CATCHING_UP, INT64_C(1) << 32);
    assert_int_equal(h.count[REASON_CATCHING_UP], INT32_MAX);
    health_set(&h, REASON_CATCHING_UP, -1);
    assert_int_equal(h.count[REASON_CATCHING_UP], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stay_what_they_are),
        cmocka_unit_test(for_people_the_names_stand_in_a_row),
        cmocka_unit_test(one_is_ready_unless_something_fails),
        cmocka_unit_test(the_details_tell_what_each_reason_means),
        cmocka_unit_test(a_count_of_any_size_stays_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

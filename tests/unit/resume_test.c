#include "stream/resume.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

enum { PARTITIONS = 3, RETENTION_MS = 1000 };

/* -- the consumer, as it is seen here -- */

struct consumer {
    int64_t surveyed_end[PARTITIONS]; /* -1: it was not told */
    uint64_t ticket;                  /* the question that was answered */
    bool given_up[PARTITIONS];
};
static struct consumer consumer;

int64_t consumer_surveyed_end(const struct consumer *c, int32_t partition, uint64_t ticket)
{
    return c->ticket >= ticket ? c->surveyed_end[partition] : -1;
}

bool consumer_given_up(const struct consumer *c, int32_t partition)
{
    return c->given_up[partition];
}

/* -- a cache of three partitions, and an id -- */

static struct cache *cache;
static struct resume *resume;

static void make(bool compacted)
{
    cache_free(cache);
    cache = cache_new(1 << 20);
    cache_reset(cache, compacted, RETENTION_MS);
    cache_set_partitions(cache, PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        cache_set_origin(cache, i, 0);
}

static int setup(void **state)
{
    (void)state;
    make(true);
    memset(&consumer, 0, sizeof consumer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resume_free(resume);
    resume = NULL;
    cache_free(cache);
    cache = NULL;
    return 0;
}

/* Records up to that offset, which is the next one then. */
static void fill(int32_t partition, int64_t next)
{
    while (cache_progress(cache)->next[partition] < next) {
        const struct record r = {.partition = partition,
                                 .offset = cache_progress(cache)->next[partition],
                                 .key = BYTES("k"),
                                 .value = BYTES("v")};
        cache_append(cache, &r, 0, 0);
    }
    consumer.surveyed_end[partition] = next;
}

static void resume_at(const char *id)
{
    resume_free(resume);
    resume = resume_new(slice_str(id), slice_of(NULL, 0));
}

/* The id of these next offsets. */
static void resume_from(int64_t next0, int64_t next1, int64_t next2)
{
    int64_t next[] = {next0, next1, next2};
    const struct progress p = {PARTITIONS, next};
    struct buf id = {0};

    progress_add(&id, &p);
    resume_free(resume);
    resume = resume_new(buf_slice(&id), slice_of(NULL, 0));
    buf_fini(&id);
}

/* Where partition 0 goes on. */
static void check_place(int64_t next0)
{
    struct progress from = {0};

    assert_int_equal(resume_judge(resume, cache, &from), RESET_NONE);
    assert_int_equal(progress_get(&from, 0), next0);
    progress_fini(&from);
}

static void check_reset(enum reset expected)
{
    struct progress from = {0};

    assert_int_equal(resume_judge(resume, cache, &from), expected);
    assert_null(from.next);
}

/* -- what is judged at once -- */

static void an_id_goes_on_where_it_says(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(3, 0, 0);
    assert_false(resume_is_ahead(resume, cache));
    check_place(3);
}

static void a_malformed_id_leads_to_a_reset(void **state)
{
    static const char *const ids[] = {"", "x", "AQIAAg==x", "[]", "AgIAAg==", "AQ==", "AQIA"};

    (void)state;
    fill(0, 5);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        resume_at(ids[i]);
        assert_false(resume_is_ahead(resume, cache)); /* nothing to wait for */
        check_reset(RESET_ID_MALFORMED);
    }
}

static void partitions_that_an_id_omits_start_at_their_beginning(void **state)
{
    struct progress from = {0};

    (void)state;
    fill(0, 5);
    fill(1, 5);
    resume_at("AQIAAg=="); /* partition 0, next 1 */
    assert_false(resume_is_ahead(resume, cache));
    assert_int_equal(resume_judge(resume, cache, &from), RESET_NONE);
    assert_int_equal(progress_get(&from, 0), 1);
    assert_int_equal(progress_get(&from, 1), OFFSET_BEGINNING);
    progress_fini(&from);
}

static void a_topic_made_again_leads_to_a_reset(void **state)
{
    (void)state;
    fill(0, 5);
    resume = resume_none(RESET_TOPIC_NEW);
    assert_false(resume_is_ahead(resume, cache));
    check_reset(RESET_TOPIC_NEW);
}

/* -- the horizon of deletes -- */

/* A delete at offset 1 that the cache has dropped by now. */
static void drop_a_delete(void)
{
    struct record r = {.key = BYTES("a"), .value = BYTES("v")};

    cache_append(cache, &r, 0, 0);
    r.offset = 1;
    r.value = slice_of(NULL, 0);
    cache_append(cache, &r, 0, 0);
    fill(0, 5);
    while (cache_tidy(cache, 10 * RETENTION_MS))
        ;
    assert_int_equal(cache_horizon(cache, 0), 2);
}

static void an_id_below_the_horizon_leads_to_a_reset(void **state)
{
    (void)state;
    drop_a_delete();
    for (int64_t next = 0; next < 2; next++) {
        resume_from(next, 0, 0);
        check_reset(RESET_DELETES_UNKNOWN);
    }
}

static void an_id_at_the_horizon_goes_on(void **state)
{
    (void)state;
    drop_a_delete();
    resume_from(2, 0, 0);
    check_place(2);
}

static void one_that_never_saw_a_partition_has_no_delete_to_miss(void **state)
{
    (void)state;
    drop_a_delete();
    resume_from(OFFSET_BEGINNING, 0, 0);
    check_place(OFFSET_BEGINNING);
}

/* A log that begins at 3 by now. */
static void load_aged(void)
{
    cache_set_origin(cache, 0, 3);
    fill(0, 6);
    cache_ended(cache, 0, 0);
}

static void where_keys_may_have_aged_before_they_were_read_ids_lead_to_a_reset(void **state)
{
    (void)state;
    load_aged();
    for (int64_t next = 0; next <= 6; next++) { /* at the log's start, above it, and at its end */
        resume_from(next, 0, 0);
        check_reset(RESET_DELETES_UNKNOWN);
    }
    resume_from(OFFSET_BEGINNING, 0, 0);
    check_place(OFFSET_BEGINNING);
}

static void some_minutes_later_an_id_at_the_end_goes_on(void **state)
{
    (void)state;
    load_aged();
    cache_ended(cache, 0, 300000);
    resume_from(5, 0, 0);
    check_reset(RESET_DELETES_UNKNOWN);
    resume_from(6, 0, 0);
    check_place(6);
}

static void judge_held(int64_t next)
{
    int64_t at[] = {next, 0, 0};
    const struct progress held = {PARTITIONS, at};

    resume_free(resume);
    resume = resume_held(&held, cache);
}

static void
a_stream_goes_on_in_a_cache_that_is_filled_anew_if_the_log_begins_where_it_did(void **state)
{
    (void)state;
    load_aged();
    judge_held(5);
    cache_reset(cache, true, RETENTION_MS);
    cache_set_partitions(cache, PARTITIONS);
    load_aged();
    check_place(5);
    cache_set_origin(cache, 0, 4);
    check_reset(RESET_DELETES_UNKNOWN);
}

static void a_topic_that_is_not_compacted_has_no_deletes(void **state)
{
    (void)state;
    make(false);
    fill(0, 5);
    cache_set_origin(cache, 0, 3);
    resume_from(1, 0, 0);
    check_place(1);
}

/* -- an id that is ahead -- */

static void an_id_is_ahead_from_one_past_the_cache_on(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(5, 0, 0);
    assert_false(resume_is_ahead(resume, cache));
    resume_from(6, 0, 0);
    assert_true(resume_is_ahead(resume, cache));
    resume_from(5, 1, 0);
    assert_true(resume_is_ahead(resume, cache));
}

static void an_id_of_a_partition_that_is_not_there_is_ahead(void **state)
{
    (void)state;
    resume_at("AQIGAg=="); /* partition 3, next 1 */
    assert_true(resume_is_ahead(resume, cache));
}

/* A survey was answered: both the question about partitions and that about their ends. */
static bool decides(uint64_t ticket)
{
    consumer.ticket = ticket;
    return resume_decide(resume, cache, &consumer, ticket);
}

static void an_id_that_is_ahead_waits_for_its_survey(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(8, 0, 0);
    resume_await(resume, 7);
    assert_false(decides(6));
}

static void an_id_beyond_the_end_leads_to_a_reset(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(8, 0, 0);
    resume_await(resume, 7);
    consumer.surveyed_end[0] = 7;
    assert_true(decides(7));
    check_reset(RESET_ID_BEYOND_END);
}

static void an_id_that_is_merely_ahead_of_the_cache_waits_for_it(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(8, 0, 0);
    resume_await(resume, 7);
    consumer.surveyed_end[0] = 8;
    assert_false(decides(7));
    assert_false(decides(9));
    fill(0, 8);
    assert_true(decides(9));
    check_place(8);
}

static void the_cache_may_catch_up_before_the_survey(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(8, 0, 0);
    resume_await(resume, 7);
    fill(0, 8);
    assert_true(decides(0));
    check_place(8);
}

static void a_partition_that_the_topic_lacks_leads_to_a_reset(void **state)
{
    (void)state;
    fill(0, 5);
    resume_at("AQIGAg==");
    resume_await(resume, 7);
    assert_false(decides(6));
    assert_true(decides(7));
    check_reset(RESET_PARTITION_UNKNOWN);
}

static void a_partition_that_the_topic_gets_meanwhile_is_none_that_lacks(void **state)
{
    struct cache *larger = cache_new(1 << 20);

    (void)state;
    resume_at("AQICAA=="); /* partition 1, next 0 */
    cache_reset(larger, true, RETENTION_MS);
    cache_set_partitions(larger, 1);
    assert_true(resume_is_ahead(resume, larger));
    resume_await(resume, 7);
    cache_set_partitions(larger, 2);
    cache_set_origin(larger, 1, 0);
    assert_true(resume_decide(resume, larger, &consumer, 0));
    cache_free(larger);
}

static void a_partition_that_is_given_up_is_not_waited_for(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(8, 0, 0);
    resume_await(resume, 7);
    consumer.surveyed_end[0] = -1;
    assert_false(decides(7));
    consumer.given_up[1] = true; /* another one */
    assert_false(decides(7));
    consumer.given_up[0] = true;
    assert_true(decides(6)); /* nor is an answer */
    check_place(8);
}

static void each_partition_that_it_is_ahead_in_is_waited_for(void **state)
{
    (void)state;
    fill(0, 5);
    fill(1, 5);
    resume_from(8, 8, 0);
    resume_await(resume, 7);
    consumer.given_up[0] = true;
    consumer.surveyed_end[0] = -1;
    consumer.surveyed_end[1] = 8;
    assert_false(decides(7));
    fill(1, 8);
    assert_true(decides(7));
}

static void a_later_survey_may_find_the_end(void **state)
{
    (void)state;
    fill(0, 5);
    resume_from(8, 0, 0);
    resume_await(resume, 7);
    consumer.surveyed_end[0] = -1;
    assert_false(decides(7));
    consumer.surveyed_end[0] = 6;
    assert_true(decides(8));
    check_reset(RESET_ID_BEYOND_END);
}

static bool is_refuted(int64_t next)
{
    int64_t places[PARTITIONS] = {next, 0, 0};
    const struct progress at = {PARTITIONS, places};

    return resume_is_refuted(&at, cache, &consumer);
}

static void a_place_that_was_not_asked_about_may_turn_out_beyond_the_end(void **state)
{
    (void)state;
    fill(0, 5);
    consumer.surveyed_end[0] = -1;
    assert_false(is_refuted(8));
    consumer.surveyed_end[0] = 8;
    assert_false(is_refuted(8));
    consumer.surveyed_end[0] = 7;
    assert_true(is_refuted(8));
    consumer.surveyed_end[0] = 3; /* before the cache has read on */
    assert_false(is_refuted(5));
}

static void each_reason_is_a_code_and_words(void **state)
{
    (void)state;
    for (int why = RESET_NONE + 1; why < RESETS; why++) {
        char json[RESET_JSON], code[RESET_JSON], words[RESET_JSON];
        reset_json((enum reset)why, json);
        assert_int_equal(
            sscanf(json, "{\"reason\":\"%[a-z_]\",\"detail\":\"%[^\"\\]\"", code, words), 2);
        assert_int_equal(strlen(json), strlen(code) + strlen(words) +
                                           strlen("{\"reason\":\"\",\"detail\":\"\"}"));
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_reason_is_a_code_and_words),
        T(an_id_goes_on_where_it_says),
        T(a_malformed_id_leads_to_a_reset),
        T(partitions_that_an_id_omits_start_at_their_beginning),
        T(a_topic_made_again_leads_to_a_reset),
        T(an_id_below_the_horizon_leads_to_a_reset),
        T(an_id_at_the_horizon_goes_on),
        T(one_that_never_saw_a_partition_has_no_delete_to_miss),
        T(where_keys_may_have_aged_before_they_were_read_ids_lead_to_a_reset),
        T(some_minutes_later_an_id_at_the_end_goes_on),
        T(a_stream_goes_on_in_a_cache_that_is_filled_anew_if_the_log_begins_where_it_did),
        T(a_topic_that_is_not_compacted_has_no_deletes),
        T(an_id_is_ahead_from_one_past_the_cache_on),
        T(an_id_of_a_partition_that_is_not_there_is_ahead),
        T(an_id_that_is_ahead_waits_for_its_survey),
        T(an_id_beyond_the_end_leads_to_a_reset),
        T(an_id_that_is_merely_ahead_of_the_cache_waits_for_it),
        T(the_cache_may_catch_up_before_the_survey),
        T(a_partition_that_the_topic_lacks_leads_to_a_reset),
        T(a_partition_that_the_topic_gets_meanwhile_is_none_that_lacks),
        T(a_partition_that_is_given_up_is_not_waited_for),
        T(each_partition_that_it_is_ahead_in_is_waited_for),
        T(a_later_survey_may_find_the_end),
        T(a_place_that_was_not_asked_about_may_turn_out_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "stream/sources.h"

#include "stream/reader.h"
#include "support.h"

static const struct shape plain = {.id = EVENT_ID_PROGRESS}, keyed = {.id = EVENT_ID_KEY};

static struct sources sources;

static void on_drop(void *arg, struct source *source, struct block *block)
{
    (void)arg, (void)source, (void)block;
}

static void on_due(void *arg, struct reader *reader)
{
    (void)arg, (void)reader;
}

static int setup(void **state)
{
    const struct source_owner owner = {on_drop, on_due, NULL};
    const struct sources_config config = {1 << 20, 1 << 20, NULL};

    (void)state;
    sources_init(&sources, &config, &owner);
    cache_reset(sources.cache, true, 1000);
    cache_set_partitions(sources.cache, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sources_fini(&sources);
    return 0;
}

/* How many bytes it has, of all shapes together. */
static size_t publish(int32_t partition, const char *key)
{
    const struct record r = {.partition = partition,
                             .offset = cache_progress(sources.cache)->next[partition],
                             .key = slice_str(key),
                             .value = slice_str("v")};

    return sources_publish(&sources, cache_append(sources.cache, &r, 0, 0), &r);
}

/* It has all that there is. */
static void begin(struct reader *r, struct source *source, const char *keys)
{
    struct selection *s = select_keys(keys);
    struct iovec iov;

    reader_init(r, 1, slice_str(NULL), s);
    selection_unref(s);
    reader_begin(r, source, NULL);
    while (reader_next(r, source, &iov, 1) > 0 || r->more)
        reader_sent(r, source, iov.iov_len);
}

static void streams_of_one_shape_share_a_source(void **state)
{
    const struct shape same = plain;

    (void)state;
    struct source *a = sources_get(&sources, &plain);
    assert_ptr_equal(sources_get(&sources, &same), a);
    struct source *b = sources_get(&sources, &keyed);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a->cache, b->cache);
    sources_put(&sources, a);
    sources_put(&sources, a);
    sources_put(&sources, b);
}

static void a_source_is_gone_with_its_last_stream(void **state)
{
    (void)state;
    struct source *a = sources_get(&sources, &plain);
    sources_get(&sources, &plain);
    a->counts.gaps = 7;
    a->counts.resets[RESET_SELECTION] = 1;
    sources_put(&sources, a);
    assert_false(LIST_EMPTY(&sources.all));
    sources_put(&sources, a);
    assert_true(LIST_EMPTY(&sources.all));
    assert_int_equal(sources_counts(&sources).gaps, 7);
    assert_int_equal(sources_counts(&sources).resets[RESET_SELECTION], 1);
}

static void a_record_is_encoded_for_each_shape_that_is_read(void **state)
{
    (void)state;
    struct reader one, other;
    assert_int_equal(publish(0, "k"), 0);
    struct source *a = sources_get(&sources, &plain), *b = sources_get(&sources, &keyed);
    assert_int_equal(publish(0, "k"), 0); /* nobody has begun */
    begin(&one, a, NULL);
    size_t bytes = publish(0, "k");
    assert_true(bytes > 0);
    begin(&other, b, NULL);
    assert_true(publish(0, "k") > 2 * bytes);
    assert_int_equal(sources_backlog_bytes(&sources),
                     backlog_bytes(a->backlog) + backlog_bytes(b->backlog));
    reader_fini(&one, a);
    reader_fini(&other, b);
    sources_put(&sources, a);
    sources_put(&sources, b);
}

static void what_nobody_wants_is_counted_once(void **state)
{
    (void)state;
    struct reader one, other;
    publish(0, "x");
    assert_int_equal(sources.unwanted, 0); /* there is no stream */
    struct source *a = sources_get(&sources, &plain), *b = sources_get(&sources, &keyed);
    begin(&one, a, "a");
    begin(&other, b, "b");
    publish(0, "x");
    assert_int_equal(sources.unwanted, 1);
    publish(0, "a");
    publish(0, "b");
    assert_int_equal(sources.unwanted, 1);
    assert_int_equal(sources_index_keys(&sources), 2);
    reader_fini(&one, a);
    reader_fini(&other, b);
    sources_put(&sources, a);
    sources_put(&sources, b);
}

static void what_is_hidden_is_encoded_for_none(void **state)
{
    (void)state;
    struct source *a = sources_get(&sources, &plain);
    struct reader one;
    begin(&one, a, NULL);
    catchup_hide(&sources.catchup, 1, sources.cache);
    assert_int_equal(publish(1, "k"), 0);
    assert_true(publish(0, "k") > 0);
    assert_int_equal(sources.unwanted, 0);
    assert_int_equal(catchup_shown(&sources.catchup, sources.cache)->next[1], OFFSET_BEGINNING);
    reader_fini(&one, a);
    sources_put(&sources, a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_of_one_shape_share_a_source, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_is_gone_with_its_last_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_encoded_for_each_shape_that_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_nobody_wants_is_counted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_hidden_is_encoded_for_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "topic/entry.h"

#include <stdlib.h>

#include "base/headers.h"
#include "support.h"

static void check_same(struct slice a, struct slice b)
{
    assert_int_equal(a.p == NULL, b.p == NULL);
    assert_bytes(a, b);
}

static void a_record_comes_back_as_it_was(void **state)
{
    static const struct slice keys[] = {
        {NULL, 0}, {(const uint8_t *)"", 0}, {(const uint8_t *)"key", 3}};
    static const struct slice etags[] = {{NULL, 0}, {(const uint8_t *)"e", 1}};
    struct buf packed = {0};

    (void)state;
    headers_add(&packed, 0, BYTES("eu"));
    headers_add(&packed, 1, slice_of(NULL, 0));
    for (int i = 0; i < 3 * 3 * 2 * 2 * 2; i++) {
        const struct record r = {.partition = 2,
                                 .offset = 7,
                                 .timestamp_ms = 9,
                                 .key = keys[i % 3],
                                 .value = keys[i / 3 % 3],
                                 .etag = etags[i / 9 % 2],
                                 .headers = i / 18 % 2 ? buf_slice(&packed) : slice_of(NULL, 0)};
        struct entry *e = entry_new(&r, i / 36 % 2);
        struct record got = entry_record(e);
        assert_true(got.partition == 2 && got.offset == 7 && got.timestamp_ms == 9 && !got.aged);
        check_same(got.key, r.key);
        check_same(got.value, r.value);
        check_same(got.etag, r.etag);
        check_same(got.headers, r.headers);
        free(e);
    }
    buf_fini(&packed);
}

static void the_deletion_stands_behind_the_headers(void **state)
{
    struct buf packed = {0};

    (void)state;
    for (size_t n = 0; n < 20; n++) {
        packed.n = 0;
        headers_add(&packed, 0, slice_of("vvvvvvvvvvvvvvvvvvvv", n));
        const struct record r = {.key = BYTES("key"), .headers = buf_slice(&packed)};
        struct entry *e = entry_new(&r, true);
        const uint8_t *deletion = (const uint8_t *)entry_deletion(e);
        struct record got = entry_record(e);
        assert_ptr_equal(entry_deletion(e)->entry, e);
        assert_true(deletion >= got.headers.p + got.headers.n);
        assert_int_equal((uintptr_t)deletion % sizeof(void *), 0);
        assert_ptr_equal(deletion + sizeof(struct deletion), (uint8_t *)e + entry_size(e, true));
        check_same(got.headers, r.headers);
        free(e);
    }
    buf_fini(&packed);
}

static void headers_cost_four_bytes_besides(void **state)
{
    const struct record r = {.key = BYTES("key"), .value = BYTES("value")};
    struct record with = r;

    (void)state;
    with.headers = BYTES("packed");
    struct entry *a = entry_new(&r, true), *b = entry_new(&with, true);
    assert_int_equal(entry_size(a, true), 40 + 8);
    assert_int_equal(entry_size(b, true), 40 + 8 + 4 + 6);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(the_deletion_stands_behind_the_headers),
        cmocka_unit_test(headers_cost_four_bytes_besides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

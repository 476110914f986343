#include "base/headers.h"

#include "support.h"

static void expect(struct slice *packed, unsigned name, struct slice value)
{
    struct slice got;
    unsigned number;

    assert_true(headers_next(packed, &number, &got));
    assert_int_equal(number, name);
    assert_int_equal(got.p == NULL, value.p == NULL);
    assert_bytes(got, value);
}

static void headers_come_back_in_their_order(void **state)
{
    struct buf packed = {0};

    (void)state;
    headers_add(&packed, 3, BYTES("eu"));
    headers_add(&packed, 0, slice_of(NULL, 0));
    headers_add(&packed, 3, BYTES(""));
    struct slice rest = buf_slice(&packed);
    expect(&rest, 3, BYTES("eu"));
    expect(&rest, 0, slice_of(NULL, 0));
    expect(&rest, 3, BYTES(""));
    unsigned name;
    struct slice value;
    assert_false(headers_next(&rest, &name, &value));
    buf_fini(&packed);
}

static void a_value_has_any_length(void **state)
{
    static uint8_t bytes[300000];

    (void)state;
    memset(bytes, 'v', sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n = n < 200 ? n + 1 : n * 3 - 1) {
        struct buf packed = {0};
        headers_add(&packed, 15, slice_of(bytes, n));
        struct slice rest = buf_slice(&packed);
        expect(&rest, 15, slice_of(bytes, n));
        assert_int_equal(rest.n, 0);
        buf_fini(&packed);
    }
}

static void a_short_one_costs_two_bytes_besides(void **state)
{
    struct buf packed = {0};

    (void)state;
    headers_add(&packed, 0, BYTES("eu"));
    assert_int_equal(packed.n, 4);
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_come_back_in_their_order),
        cmocka_unit_test(a_value_has_any_length),
        cmocka_unit_test(a_short_one_costs_two_bytes_besides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

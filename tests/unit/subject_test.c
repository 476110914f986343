#include "guard/subject.h"

#include "support.h"

static void two_that_differ_in_either_look_different(void **state)
{
    static const struct {
        const char *issuer, *subject;
    } all[] = {{"https://a.example", "7"},  {"https://b.example", "7"},
               {"https://a.example", "8"},  {"https://a.example", ""},
               {"https://a.example", NULL}, {"https://a.example\001", "7"},
               {"https://a.example7", ""},  {"https://a.example", "\0017"}};
    struct buf one = {0}, other = {0};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) {
            one.n = other.n = 0;
            subject_add(&one, all[i].issuer, all[i].subject);
            subject_add(&other, all[j].issuer, all[j].subject);
            assert_int_equal(slice_equal(buf_slice(&one), buf_slice(&other)), i == j);
        }
    }
    buf_fini(&one);
    buf_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_differ_in_either_look_different),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

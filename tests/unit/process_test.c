#include "base/process.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support.h"

static void memory_that_is_used_is_counted(void **state)
{
    enum { MORE = 64 << 20 };
    int64_t before = process_resident_bytes();
    volatile char *memory = malloc(MORE);

    (void)state;
    assert_true(before > 0);
    for (size_t i = 0; i < MORE; i += 4096)
        memory[i] = 1;
    assert_in_range(process_resident_bytes() - before, MORE / 2, 2 * MORE);
    free((void *)memory);
}

/* Or the kernel does not tell. */
static void an_open_descriptor_is_counted(void **state)
{
    int64_t before = process_descriptors();
    int fd = dup(0);

    (void)state;
    assert_int_equal(process_descriptors(), before < 0 ? -1 : before + 1);
    close(fd);
}

static void the_limit_is_that_of_the_process(void **state)
{
    struct rlimit limit;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(process_descriptors_limit(), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_is_used_is_counted),
        cmocka_unit_test(an_open_descriptor_is_counted),
        cmocka_unit_test(the_limit_is_that_of_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

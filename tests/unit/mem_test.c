#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static void memory_of_no_bytes_is_there(void **state)
{
    (void)state;
    void *p[] = {mem_alloc(0), mem_zero(0), mem_resize(NULL, 0), mem_resize_array(NULL, 0, 8)};
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(p[i]);
        free(p[i]);
    }
}

static void zeroed_memory_is_zero(void **state)
{
    static const char zeros[1000];

    (void)state;
    char *p = mem_zero(sizeof zeros);
    assert_memory_equal(p, zeros, sizeof zeros);
    free(p);
}

/* The signal that ends a process which asks for an array of that size. */
static int end_of_process_asking_for(size_t n, size_t size)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        free(mem_resize_array(NULL, n, size));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void an_array_whose_size_overflows_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(end_of_process_asking_for(SIZE_MAX / 8 + 2, 8), SIGABRT);
    assert_int_equal(end_of_process_asking_for(8, SIZE_MAX / 8 + 2), SIGABRT);
    assert_int_equal(end_of_process_asking_for(8, 8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_no_bytes_is_there),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(an_array_whose_size_overflows_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

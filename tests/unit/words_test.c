#include "kafka/words.h"

#include "support.h"

static struct words w;

static int setup(void **state)
{
    (void)state;
    w = (struct words){0};
    return 0;
}

static void the_last_words_about_each_are_kept(void **state)
{
    (void)state;
    words_note(&w, WORDS_BROKER, 7, "one");
    words_note(&w, WORDS_PARTITION, 7, "two");
    words_note(&w, WORDS_BROKER, 7, "three");
    assert_string_equal(words_find(&w, WORDS_BROKER, 7), "three");
    assert_string_equal(words_find(&w, WORDS_PARTITION, 7), "two");
    assert_null(words_find(&w, WORDS_ANSWER, 7));
    assert_null(words_find(&w, WORDS_BROKER, 8));
}

static void what_is_forgotten_is_not_found(void **state)
{
    (void)state;
    words_note(&w, WORDS_BROKER, 7, "one");
    words_note(&w, WORDS_BROKER, 8, "two");
    words_forget(&w, WORDS_BROKER, 7);
    words_forget(&w, WORDS_BROKER, 9);
    assert_null(words_find(&w, WORDS_BROKER, 7));
    assert_non_null(words_find(&w, WORDS_BROKER, 8));
}

static void of_too_many_words_the_oldest_are_forgotten(void **state)
{
    (void)state;
    for (int32_t i = 0; i < WORDS_MAX; i++)
        words_note(&w, WORDS_PARTITION, i, "x");
    words_note(&w, WORDS_PARTITION, 0, "renewed");
    words_note(&w, WORDS_PARTITION, 1000, "one more");
    assert_string_equal(words_find(&w, WORDS_PARTITION, 0), "renewed");
    assert_null(words_find(&w, WORDS_PARTITION, 1));
    assert_non_null(words_find(&w, WORDS_PARTITION, 2));
    assert_non_null(words_find(&w, WORDS_PARTITION, 1000));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(the_last_words_about_each_are_kept),
        T(what_is_forgotten_is_not_found),
        T(of_too_many_words_the_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

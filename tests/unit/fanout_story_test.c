#include <stdio.h>
#include <stdlib.h>

#include "fanout_page.h"

/* -- everything at once: random clients against the topic's own story -- */

enum { STEPS = 1500, BIG = 3000 };

/* What happens beside records and pages. */
static struct story {
    bool topic; /* compacted */
    bool outages, ages, made_again;
    size_t cache_bytes; /* too few for the topic; 0: enough */
    int64_t quiet_ms;
} story;

/* What the newest record of a key says; 0: deleted, or never there. */
static int64_t truth[FAKE_PARTITIONS][KEYS];

enum { PENDING = 40 };
static struct pending {
    struct {
        int key;
        bool deletes;
    } records[PENDING];
    size_t n;
} pending[FAKE_PARTITIONS];

static void pending_add(struct pending *q, uint64_t *seed)
{
    if (q->n == PENDING)
        return;
    q->records[q->n].key = (int)random_below(seed, KEYS);
    q->records[q->n++].deletes = random_below(seed, 5) == 0;
}

static void random_record_of(int32_t partition, uint64_t *seed)
{
    struct pending *q = &pending[partition];
    int64_t offset = consumer.p[partition].next;

    if (q->n == 0)
        pending_add(q, seed);
    int k = q->records[0].key;
    bool deletes = q->records[0].deletes;
    memmove(q->records, q->records + 1, --q->n * sizeof *q->records);
    char key[3] = {(char)('0' + partition), (char)('a' + k), 0};
    char value[BIG + 1];

    if (deletes) {
        truth[partition][k] = 0;
        produce(partition, key, NULL);
    } else {
        int n = snprintf(value, sizeof value, "%d:%d:%lld", partition, k, (long long)offset);
        size_t pad = random_below(seed, 4) ? 0 : random_below(seed, BIG - 50);
        memset(value + n, ' ', pad);
        value[(size_t)n + pad] = 0;
        truth[partition][k] = offset + 1;
        produce(partition, key, value);
    }
}

static void random_record(uint64_t *seed)
{
    int32_t partition = (int32_t)random_below(seed, 3);

    if (consumer.ready && !consumer.p[partition].given_up)
        random_record_of(partition, seed);
}

/* A partition goes, or comes back with some records that are to be read first. */
static void random_outage(uint64_t *seed)
{
    int32_t partition = (int32_t)random_below(seed, 3);

    if (consumer.p[partition].given_up)
        come_back(partition, consumer.p[partition].next + (int64_t)pending[partition].n +
                                 random_below(seed, 20));
    else
        give_up(partition);
}

static void end_outages(uint64_t *seed)
{
    for (int32_t i = 0; i < 3; i++) {
        if (consumer.p[i].given_up)
            come_back(i, consumer.p[i].next + (int64_t)pending[i].n);
        while (consumer.p[i].next < consumer.p[i].end)
            random_record_of(i, seed);
    }
    settle();
}

/* A page that has all that we have of a partition that is away goes to another responder, which
 * has more of it, and comes back with that id. */
static void random_visit_elsewhere(uint64_t *seed)
{
    struct page *p = &pages[random_below(seed, PAGES)];
    int32_t partition = (int32_t)random_below(seed, 3);
    struct pending *q = &pending[partition];
    int64_t *next = &p->next[partition];
    struct buf id = {0};

    if (p->connected || !p->id[0] || !consumer.p[partition].given_up ||
        *next != consumer.p[partition].next)
        return;
    for (uint32_t n = random_below(seed, 10); n > 0; n--)
        pending_add(q, seed);
    for (size_t i = 0; i < q->n; i++)
        p->table[partition][q->records[i].key] = q->records[i].deletes ? 0 : *next + (int64_t)i + 1;
    *next += (int64_t)q->n;
    const struct progress at = {3, p->next};
    progress_add(&id, &at);
    snprintf(p->id, sizeof p->id, "%.*s", (int)id.n, (const char *)id.p);
    buf_fini(&id);
}

/* The broker drops the oldest records of a partition. */
static void random_age(uint64_t *seed)
{
    int32_t partition = (int32_t)random_below(seed, 3);
    int64_t origin = consumer.p[partition].next - random_below(seed, 30);

    if (!consumer.ready || consumer.p[partition].given_up)
        return;
    topic.on_origin(topic.arg, partition, origin);
    for (int k = 0; k < KEYS; k++)
        if (truth[partition][k] <= origin)
            truth[partition][k] = 0;
}

/* The topic is deleted, or made again; ids that are not open meanwhile are dropped. */
static void random_made_again(void)
{
    if (consumer.ready) {
        consumer.ready = false;
        return;
    }
    memset(truth, 0, sizeof truth);
    memset(pending, 0, sizeof pending);
    for (int i = 0; i < PAGES; i++)
        if (!pages[i].connected)
            pages[i].id[0] = 0;
    make_topic(story.topic, 3);
}

static void random_survey(void)
{
    consumer.answered = consumer.asked;
    if (consumer.ready)
        topic.on_survey(topic.arg, consumer.asked);
}

static void random_event(uint64_t *seed)
{
    if (story.outages && random_below(seed, 20) == 0)
        random_outage(seed);
    if (story.outages && random_below(seed, 3) == 0)
        random_visit_elsewhere(seed);
    if (story.ages && random_below(seed, 10) == 0)
        random_age(seed);
    if (story.made_again && random_below(seed, consumer.ready ? 150 : 10) == 0)
        random_made_again();
    if (random_below(seed, 3) == 0)
        random_survey();
}

static void random_page_step(uint64_t *seed)
{
    struct page *p = &pages[random_below(seed, PAGES)];

    if (!p->connected)
        page_connect(p);
    else if (random_below(seed, 30) == 0)
        page_disconnect(p);
    else if (random_below(seed, 10) == 0)
        page_hold(p, !p->held);
    else if (random_below(seed, 3) == 0)
        page_read(p, SIZE_MAX);
    else
        page_read(p, 1 + random_below(seed, 3000));
}

static void run_story(struct story happens, uint64_t seed)
{
    story = happens;
    page_rules = (struct page_rules){story.topic, story.cache_bytes > 0};
    /* Where every record goes to every page, there is more to do. */
    const int steps = story.topic ? STEPS : STEPS / 2;

    teardown(NULL);
    start_with(EVENT_ID_PROGRESS, story.cache_bytes ? story.cache_bytes : 1 << 30);
    memset(truth, 0, sizeof truth);
    memset(pages, 0, sizeof pages);
    memset(pending, 0, sizeof pending);
    make_topic(story.topic, 3);
    for (int step = 0; step < steps; step++) {
        /* Bursts are larger than sockets take, some than the backlog holds. */
        uint32_t burst = random_below(&seed, 400) == 0 ? 15000 : random_below(&seed, 8);
        for (uint32_t i = 0; i < burst; i++) {
            random_record(&seed);
            if (i % 100 == 99)
                fake_loop_turn();
        }
        random_event(&seed);
        if (random_below(&seed, 2)) /* in the turn of what came before, and of what comes */
            random_page_step(&seed);
        random_record(&seed);
        topic.on_settled(topic.arg);
        fake_loop_turn();
        random_page_step(&seed);
        fake_loop_pass(random_below(&seed, 5) + (random_below(&seed, 200) ? 0 : story.quiet_ms));
        for (int i = 0; i < PAGES; i++)
            assert_true(!pages[i].held || pages[i].events == 0);
    }
    if (!consumer.ready)
        random_made_again();
    end_outages(&seed);
    for (int i = 0; i < PAGES; i++) {
        struct page *p = &pages[i];
        if (!p->connected)
            page_connect(p);
        page_hold(p, false);
        survey();
        fake_loop_pass(FLUSH_MS);
        page_read(p, SIZE_MAX);
        if (story.cache_bytes == 0)
            assert_memory_equal(p->table, truth, sizeof truth);
        page_disconnect(p);
    }
}

static void pages_that_come_and_go_know_the_truth_in_the_end(void **state)
{
    (void)state;
    run_story((struct story){.topic = true}, 41);
    run_story((struct story){.topic = true}, 42);
}

static void also_where_deletes_are_forgotten(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .quiet_ms = RETENTION_MS / 2}, 43);
}

static void also_where_the_topic_is_not_compacted(void **state)
{
    (void)state;
    run_story((struct story){0}, 44);
}

static void also_where_partitions_go_and_come_back(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .outages = true}, 45);
    run_story((struct story){.topic = true, .outages = true}, 46);
    run_story((struct story){.topic = true, .outages = true, .quiet_ms = RETENTION_MS / 2}, 47);
    run_story((struct story){.outages = true}, 48);
}

static void also_where_keys_age(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .ages = true}, 49);
    run_story((struct story){.topic = true, .ages = true, .quiet_ms = RETENTION_MS / 2}, 50);
    run_story((struct story){.topic = true, .ages = true, .outages = true}, 51);
}

static void also_where_the_topic_is_made_again(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .made_again = true}, 52);
    run_story((struct story){.topic = true, .made_again = true, .ages = true, .outages = true}, 53);
    run_story((struct story){.made_again = true, .outages = true}, 54);
}

/* There it is enough that nothing comes twice and no id goes back. */
static void where_the_cache_is_too_small_nothing_comes_twice(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .cache_bytes = 20000, .outages = true}, 55);
    run_story((struct story){.cache_bytes = 100000, .outages = true}, 56);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pages_that_come_and_go_know_the_truth_in_the_end),
        T(also_where_deletes_are_forgotten),
        T(also_where_the_topic_is_not_compacted),
        T(also_where_partitions_go_and_come_back),
        T(also_where_keys_age),
        T(also_where_the_topic_is_made_again),
        T(where_the_cache_is_too_small_nothing_comes_twice),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

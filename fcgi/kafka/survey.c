#include "kafka/survey.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    PERIOD_MS = 1000,
    PAUSE_MS = 2000, /* an answer may take six seconds, and is no silence: PARTITION_AWAY_MS */
    ANSWER_MS = 30000,
    ID_MS = 1000, /* it was asked for before the offsets, which are there */
    /* librdkafka chooses whom to ask about the topic, and may choose a broker that does not answer.
     * Then another question may find another one. */
    TOPIC_ASKERS = 4,
    ANOTHER_MS = 3000,
    STACK_BYTES = 1 << 20,
    TOPIC = -1, /* in the place of a leader: the question is about the topic */
};

/* A thread with one question after the other. */
struct asker {
    struct survey *survey;
    int32_t leader; /* or TOPIC */
    bool asking;
    int64_t due_ms;
    uint64_t asked; /* the ticket of its last question */
    LIST_ENTRY(asker) link;
};

struct survey {
    rd_kafka_topic_t *rkt;
    rd_kafka_t *reader, *asker;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    int users; /* the owner and the threads: the last one frees it */
    bool stopping;
    void (*gone)(void *arg);
    void *arg;
    int wake_fd;
    uint64_t asked;
    LIST_HEAD(, asker) askers;
    struct {
        int64_t due_ms;  /* when to ask next */
        uint64_t asked;  /* the ticket of the newest question */
        uint64_t begun;  /* questions so far */
        uint64_t merged; /* the newest that was answered */
    } topic;             /* questions about it */
    uint64_t generation; /* of the topic, as far as a survey can tell */
    bool has_result;
    struct survey_result result;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

int64_t survey_due_ms(int64_t began_ms, int64_t now_ms)
{
    int64_t took = now_ms - began_ms;

    if (took <= PERIOD_MS / 2)
        return began_ms + PERIOD_MS;
    return now_ms + (took < PAUSE_MS ? took : PAUSE_MS);
}

static void wait_until(struct survey *s, int64_t due_ms)
{
    struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

void survey_result_fini(struct survey_result *result)
{
    free(result->partitions);
    free(result->brokers);
    *result = (struct survey_result){0};
}

/* Called with the lock, which it gives back. */
static void leave(struct survey *s)
{
    bool last = --s->users == 0;

    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    void (*gone)(void *arg) = s->gone;
    void *arg = s->arg;
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    survey_result_fini(&s->result);
    free(s);
    gone(arg);
}

static void wake(struct survey *s)
{
    uint64_t one = 1;

    if (s->stopping)
        return;
    s->has_result = true;
    ssize_t ignored = write(s->wake_fd, &one, sizeof one); /* full: it wakes all the same */
    (void)ignored;
}

/* -- threads -- */

static void *run_topic(void *arg);
static void *run_leader(void *arg);

/* Without memory or threads it is tried again with the next answer about the topic. */
static void start_asker(struct survey *s, int32_t leader)
{
    struct asker *a = mem_zero(sizeof *a);
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    *a = (struct asker){.survey = s, .leader = leader};
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started =
        pthread_create(&thread, &attributes, leader == TOPIC ? run_topic : run_leader, a) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!started) {
        free(a);
        return;
    }
    s->users++;
    LIST_INSERT_HEAD(&s->askers, a, link);
}

static void end_asker(struct asker *a)
{
    struct survey *s = a->survey;

    LIST_REMOVE(a, link);
    free(a);
    leave(s);
}

/* -- the topic -- */

/* Someone must be there to ask when this question is not answered in time. */
static void keep_a_topic_asker_idle(struct survey *s)
{
    int n = 0;
    struct asker *a;

    LIST_FOREACH(a, &s->askers, link)
    {
        if (a->leader != TOPIC)
            continue;
        n++;
        if (!a->asking)
            return;
    }
    if (n < TOPIC_ASKERS)
        start_asker(s, TOPIC);
}

static void start_leaders(struct survey *s)
{
    for (int32_t i = 0; i < s->result.n; i++) {
        int32_t leader = s->result.partitions[i].leader;
        struct asker *a;
        LIST_FOREACH(a, &s->askers, link)
        if (a->leader == leader)
            break;
        /* As many as there are brokers: librdkafka has a thread for each, too. */
        if (a == NULL && leader >= 0)
            start_asker(s, leader);
    }
}

/* Takes over the layout's brokers. */
static void merge_layout(struct survey *s, struct layout *layout)
{
    struct survey_result *r = &s->result;

    r->error = layout->error;
    if (layout->error || layout->n < r->n) { /* none, or another one */
        s->generation++;
        r->n = 0;
    }
    r->partitions = mem_resize_array(r->partitions, (size_t)layout->n, sizeof *r->partitions);
    for (int32_t i = r->n; i < layout->n; i++)
        r->partitions[i] = (struct survey_partition){.first = -1, .end = -1};
    r->n = layout->n;
    for (int32_t i = 0; i < r->n; i++) {
        r->partitions[i].leader = layout->partitions[i].leader;
        r->partitions[i].home = layout->partitions[i].home;
    }
    free(r->brokers);
    r->brokers = layout->brokers;
    r->brokers_n = layout->brokers_n;
    layout->brokers = NULL;
    memcpy(r->cluster, layout->cluster, sizeof r->cluster);
}

/* A question about the topic; the lock is given back meanwhile. */
static void ask_topic(struct survey *s)
{
    struct layout layout;
    int64_t began = now_ms();
    uint64_t ticket = s->topic.asked = s->asked, round = ++s->topic.begun;

    s->topic.due_ms = began + ANOTHER_MS;
    pthread_mutex_unlock(&s->lock);
    bool answered = question_layout(s->reader, s->rkt, ANSWER_MS, &layout) == 0;
    pthread_mutex_lock(&s->lock);
    if (round == s->topic.begun)
        s->topic.due_ms = survey_due_ms(began, now_ms());
    if (!answered)
        return;
    if (round > s->topic.merged && !s->stopping) {
        s->topic.merged = round;
        s->result.ticket = ticket;
        s->result.told = true;
        s->result.answers++;
        merge_layout(s, &layout);
        start_leaders(s);
        pthread_cond_broadcast(&s->changed);
        wake(s);
    }
    layout_fini(&layout);
}

static void *run_topic(void *arg)
{
    struct asker *a = arg;
    struct survey *s = a->survey;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        bool under_way = s->topic.merged < s->topic.begun;
        if ((under_way || s->topic.asked == s->asked) && now_ms() < s->topic.due_ms) {
            wait_until(s, s->topic.due_ms);
            continue;
        }
        a->asking = true;
        keep_a_topic_asker_idle(s);
        ask_topic(s);
        a->asking = false;
    }
    end_asker(a);
    return NULL;
}

/* -- leaders -- */

/* Its partitions; the list is the caller's. */
static struct extent *extents_of(const struct survey *s, int32_t leader, int32_t *n)
{
    struct extent *extents = NULL;

    *n = 0;
    for (int32_t i = 0; i < s->result.n; i++)
        *n += s->result.partitions[i].leader == leader;
    if (*n == 0)
        return NULL;
    extents = mem_zero((size_t)*n * sizeof *extents);
    for (int32_t i = 0, k = 0; i < s->result.n; i++)
        if (s->result.partitions[i].leader == leader)
            extents[k++].partition = i;
    return extents;
}

static void merge_extents(struct survey *s, int32_t leader, const struct extent *extents, int32_t n,
                          uint64_t ticket, int64_t began_ms)
{
    bool answered = false;

    for (int32_t i = 0; i < n; i++) {
        struct survey_partition *p = &s->result.partitions[extents[i].partition];
        if (p->leader == leader)
            p->error = extents[i].error;
        if (!extents[i].answered || ticket < p->ticket)
            continue;
        p->fresh = answered = true;
        p->ticket = ticket;
        p->asked_ms = began_ms;
        p->first = extents[i].first;
        p->end = extents[i].end;
    }
    s->result.answers += answered;
}

static bool is_due(const struct asker *a)
{
    return a->asked != a->survey->asked || now_ms() >= a->due_ms;
}

/* Until nobody is led by that broker any more. */
static void *run_leader(void *arg)
{
    struct asker *a = arg;
    struct survey *s = a->survey;
    struct extent *extents = NULL;
    int32_t n;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping && (extents = extents_of(s, a->leader, &n)) != NULL) {
        if (is_due(a)) {
            uint64_t ticket = a->asked = s->asked, generation = s->generation;
            int64_t began = now_ms();
            pthread_mutex_unlock(&s->lock);
            const char *topic = rd_kafka_topic_name(s->rkt);
            rd_kafka_queue_t *answer = topicid_ask(s->asker, topic, a->leader, ANSWER_MS);
            question_extents(s->asker, topic, ANSWER_MS, extents, n);
            struct topic_id id = topicid_take(answer, ID_MS);
            pthread_mutex_lock(&s->lock);
            a->due_ms = survey_due_ms(began, now_ms());
            if (generation == s->generation && !s->stopping) {
                merge_extents(s, a->leader, extents, n, ticket, began);
                if (topicid_known(id))
                    s->result.id = id;
                wake(s);
            }
        } else {
            wait_until(s, a->due_ms);
        }
        free(extents);
    }
    end_asker(a);
    return NULL;
}

/* -- for the loop -- */

struct survey *survey_start(rd_kafka_topic_t *topic, rd_kafka_t *reader, rd_kafka_t *asker,
                            int wake_fd, uint64_t ticket)
{
    struct survey *s = mem_zero(sizeof *s);
    pthread_condattr_t attributes;

    s->rkt = topic;
    s->reader = reader;
    s->asker = asker;
    s->wake_fd = wake_fd;
    s->asked = ticket;
    s->users = 1;
    LIST_INIT(&s->askers);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_lock(&s->lock);
    start_asker(s, TOPIC);
    if (s->users == 1)
        abort(); /* out of memory or threads */
    pthread_mutex_unlock(&s->lock);
    return s;
}

void survey_stop(struct survey *s, void (*gone)(void *arg), void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    s->gone = gone;
    s->arg = arg;
    pthread_cond_broadcast(&s->changed);
    assert(s->users > 1); /* so it is one of the threads that calls gone() */
    leave(s);
}

uint64_t survey_ask(struct survey *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t ticket = ++s->asked;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return ticket;
}

static void *copied(const void *array, int32_t n, size_t size)
{
    void *copy = mem_resize_array(NULL, (size_t)n, size);

    return n > 0 ? memcpy(copy, array, (size_t)n * size) : copy;
}

bool survey_take(struct survey *s, struct survey_result *out)
{
    pthread_mutex_lock(&s->lock);
    bool has = s->has_result;
    if (has) {
        *out = s->result;
        out->partitions = copied(out->partitions, out->n, sizeof *out->partitions);
        out->brokers = copied(out->brokers, out->brokers_n, sizeof *out->brokers);
        for (int32_t i = 0; i < s->result.n; i++)
            s->result.partitions[i].fresh = false;
        s->result.told = s->has_result = false;
    }
    pthread_mutex_unlock(&s->lock);
    return has;
}

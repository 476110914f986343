#include "kafka/survey.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kafka/round.h"

enum {
    PERIOD_MS = 1000,
    PAUSE_MS = 2000, /* an answer may take six seconds, and is no silence: PARTITION_AWAY_MS */
    ANSWER_MS = 30000,
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

struct survey_topic {
    struct survey *survey;
    const char *name;
    bool dropped;
    struct findings findings;
    TAILQ_ENTRY(survey_topic) link;
};

struct survey {
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
    TAILQ_HEAD(, survey_topic) topics;
    int32_t topics_n;
    struct {
        int64_t due_ms;  /* when to ask next */
        uint64_t asked;  /* the ticket of the newest question */
        uint64_t begun;  /* questions so far */
        uint64_t merged; /* the newest that was answered */
    } topic;             /* questions about topics */
    uint64_t answers;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* By which threads can wait. */
static int64_t now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
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

/* Called with the lock, which it gives back. */
static void leave(struct survey *s)
{
    bool last = --s->users == 0;

    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    void (*gone)(void *arg) = s->gone;
    void *arg = s->arg;
    struct survey_topic *t;
    while ((t = TAILQ_FIRST(&s->topics)) != NULL) {
        TAILQ_REMOVE(&s->topics, t, link);
        survey_result_fini(&t->findings.result);
        free(t);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    gone(arg);
}

static void wake(struct survey *s)
{
    uint64_t one = 1;

    ssize_t ignored = write(s->wake_fd, &one, sizeof one); /* full: it wakes all the same */
    (void)ignored;
}

/* -- threads -- */

static void *run_topics(void *arg);
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
        pthread_create(&thread, &attributes, leader == TOPIC ? run_topics : run_leader, a) == 0;
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

/* -- topics -- */

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

static void start_leader(struct survey *s, int32_t leader)
{
    struct asker *a;

    if (leader < 0)
        return;
    LIST_FOREACH(a, &s->askers, link)
    if (a->leader == leader)
        return;
    /* As many as there are brokers: librdkafka has a thread for each, too. */
    start_asker(s, leader);
}

static void merge_layout(struct survey *s, const struct layout *layout, uint64_t ticket)
{
    struct survey_topic *t = TAILQ_FIRST(&s->topics);

    /* Those that have come since are behind those that were asked for. */
    for (int32_t i = 0; i < layout->topics_n; i++, t = TAILQ_NEXT(t, link)) {
        if (t->dropped)
            continue;
        findings_add_layout(&t->findings, layout, i, ticket);
        for (int32_t k = 0; k < t->findings.result.n; k++)
            start_leader(s, t->findings.result.partitions[k].leader);
    }
}

static const char **names_of(const struct survey *s)
{
    const char **names = mem_resize_array(NULL, (size_t)s->topics_n, sizeof *names);
    const struct survey_topic *t;
    int32_t n = 0;

    TAILQ_FOREACH(t, &s->topics, link)
    names[n++] = t->name;
    return names;
}

/* A question about all topics; the lock is given back meanwhile. */
static void ask_topics(struct survey *s)
{
    struct layout layout;
    int64_t began = now_ms();
    uint64_t ticket = s->topic.asked = s->asked, round = ++s->topic.begun;
    int32_t n = s->topics_n;
    const char **names = names_of(s);

    s->topic.due_ms = began + ANOTHER_MS;
    pthread_mutex_unlock(&s->lock);
    bool answered = question_layout(s->reader, names, n, ANSWER_MS, &layout) == 0;
    pthread_mutex_lock(&s->lock);
    free(names);
    if (round == s->topic.begun)
        s->topic.due_ms = survey_due_ms(began, now_ms());
    if (!answered)
        return;
    if (round > s->topic.merged && !s->stopping) {
        s->topic.merged = round;
        s->answers++;
        merge_layout(s, &layout, ticket);
        pthread_cond_broadcast(&s->changed);
        wake(s);
    }
    layout_fini(&layout);
}

static void *run_topics(void *arg)
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
        ask_topics(s);
        a->asking = false;
    }
    end_asker(a);
    return NULL;
}

/* -- leaders -- */

static bool leads(const struct survey *s, int32_t broker)
{
    const struct survey_topic *t;

    TAILQ_FOREACH(t, &s->topics, link)
    for (int32_t i = 0; i < t->findings.result.n; i++)
        if (t->findings.result.partitions[i].leader == broker)
            return true;
    return false;
}

static bool is_due(const struct asker *a)
{
    return a->asked != a->survey->asked || now_ms() >= a->due_ms;
}

/* A question to a leader; the lock is given back meanwhile. */
static void ask_leader(struct survey *s, struct asker *a)
{
    int64_t began = now_ms();
    struct round round = {
        .leader = a->leader, .ticket = s->asked, .asked_ms = clock_ms(CLOCK_BOOTTIME)};
    struct survey_topic *t;
    bool answered;

    a->asked = s->asked;
    TAILQ_FOREACH(t, &s->topics, link)
    if (!t->dropped)
        round_add(&round, t->name, &t->findings);
    pthread_mutex_unlock(&s->lock);
    round_ask(&round, s->asker);
    pthread_mutex_lock(&s->lock);
    a->due_ms = survey_due_ms(began, now_ms());
    if (!s->stopping && round_merge(&round, &answered)) {
        s->answers += answered;
        wake(s);
    }
    round_fini(&round);
}

/* Until that broker leads nothing any more. */
static void *run_leader(void *arg)
{
    struct asker *a = arg;
    struct survey *s = a->survey;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping && leads(s, a->leader)) {
        if (is_due(a))
            ask_leader(s, a);
        else
            wait_until(s, a->due_ms);
    }
    end_asker(a);
    return NULL;
}

/* -- for the loop -- */

struct survey *survey_start(rd_kafka_t *reader, rd_kafka_t *asker, int wake_fd, uint64_t ticket)
{
    struct survey *s = mem_zero(sizeof *s);
    pthread_condattr_t attributes;

    s->reader = reader;
    s->asker = asker;
    s->wake_fd = wake_fd;
    s->asked = ticket;
    s->users = 1;
    LIST_INIT(&s->askers);
    TAILQ_INIT(&s->topics);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return s;
}

struct survey_topic *survey_add(struct survey *s, rd_kafka_topic_t *topic)
{
    struct survey_topic *t = mem_zero(sizeof *t);

    t->survey = s;
    t->name = rd_kafka_topic_name(topic);
    pthread_mutex_lock(&s->lock);
    TAILQ_INSERT_TAIL(&s->topics, t, link);
    s->topics_n++;
    s->topic.due_ms = 0;
    pthread_cond_broadcast(&s->changed);
    if (s->users == 1)
        start_asker(s, TOPIC);
    if (s->users == 1)
        abort(); /* out of memory or threads */
    pthread_mutex_unlock(&s->lock);
    return t;
}

void survey_drop(struct survey_topic *t)
{
    pthread_mutex_lock(&t->survey->lock);
    t->dropped = true;
    t->findings.generation++; /* what is still to be answered is void */
    t->findings.result.n = 0;
    pthread_mutex_unlock(&t->survey->lock);
}

void survey_stop(struct survey *s, void (*gone)(void *arg), void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    s->gone = gone;
    s->arg = arg;
    pthread_cond_broadcast(&s->changed);
    leave(s);
}

uint64_t survey_ask_beyond(struct survey *s, uint64_t ticket)
{
    pthread_mutex_lock(&s->lock);
    s->asked = (s->asked > ticket ? s->asked : ticket) + 1;
    ticket = s->asked;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return ticket;
}

uint64_t survey_ask(struct survey *s)
{
    return survey_ask_beyond(s, 0);
}

bool survey_take(struct survey_topic *t, struct survey_result *out)
{
    struct survey *s = t->survey;

    pthread_mutex_lock(&s->lock);
    t->findings.result.answers = s->answers;
    bool has = findings_take(&t->findings, out);
    pthread_mutex_unlock(&s->lock);
    return has;
}

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
    /* librdkafka chooses whom to ask about the topic, or takes one for the leader that has been it
     * before, and may choose a broker that does not answer.  Then another question may find another
     * one. */
    ASKERS = 4,
    ANOTHER_MS = 3000,
    STACK_BYTES = 1 << 20,
    TOPIC = -1, /* in the place of a leader: the question is about the topic */
};

/* What is asked again and again, by threads of its own. */
struct inquiry {
    struct survey *survey;
    int32_t leader; /* or TOPIC */
    /* Of a leader's partitions those that are settled are asked for by themselves.  Until it is, a
     * partition may be asked of a broker that has led it before, and all others that are in the
     * same question wait for that broker's answer. */
    bool settled;
    int askers, idle; /* threads; those of them that ask nothing now */
    int64_t due_ms;   /* when to ask next */
    uint64_t asked;   /* the ticket of the newest question */
    uint64_t begun;   /* questions so far */
    uint64_t ended;   /* the newest of which something has come, if only an error */
    uint64_t merged;  /* about topics: the newest that was answered */
    LIST_ENTRY(inquiry) link;
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
    LIST_HEAD(, inquiry) inquiries;
    TAILQ_HEAD(, survey_topic) topics;
    int32_t topics_n;
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

static void *run(void *arg);

static void start_asker(struct inquiry *q)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, run, q) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!started)
        return;
    q->survey->users++;
    q->askers++;
    q->idle++;
}

/* Someone must be there to ask when a question is not answered in time. */
static void keep_an_asker_idle(struct inquiry *q)
{
    if (q->idle == 0 && q->askers < ASKERS)
        start_asker(q);
}

static void inquiry_free_unused(struct inquiry *q)
{
    if (q->askers > 0)
        return;
    LIST_REMOVE(q, link);
    free(q);
}

static void end_asker(struct inquiry *q)
{
    struct survey *s = q->survey;

    q->askers--;
    q->idle--;
    inquiry_free_unused(q);
    leave(s);
}

static struct inquiry *find_inquiry(const struct survey *s, int32_t leader, bool settled)
{
    struct inquiry *q;

    LIST_FOREACH(q, &s->inquiries, link)
    if (q->leader == leader && q->settled == settled)
        return q;
    return NULL;
}

/* Nothing if it is there already.  Of those to leaders there are two for each broker at most:
 * librdkafka has threads for each, too.  Without memory or threads it is tried again with the next
 * answer. */
static void start_inquiry(struct survey *s, int32_t leader, bool settled)
{
    struct inquiry *q = find_inquiry(s, leader, settled);

    if (q == NULL) {
        q = mem_zero(sizeof *q);
        q->survey = s;
        q->leader = leader;
        q->settled = settled;
        LIST_INSERT_HEAD(&s->inquiries, q, link);
    }
    keep_an_asker_idle(q);
    inquiry_free_unused(q);
}

/* A question of that number, with all that is asked for by now. */
static uint64_t inquiry_begin(struct inquiry *q, int64_t now)
{
    q->asked = q->survey->asked;
    q->due_ms = now + ANOTHER_MS;
    return ++q->begun;
}

static void inquiry_end(struct inquiry *q, uint64_t number, int64_t began)
{
    if (number == q->begun)
        q->due_ms = survey_due_ms(began, now_ms());
    if (number > q->ended)
        q->ended = number;
}

/* -- topics -- */

static void merge_layout(struct survey *s, const struct layout *layout, uint64_t ticket)
{
    struct survey_topic *t = TAILQ_FIRST(&s->topics);

    /* Those that have come since are behind those that were asked for. */
    for (int32_t i = 0; i < layout->topics_n; i++, t = TAILQ_NEXT(t, link)) {
        if (t->dropped)
            continue;
        findings_add_layout(&t->findings, layout, i, ticket);
        for (int32_t k = 0; k < t->findings.result.n; k++) {
            const struct survey_partition *p = &t->findings.result.partitions[k];
            if (p->leader >= 0)
                start_inquiry(s, p->leader, survey_partition_settled(p));
        }
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
static void ask_topics(struct survey *s, struct inquiry *q)
{
    struct layout layout;
    int64_t began = now_ms();
    uint64_t number = inquiry_begin(q, began), ticket = q->asked;
    int32_t n = s->topics_n;
    const char **names = names_of(s);

    pthread_mutex_unlock(&s->lock);
    bool answered = question_layout(s->reader, names, n, ANSWER_MS, &layout) == 0;
    pthread_mutex_lock(&s->lock);
    free(names);
    inquiry_end(q, number, began);
    if (!answered)
        return;
    if (number > q->merged && !s->stopping) {
        q->merged = number;
        s->answers++;
        merge_layout(s, &layout, ticket);
        pthread_cond_broadcast(&s->changed);
        wake(s);
    }
    layout_fini(&layout);
}

/* -- leaders -- */

static bool has_partitions(const struct inquiry *q)
{
    const struct survey_topic *t;

    TAILQ_FOREACH(t, &q->survey->topics, link)
    for (int32_t i = 0; i < t->findings.result.n; i++)
        if (survey_partition_is_asked(&t->findings.result.partitions[i], q->leader, q->settled))
            return true;
    return false;
}

/* A question to a leader; the lock is given back meanwhile. */
static void ask_leader(struct survey *s, struct inquiry *q)
{
    int64_t began = now_ms();
    uint64_t number = inquiry_begin(q, began);
    struct round round = {.leader = q->leader,
                          .settled = q->settled,
                          .ticket = q->asked,
                          .asked_ms = clock_ms(CLOCK_BOOTTIME)};
    struct survey_topic *t;
    bool answered;

    TAILQ_FOREACH(t, &s->topics, link)
    if (!t->dropped)
        round_add(&round, t->name, &t->findings);
    pthread_mutex_unlock(&s->lock);
    round_ask(&round, s->asker);
    pthread_mutex_lock(&s->lock);
    inquiry_end(q, number, began);
    if (!s->stopping && round_merge(&round, &answered)) {
        if (answered && !q->settled)
            start_inquiry(s, q->leader, true);
        s->answers += answered;
        wake(s);
    }
    round_fini(&round);
}

/* -- a thread -- */

static bool is_wanted(const struct inquiry *q)
{
    return !q->survey->stopping && (q->leader == TOPIC || has_partitions(q));
}

static bool is_due(const struct inquiry *q)
{
    bool under_way = q->ended < q->begun;

    return (!under_way && q->asked != q->survey->asked) || now_ms() >= q->due_ms;
}

static void *run(void *arg)
{
    struct inquiry *q = arg;
    struct survey *s = q->survey;

    pthread_mutex_lock(&s->lock);
    while (is_wanted(q)) {
        if (!is_due(q)) {
            wait_until(s, q->due_ms);
            continue;
        }
        q->idle--;
        keep_an_asker_idle(q);
        if (q->leader == TOPIC)
            ask_topics(s, q);
        else
            ask_leader(s, q);
        q->idle++;
    }
    end_asker(q);
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
    LIST_INIT(&s->inquiries);
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
    start_inquiry(s, TOPIC, false);
    struct inquiry *topics = find_inquiry(s, TOPIC, false);
    if (topics == NULL)
        abort(); /* out of memory or threads */
    topics->due_ms = 0;
    pthread_cond_broadcast(&s->changed);
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

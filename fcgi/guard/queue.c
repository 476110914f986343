#include "guard/queue.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"

/* Of whom there is a reason to think of: tokens that were verified, or that wait. */
struct subject {
    UT_hash_handle hh;
    struct subject_hash who;
    uint32_t known, waiting;
};

struct lane {
    TAILQ_HEAD(, queued) tokens;
    size_t count;
};

struct queue {
    struct subject *subjects;
    struct lane known, others;
    unsigned taken; /* of the known since the last of the others */
};

struct queue *queue_new(void)
{
    struct queue *q = mem_zero(sizeof *q);

    TAILQ_INIT(&q->known.tokens);
    TAILQ_INIT(&q->others.tokens);
    return q;
}

void queue_free(struct queue *q)
{
    free(q);
}

/* -- subjects -- */

static struct subject *queue_find(const struct queue *q, const struct subject_hash *who)
{
    struct subject *s;

    HASH_FIND(hh, q->subjects, who, sizeof *who, s);
    return s;
}

static void queue_drop_unused(struct queue *q, struct subject *s)
{
    if (s->known > 0 || s->waiting > 0)
        return;
    HASH_DEL(q->subjects, s);
    free(s);
}

void queue_know(struct queue *q, const struct subject_hash *who)
{
    struct subject *s = queue_find(q, who);

    if (s == NULL) {
        s = mem_zero(sizeof *s);
        s->who = *who;
        HASH_ADD(hh, q->subjects, who, sizeof s->who, s);
    }
    s->known++;
}

void queue_forget(struct queue *q, const struct subject_hash *who)
{
    struct subject *s = queue_find(q, who);

    s->known--;
    queue_drop_unused(q, s);
}

/* -- tokens -- */

static void lane_add(struct lane *lane, struct queued *t)
{
    TAILQ_INSERT_TAIL(&lane->tokens, t, link);
    lane->count++;
}

static struct queued *lane_take(struct lane *lane)
{
    struct queued *t = TAILQ_FIRST(&lane->tokens);

    TAILQ_REMOVE(&lane->tokens, t, link);
    lane->count--;
    return t;
}

/* NULL: a token of it has to wait with the others. */
static struct subject *queue_prefer(const struct queue *q, const struct subject_hash *who)
{
    struct subject *s = who != NULL ? queue_find(q, who) : NULL;
    bool room = s != NULL && s->waiting < QUEUE_SUBJECT_MAX && q->known.count < QUEUE_KNOWN_MAX;

    return room && s->known > 0 ? s : NULL;
}

bool queue_add(struct queue *q, struct slice text, const struct subject_hash *who,
               void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    struct subject *s = queue_prefer(q, who);

    if (s == NULL && q->others.count == QUEUE_OTHERS_MAX)
        return false;
    struct queued *t = mem_alloc(sizeof *t + text.n);
    t->subject = s;
    t->done = done;
    t->arg = arg;
    t->size = text.n;
    memcpy(t->text, text.p, text.n);
    if (s != NULL)
        s->waiting++;
    lane_add(s != NULL ? &q->known : &q->others, t);
    return true;
}

struct queued *queue_take(struct queue *q)
{
    struct queued *t = NULL;
    bool turn_of_others = q->taken >= QUEUE_SHARE - 1;

    if (q->known.count > 0 && (q->others.count == 0 || !turn_of_others)) {
        t = lane_take(&q->known);
        t->subject->waiting--;
        queue_drop_unused(q, t->subject);
        q->taken++;
    } else if (q->others.count > 0) {
        t = lane_take(&q->others);
        q->taken = 0;
    }
    return t;
}

bool queue_is_empty(const struct queue *q)
{
    return q->known.count + q->others.count == 0;
}

bool queue_has_room(const struct queue *q)
{
    return q->known.count < QUEUE_KNOWN_MAX || q->others.count < QUEUE_OTHERS_MAX;
}

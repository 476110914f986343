/* pace - when is the next flush, and is the consumer to wait for it?  Numbers only: no clock.
 *
 * The first event after a quiet time goes at once; in a stream of them there is one flush in a
 * while, so that many events go in one system call.  By itself the interval grows with the streams,
 * and limits the mean only: at a low rate nothing ever waits for it, however the records fall. */
#ifndef SKF_STREAM_PACE_H
#define SKF_STREAM_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_MUCH_BYTES = 64 * 1024 };

struct pace {
    int64_t interval_ms; /* at most one flush in that time; -1: as the number of streams needs */
    int64_t due_ms;      /* not before that */
    uint64_t waiting;    /* bytes that came since the last flush began */
    uint64_t flushing;   /* bytes of the flush under way */
};

/* Bytes have come. */
static inline void pace_add(struct pace *p, size_t bytes)
{
    p->waiting += bytes;
}

/* So much has come that it is to be flushed before its time. */
static inline bool pace_is_much(const struct pace *p)
{
    return p->waiting >= PACE_MUCH_BYTES;
}

/* Milliseconds until the next flush may begin, 0: now; -1: there is nothing to flush. */
int64_t pace_wait_ms(const struct pace *p, int64_t now_ms);

/* A flush of that many streams begins, and ends. */
void pace_begin(struct pace *p, size_t streams, int64_t now_ms);
static inline void pace_end(struct pace *p)
{
    p->flushing = 0;
}

/* Records come in faster than flushes get round: streams that keep up would fall out of a backlog
 * of that size. */
static inline bool pace_is_behind(const struct pace *p, size_t backlog_bytes)
{
    return p->waiting + p->flushing > backlog_bytes / 2;
}

#endif

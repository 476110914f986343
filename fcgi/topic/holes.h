/* holes - may a delete be hidden where offsets of a partition are missing?
 *
 * An offset that is not there was never a record (a transaction's marker, an aborted record), or
 * was compacted away: a superseded record, which does not matter, or a delete, which does to those
 * who have not seen it.  A delete goes at the earliest delete.retention.ms after it was appended.
 * So a hole hides none if it is *young*: if what is missing was appended less than that time ago.
 *
 * When it was appended is never written down.  Sound evidence that it was late is this:
 *
 *  - The broker has said that the log ends where the hole begins, or before: all behind that was
 *    appended later.  That time is ours, so no foreign clock matters.  It settles what is read
 * live.
 *  - The records around the hole.  What lies before it in the log was appended earlier, so a
 *    record before it that is young means that the hole is; and if the hole is young, so is what
 *    lies behind it.  But a timestamp is the producer's word: a clock that runs ahead makes what is
 *    old look young.  So one record proves nothing: each of the last eight before the hole and
 *    the one behind it must say that it is young, and one that lies in the future, before 2001
 *    (seconds taken for milliseconds) or has no time says nothing.  A false "old" costs a reset, a
 *    false "young" leaves a deleted key on a page for ever.
 *
 * What remains is a topic all of whose producers have clocks that run ahead by about
 * delete.retention.ms. */
#ifndef SKF_TOPIC_HOLES_H
#define SKF_TOPIC_HOLES_H

#include <stdbool.h>
#include <stdint.h>

enum { HOLES_NEIGHBOURS = 8 };

/* What is known of one partition; `{0}` is nothing. */
struct holes {
    int64_t timestamps_ms[HOLES_NEIGHBOURS]; /* of the newest records, in a ring */
    uint32_t records; /* in all, but never fewer than the ring holds once it is full */
    bool ended;
    int64_t ended_at_ms; /* when the log was known to end at what was read; by our own clock */
};

/* A record was read. */
static inline void holes_record(struct holes *h, int64_t timestamp_ms)
{
    h->timestamps_ms[h->records++ % HOLES_NEIGHBOURS] = timestamp_ms;
}

/* Everything that was there at that time was read, says the broker. */
static inline void holes_end(struct holes *h, int64_t at_ms)
{
    h->ended_at_ms = h->ended && h->ended_at_ms > at_ms ? h->ended_at_ms : at_ms;
    h->ended = true;
}

/* The clocks, and how long deletes are kept. */
struct holes_times {
    int64_t now_ms;  /* our own clock, which never goes back */
    int64_t wall_ms; /* to compare with timestamps */
    int64_t delete_retention_ms;
};

/* A hole follows what was read: may it hide a delete?  `behind` is the timestamp of the record
 * behind it, or NULL at the log's end. */
bool holes_hide_delete(const struct holes *h, const struct holes_times *times,
                       const int64_t *behind_ms);

/* And if so, may it be one of a key that was read before?  Once the log's end was reached, what was
 * read is whole; what was appended later and is gone by now was never seen, and what it deleted
 * is still held. */
bool holes_outdate(const struct holes *h, const struct holes_times *times);

#endif

/* holes - may a delete be hidden where offsets of a partition are missing?
 *
 * An offset that is not there was never a record (a transaction's marker, an aborted record), or
 * was compacted away: a superseded record, which does not matter, or a delete, which does to those
 * who have not seen it.  A delete goes at the earliest delete.retention.ms after it was appended.
 * So a hole hides none if it is *young*: if what is missing was appended less than that time ago.
 *
 * That time may have become longer a while ago: what went until then was kept for less long.  So it
 * counts as before, and as much longer as has passed since.
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
 * delete.retention.ms.
 *
 * A delete that a hole hides does harm beyond that if its key was read before: it stays in the
 * cache.  The log drops what a delete supersedes first, and the delete no earlier than
 * delete.retention.ms after that.  So it takes that long between two reads: since the log's end was
 * read last, or, before it was reached for the first time, since the reading stood still. */
#ifndef SKF_TOPIC_HOLES_H
#define SKF_TOPIC_HOLES_H

#include <stdbool.h>
#include <stdint.h>

enum { HOLES_NEIGHBOURS = 8 };

/* What is known of one partition; `{0}` is nothing. */
struct holes {
    int64_t timestamps_ms[HOLES_NEIGHBOURS]; /* of the newest records, in a ring */
    uint32_t records;                        /* in all */
    uint32_t looked_records;                 /* by the last holes_look() */
    int64_t moved_at_ms; /* before `ended`: when it was last seen to move; by our own clock */
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
    uint32_t rereads; /* how often the topic was read anew without having been read to its end */
};

/* To be called once a second, the last time at `last_ms`: is it being read?  Once it has stood
 * still for so long that it is outdated it stays so, until its end is known. */
void holes_look(struct holes *h, const struct holes_times *times, int64_t last_ms);

/* A hole follows what was read: may it hide a delete?  `behind` is the timestamp of the record
 * behind it, or NULL at the log's end. */
bool holes_hide_delete(const struct holes *h, const struct holes_times *times,
                       const int64_t *behind_ms);

/* And if so, may it be one of a key that was read before?  Once the log's end was reached, what was
 * read is whole; what was appended later and is gone by now was never seen, and what it deleted
 * is still held.  Before that it takes a reading that stood still; who reads so slowly that each
 * step takes that long would never come to the end, so it takes twice as long each time. */
bool holes_outdate(const struct holes *h, const struct holes_times *times);

#endif

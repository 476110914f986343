/* fanout_page - a page of a random story: it knows what events told it, checks each of them against
 * the rules, and comes back with its last id. */
#ifndef SKF_UNIT_FANOUT_PAGE_H
#define SKF_UNIT_FANOUT_PAGE_H

#include "fanout_setup.h"

enum { KEYS = 8, PAGES = 5 };

/* Values are `partition:key:offset`, padded; keys are the partition's digit and a letter. */
struct page {
    struct client client;
    bool connected;
    bool held;
    int events; /* since it was held; the one that was under way may follow */
    char id[256];
    struct buf text;                      /* of events that are not whole */
    int64_t next[FAKE_PARTITIONS];        /* by its last id */
    int64_t table[FAKE_PARTITIONS][KEYS]; /* offset + 1 of the newest record; 0: deleted, or none */
};
extern struct page pages[PAGES];

/* What holds for all of them. */
extern struct page_rules {
    bool compacted; /* else each record must come */
    bool gaps;      /* records may be lost, if that is told */
} page_rules;

void page_connect(struct page *p);
void page_disconnect(struct page *p);
/* Takes in what has come, `limit` bytes of it at most. */
void page_read(struct page *p, size_t limit);
void page_hold(struct page *p, bool held);

#endif

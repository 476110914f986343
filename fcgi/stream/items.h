/* items - events of the backlog that readers which select wait for (stream/picks.h).
 *
 * Those of one key are chained, from the older to the newer, so that a reader finds its next one
 * without a look at those of others. */
#ifndef SKF_STREAM_ITEMS_H
#define SKF_STREAM_ITEMS_H

#include "stream/backlog.h"

struct picker;
LIST_HEAD(picker_list, picker);

/* Valid as a place is; no block: none. */
struct item {
    struct block *block;
    uint32_t at;
};

/* The newest event, which must have been added just now, is waited for; `moves` is the caller's. */
struct item backlog_note(struct backlog *b, uint64_t moves);
uint64_t item_moves(struct item item);
/* Chains the newer event of the same key. */
void item_chain(struct item item, struct item newer);
struct item item_newer(struct item item);
/* Which of two events came first? */
bool item_before(struct item a, struct item b);
/* Its bytes, and where in them a tag belongs (event_encode()). */
struct slice item_event(struct item item, size_t *tag_at);
/* Its record's number, and the progress before it. */
uint64_t item_number(struct item item);
void item_progress(struct item item, struct progress *out);
/* Keeps its bytes from there on in an empty rest, as backlog_keep_rest(). */
void item_keep_rest(struct item item, size_t from, struct rest *rest);
/* Those for whom the first event that they wait for is in that block. */
struct picker_list *backlog_waiting(struct block *block);

#endif

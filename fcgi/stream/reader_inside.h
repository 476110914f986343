/* reader_inside - what the reader's files share: reader.c, in which it is pulled; reader_back.c, in
 * which it goes back; reader_narrow.c, in which it goes over to another selection. */
#ifndef SKF_STREAM_READER_INSIDE_H
#define SKF_STREAM_READER_INSIDE_H

#include "stream/move.h"
#include "stream/reader.h"

/* Moves on from wherever it is; the rest of the event that is under way stays. */
void reader_move(struct reader *r, struct source *src, enum reader_at at, struct replay *replay);
static inline bool reader_is_replaying(const struct reader *r)
{
    return r->at == READER_REPLAY || r->at == READER_AHEAD;
}
/* It is on its way from another selection. */
static inline bool reader_moves(const struct reader *r)
{
    return (r->at == READER_WAITING || reader_is_replaying(r)) && r->move != NULL;
}
/* Where one is that picks: the number that it goes on with, and its progress. */
uint64_t reader_picked(const struct reader *r, const struct source *src, struct progress *at);
/* Of one that does not pick. */
void reader_set_selection(struct reader *r, struct source *src, struct selection *selection);

/* It is in REPLAY or AHEAD, where what it moves from has led it; takes over the move. */
void reader_begin_move(struct reader *r, struct source *src, struct move *move);
/* All that there was for this part of its move was sent. */
void reader_go_on_moving(struct reader *r);

#endif

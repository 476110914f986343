#include "stream/items.h"

#include "stream/backlog_inside.h"

static struct note *note_of(struct item item)
{
    return &item.block->notes[item.at];
}

uint64_t item_moves(struct item item)
{
    return note_of(item)->moves;
}

void item_chain(struct item item, struct item newer)
{
    note_of(item)->newer = newer;
}

struct item item_newer(struct item item)
{
    return note_of(item)->newer;
}

bool item_before(struct item a, struct item b)
{
    return a.block == b.block ? a.at < b.at : a.block->event < b.block->event;
}

struct slice item_event(struct item item, size_t *tag_at)
{
    const struct block *block = item.block;
    size_t mark = note_of(item)->mark, start = block_event_start(block, mark);

    *tag_at = block->marks[mark].tag_at;
    return slice_of(block->bytes.p + start, block->marks[mark].end - start);
}

uint64_t item_number(struct item item)
{
    return item.block->marks[note_of(item)->mark].number;
}

void item_progress(struct item item, struct progress *out)
{
    size_t mark = note_of(item)->mark;

    block_progress(item.block, mark, block_event_start(item.block, mark), out);
}

void item_keep_rest(struct item item, size_t from, struct rest *rest)
{
    size_t mark = note_of(item)->mark;

    block_keep_rest(item.block, mark, block_event_start(item.block, mark) + from, rest);
}

struct picker_list *backlog_waiting(struct block *block)
{
    return &block->waiting;
}

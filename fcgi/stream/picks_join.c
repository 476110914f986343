#include <stdlib.h>

#include "base/mem.h"
#include "stream/picks_inside.h"

struct picker *picker_new(struct picks *p, struct reader *reader, const struct selection *s,
                          uint64_t moves)
{
    size_t n = selection_count(s);
    struct picker *picker = mem_zero(sizeof *picker + (n > 0 ? n : 1) * sizeof picker->picks[0]);

    picker->reader = reader;
    picker->seen = moves;
    for (size_t i = 0; i < n; i++) {
        picker->picks[i].index = i & INT32_MAX;
        picker->picks[i].sole = n == 1;
        index_add(p->index, &picker->picks[i].wish, selection_key(s, i), n == 1);
    }
    return picker;
}

/* It is served no longer; without sole wishes nothing of the want is due. */
static void picks_forget_sole(struct picks *p, struct wish *wish)
{
    struct want *want = wish->want;
    struct due_want *due = due_find(&p->due, want);

    if (p->serving.next == wish)
        p->serving.next = LIST_NEXT(wish, link);
    if (want->soles > 1)
        return;
    if (p->serving.want == want)
        p->serving.want = NULL;
    if (due != NULL)
        due->want = NULL;
}

void picker_free(struct picks *p, struct picker *picker, const struct selection *s)
{
    size_t n = selection_count(s);

    picker_unlist(picker);
    for (size_t i = 0; i < n; i++) {
        pick_stop(&picker->picks[i]);
        if (n == 1)
            picks_forget_sole(p, &picker->picks[i].wish);
        index_remove(p->index, &picker->picks[i].wish, n == 1);
    }
    free(picker);
}

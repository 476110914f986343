#include "front/lastid.h"

#include <ctype.h>

#include "base/percent.h"
#include "front/query.h"

/* Without case, `-` and `_`, is it that text? */
static bool spells(struct slice name, const char *text)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '-' || name.p[i] == '_')
            continue;
        if (*text == 0 || tolower(name.p[i]) != *text)
            return false;
        text++;
    }
    return *text == 0;
}

static bool is_last_event_id(struct slice name)
{
    return spells(name, "lasteventid") || spells(name, "evslasteventid");
}

bool lastid_find(const char *header, struct slice query, struct buf *id)
{
    struct slice name, value, last = {0};

    if (header != NULL && *header != 0) {
        buf_add_str(id, header);
        return true;
    }
    while (query_next(&query, &name, &value))
        if (is_last_event_id(name))
            last = value;
    if (last.n > 0 && !percent_decode(id, last))
        buf_add_slice(id, last);
    return last.n > 0;
}

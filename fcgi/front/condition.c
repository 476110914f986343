#include "front/condition.h"

#include <ctype.h>
#include <strings.h>

#include "front/element.h"
#include "topic/progress.h"

/* -- If-None-Match -- */

/* Takes the next tag of the list, without `W/` and quotes; false: there is none, or it is
 * malformed. */
static bool next_tag(const char **at, struct slice *tag)
{
    *at += strspn(*at, ELEMENT_BLANKS ",");
    if (strncmp(*at, "W/", 2) == 0)
        *at += 2;
    if (**at != '"')
        return false;
    const char *start = *at + 1, *end = strchr(start, '"');
    if (end == NULL)
        return false;
    *tag = slice_of(start, (size_t)(end - start));
    *at = end + 1;
    return true;
}

/* An event id of ours, with that tag of its selection. */
static bool is_place(struct slice tag, struct slice selection)
{
    struct progress_id id;

    if (tag.n == 0 || tag.p[0] == '[' || progress_id_parse(tag, &id) < 0)
        return false;
    bool same = slice_equal(slice_str(id.tag), selection);
    progress_id_fini(&id);
    return same;
}

/* Fronts that compress an answer add to its tag; an id may end like that by itself, too. */
static bool take_suffix(struct slice *tag)
{
    static const char *const suffixes[] = {"-gzip", "-br", "-deflate", "-zstd"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t n = strlen(suffixes[i]);
        if (tag->n > n && memcmp(tag->p + tag->n - n, suffixes[i], n) == 0) {
            tag->n -= n;
            return true;
        }
    }
    return false;
}

struct slice condition_place(const char *if_none_match, struct slice selection)
{
    struct slice tag;

    for (const char *at = if_none_match; at != NULL && next_tag(&at, &tag);)
        if (is_place(tag, selection) || (take_suffix(&tag) && is_place(tag, selection)))
            return tag;
    return slice_of(NULL, 0);
}

/* -- Prefer -- */

/* What stands behind `wait`: `=` and a number, maybe in quotes, and no more of it. */
static int read_wait(const char *at)
{
    int seconds = 0;

    at += strspn(at, ELEMENT_BLANKS);
    if (*at++ != '=')
        return 0;
    at += strspn(at, ELEMENT_BLANKS);
    bool quoted = *at == '"';
    at += quoted;
    for (; isdigit((unsigned char)*at); at++)
        if (seconds < CONDITION_WAIT_MAX_S)
            seconds = seconds * 10 + (*at - '0');
    if (quoted && *at++ != '"')
        return 0;
    at += strspn(at, ELEMENT_BLANKS);
    if (*at != 0 && *at != ',' && *at != ';')
        return 0;
    return seconds < CONDITION_WAIT_MAX_S ? seconds : CONDITION_WAIT_MAX_S;
}

int condition_wait_s(const char *prefer)
{
    if (prefer == NULL)
        return 0;
    for (const char *at = prefer; *at != 0; at += *at != 0) {
        at += strspn(at, ELEMENT_BLANKS);
        size_t name = strcspn(at, ELEMENT_BLANKS "=;,\"");
        if (name == 4 && strncasecmp(at, "wait", name) == 0)
            return read_wait(at + name); /* of several the first counts (RFC 7240, 2) */
        at = element_end(at, ",");
    }
    return 0;
}

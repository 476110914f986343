/* A Prefer header in the first line, the tag of a selection in the second, then If-None-Match. */
#include "front/condition.h"

#include <stdlib.h>

#include "fuzz.h"
#include "topic/progress.h"

static void check_place(const char *header, struct slice selection)
{
    struct slice place = condition_place(header, selection);
    struct progress_id id;

    if (place.p == NULL)
        return;
    assert(place.p > (const uint8_t *)header && place.p[-1] == '"');
    assert(place.p + place.n < (const uint8_t *)header + strlen(header));
    assert(progress_id_parse(place, &id) == 0);
    assert(slice_equal(slice_str(id.tag), selection));
    progress_id_fini(&id);
}

static void check_wait(const char *prefer)
{
    int wait = condition_wait_s(prefer);

    assert(wait >= 0 && wait <= CONDITION_WAIT_MAX_S);
    assert(wait == 0 || strcasestr(prefer, "wait") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    char *prefer = take_string(&in, '\n'), *selection = take_string(&in, '\n');
    char *header = take_string(&in, 0);

    check_place(header, slice_str(selection));
    check_wait(prefer);
    free(prefer);
    free(selection);
    free(header);
    return 0;
}

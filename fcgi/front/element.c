#include "front/element.h"

#include <stdbool.h>
#include <string.h>

const char *element_end(const char *at, const char *ends)
{
    bool quoted = false;

    for (; *at != 0 && (quoted || strchr(ends, *at) == NULL); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (quoted && *at == '\\' && at[1] != 0)
            at++;
    }
    return at;
}

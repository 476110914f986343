#include "kafka/names.h"

#include <stdarg.h>
#include <stdio.h>

enum { TOPIC_MAX = 80, ROOM = 48 /* for a range and what follows the last one */ };

__attribute__((format(printf, 2, 3))) static void names_print(struct names *names,
                                                              const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(names->text + names->n, sizeof names->text - names->n, format, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof names->text - names->n)
        names->n += (size_t)n;
}

struct names names_new(const char *topic)
{
    struct names names = {.first = -1};

    names_print(&names, "%.*s[", TOPIC_MAX, topic);
    return names;
}

static void names_print_range(struct names *names)
{
    const char *comma = names->from == names->first ? "" : ",";

    if (names->from == names->to)
        return;
    if (names->n + ROOM >= sizeof names->text)
        names->more += names->to - names->from;
    else if (names->to == names->from + 1)
        names_print(names, "%s%d", comma, names->from);
    else
        names_print(names, "%s%d-%d", comma, names->from, names->to - 1);
}

void names_add(struct names *names, int32_t partition)
{
    if (names->first < 0)
        names->first = partition;
    if (partition != names->to || names->from == names->to) {
        names_print_range(names);
        names->from = partition;
    }
    names->to = partition + 1;
}

const char *names_end(struct names *names)
{
    names_print_range(names);
    names_print(names, "]");
    if (names->more > 0)
        names_print(names, " and %d more", names->more);
    return names->text;
}

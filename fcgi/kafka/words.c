#include "kafka/words.h"

#include <stdio.h>
#include <string.h>

static int place_of(const struct words *w, enum words_about about, int32_t id)
{
    for (int i = 0; i < WORDS_MAX; i++)
        if (w->of[i].about == about && w->of[i].id == id)
            return i;
    return -1;
}

void words_note(struct words *w, enum words_about about, int32_t id, const char *text)
{
    int at = place_of(w, about, id);

    if (at < 0)
        at = WORDS_MAX - 1;
    memmove(w->of + 1, w->of, (size_t)at * sizeof w->of[0]);
    w->of[0].about = about;
    w->of[0].id = id;
    snprintf(w->of[0].text, sizeof w->of[0].text, "%s", text);
}

void words_forget(struct words *w, enum words_about about, int32_t id)
{
    int at = place_of(w, about, id);

    if (at >= 0)
        w->of[at].about = WORDS_NOTHING;
}

const char *words_find(const struct words *w, enum words_about about, int32_t id)
{
    int at = place_of(w, about, id);

    return at < 0 ? NULL : w->of[at].text;
}

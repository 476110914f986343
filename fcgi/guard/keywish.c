#include "guard/keywish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/rundir.h"

enum { PAUSE_MS = 60000 };

struct keywish {
    int directory;
    int64_t next_ms; /* not before that */
};

struct keywish *keywish_new(const char *directory, char *error, size_t size)
{
    int fd = rundir_open(directory, error, size);

    if (fd < 0)
        return NULL;
    struct keywish *w = mem_zero(sizeof *w);
    w->directory = fd;
    return w;
}

void keywish_free(struct keywish *w)
{
    if (w == NULL)
        return;
    close(w->directory);
    free(w);
}

/* By us before our start, or by another responder. */
static bool was_just_asked(const struct keywish *w)
{
    struct stat st;

    if (fstatat(w->directory, KEYWISH_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    int64_t age_ms = loop_wall_ms() - (int64_t)st.st_mtim.tv_sec * 1000;
    return age_ms >= 0 && age_ms < PAUSE_MS;
}

void keywish_ask(void *arg)
{
    struct keywish *w = arg;
    int64_t now = loop_now_ms();

    if (now < w->next_ms)
        return;
    w->next_ms = now + PAUSE_MS;
    if (was_just_asked(w))
        return;
    int fd = openat(w->directory, KEYWISH_FILE,
                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    const struct timespec at = {.tv_sec = loop_wall_ms() / 1000}, times[2] = {at, at};
    if (fd < 0 || futimens(fd, times) != 0)
        log_warn("guard: cannot ask for keys, %s: %s", KEYWISH_FILE, strerror(errno));
    else
        log_info("guard: a token names an unknown key: whoever fetches keys is asked to");
    if (fd >= 0)
        close(fd);
}

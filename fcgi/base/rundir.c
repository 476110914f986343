#include "base/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* Without slashes at its end, behind which a link would be followed. */
static int open_itself(const char *path)
{
    char *name = mem_strdup(path);

    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
        name[n - 1] = 0;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int err = errno;
    free(name);
    return fd < 0 ? -err : fd;
}

int rundir_open(const char *path, char *error, size_t size)
{
    struct stat st;
    int fd = open_itself(path);

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
        return fd;
    if (fd < 0 && fd != -ENOTDIR && fd != -ELOOP) {
        snprintf(error, size, "peer directory %s: %s", path, strerror(-fd));
        return fd;
    }
    snprintf(error, size, "peer directory %s: must be a directory of this user, mode 0700", path);
    if (fd >= 0)
        close(fd);
    return -EACCES;
}

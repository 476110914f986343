#include "base/access.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"

enum { PASSWD_SIZE = 4096 };

/* As fcgi/systemd has them: ProtectHome=, and TemporaryFileSystem=/var. */
static bool may_be_hidden(struct slice path)
{
    if (getenv("INVOCATION_ID") == NULL || slice_starts(path, "/var/lib/sse-kafka-fanout/"))
        return false;
    return slice_starts(path, "/home/") || slice_starts(path, "/root/") ||
           slice_starts(path, "/var/");
}

void access_say(char *text, size_t size, const char *path, int err)
{
    char buffer[PASSWD_SIZE];
    struct passwd entry, *user = NULL;

    if ((err == EACCES || err == ENOENT) && may_be_hidden(slice_str(path))) {
        snprintf(text, size, "%s, or the unit hides it: /var/lib/sse-kafka-fanout is not hidden",
                 strerror(err));
        return;
    }
    if (err == EACCES)
        getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &user);
    if (user == NULL)
        snprintf(text, size, "%s", strerror(err));
    else
        snprintf(text, size, "%s: user %s must be able to read it, and to enter its directory",
                 strerror(err), user->pw_name);
}

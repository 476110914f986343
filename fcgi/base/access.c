#include "base/access.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASSWD_SIZE = 4096 };

static bool begins_with(const char *path, const char *directory)
{
    return strncmp(path, directory, strlen(directory)) == 0;
}

/* As fcgi/systemd has them: ProtectHome=, and TemporaryFileSystem=/var. */
static bool may_be_hidden(const char *path)
{
    if (getenv("INVOCATION_ID") == NULL || begins_with(path, "/var/lib/sse-kafka-fanout/"))
        return false;
    return begins_with(path, "/home/") || begins_with(path, "/root/") || begins_with(path, "/var/");
}

void access_say(char *text, size_t size, const char *path, int err)
{
    char buffer[PASSWD_SIZE];
    struct passwd entry, *user = NULL;

    if ((err == EACCES || err == ENOENT) && may_be_hidden(path)) {
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

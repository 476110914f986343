/* access - why a file cannot be read, in words that say what to do. */
#ifndef SKF_BASE_ACCESS_H
#define SKF_BASE_ACCESS_H

#include <stddef.h>

enum { ACCESS_SIZE = 256 }; /* enough for all of it */

/* What strerror() says of `err`, and who must be able to read the file, or that a unit of systemd's
 * may hide it.  Any thread may ask. */
void access_say(char *text, size_t size, const char *path, int err);

#endif

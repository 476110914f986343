/* rundir - the directory in which a pool's responders meet. */
#ifndef SKF_BASE_RUNDIR_H
#define SKF_BASE_RUNDIR_H

#include <stddef.h>

/* Opens the directory; what lies in it is to be reached by this descriptor.  It must be ours alone:
 * of this user, mode 0700, not a link.  The descriptor, or a negative errno and `error` filled in.
 */
int rundir_open(const char *path, char *error, size_t size);

#endif

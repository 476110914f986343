/* process - what this process takes of the machine, as the kernel tells it. */
#ifndef SKF_BASE_PROCESS_H
#define SKF_BASE_PROCESS_H

#include <stdint.h>

/* Bytes of memory that are not swapped out; -1: not known. */
int64_t process_resident_bytes(void);

/* Descriptors that are open; -1: not known.  To count them by hand would keep the loop waiting:
 * a kernel tells it from Linux 6.2 on. */
int64_t process_descriptors(void);

/* How many it may have (RLIMIT_NOFILE). */
int64_t process_descriptors_limit(void);

#endif

/* mem - memory that is there or the process ends: a half-built stream is worse than a restart by
 * the front.  The pointers go to free(). */
#ifndef SKF_BASE_MEM_H
#define SKF_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);
void *mem_zero(size_t n); /* the bytes are 0 */
void *mem_resize(void *p, size_t n);
/* n elements of `size` bytes; ends the process on overflow, too. */
void *mem_resize_array(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);

#endif

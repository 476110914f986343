#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *checked(void *p)
{
    if (p == NULL) {
        log_error("out of memory");
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return checked(malloc(n ? n : 1));
}

/* glibc's malloc() has small pieces at hand for its thread, of which its calloc() takes none (up to
 * 2.40): that costs some 200 instructions, clearing a small piece a tenth of it.  Large ones come
 * from the kernel, which has cleared them. */
void *mem_zero(size_t n)
{
    enum { SMALL = 1024 };

    return n > SMALL ? checked(calloc(1, n)) : memset(mem_alloc(n), 0, n);
}

void *mem_resize(void *p, size_t n)
{
    return checked(realloc(p, n ? n : 1));
}

void *mem_resize_array(void *p, size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size)
        checked(NULL);
    return mem_resize(p, n * size);
}

char *mem_strdup(const char *s)
{
    return checked(strdup(s));
}

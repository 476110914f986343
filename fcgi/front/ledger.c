#include "front/ledger.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rundir.h"
#include "route/routes.h"

#define PREFIX "metrics-"
enum { STARTING_S = 60 };

/* The file: this, in which the pointers mean nothing, then the topics, then the routes.  Whoever
 * changes one of these structs or its table changes the magic number. */
static const uint64_t MAGIC = 0x534b464d00000000u + sizeof(struct metrics) +
                              (sizeof(struct metrics_topic) << 16) + sizeof(struct metrics_route);
struct page {
    uint64_t magic;
    struct metrics metrics;
};

static size_t size_of_topics(const struct metrics *m)
{
    return (size_t)m->topic_count * sizeof *m->topics;
}

static size_t size_of_routes(const struct metrics *m)
{
    return (size_t)m->route_count * sizeof *m->routes;
}

static size_t size_of(const struct metrics *m)
{
    return sizeof(struct page) + size_of_topics(m) + size_of_routes(m);
}

struct ledger {
    int directory;
    int fd; /* locked */
    char name[32];
    struct page *page;
    size_t size;
};

/* Room for all of it, or an error: a mapped page for which there is none kills by SIGBUS. */
static int reserve(int fd, size_t size)
{
    return -posix_fallocate(fd, 0, (off_t)size);
}

static int lock_and_publish(struct ledger *l, const char *hidden)
{
    if (flock(l->fd, LOCK_EX | LOCK_NB) != 0)
        return -errno;
    int err = reserve(l->fd, l->size);
    if (err < 0)
        return err;
    void *page = mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
    if (page == MAP_FAILED)
        return -errno;
    l->page = page;
    return renameat(l->directory, hidden, l->directory, l->name) == 0 ? 0 : -errno;
}

/* Made under another name, which nobody reads before it is locked.  In containers that share the
 * directory process ids are the same: hence the random part. */
static int make_file(struct ledger *l)
{
    char hidden[sizeof l->name + 1];

    snprintf(l->name, sizeof l->name, PREFIX "%d-%08x", (int)getpid(), arc4random());
    snprintf(hidden, sizeof hidden, ".%s", l->name);
    l->fd = openat(l->directory, hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (l->fd < 0)
        return -errno;
    int err = lock_and_publish(l, hidden);
    if (err < 0)
        unlinkat(l->directory, hidden, 0);
    return err;
}

/* Calls each(arg, name, fd) for the file of each responder, and for those (`.name`) of one that is
 * just starting; fd is closed afterwards. */
static void for_each(const struct ledger *l,
                     void (*each)(void *arg, const struct ledger *l, const char *name, int fd),
                     void *arg)
{
    int fd = openat(l->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name + (entry->d_name[0] == '.');
        if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        int file =
            openat(l->directory, entry->d_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0)
            continue;
        each(arg, l, entry->d_name, file);
        close(file);
    }
    if (dir != NULL)
        closedir(dir);
}

static bool lives(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) != 0;
}

/* One that is starting is not locked for a moment. */
static bool may_be_starting(const char *name, int fd)
{
    struct stat st;

    return name[0] == '.' && (fstat(fd, &st) != 0 || time(NULL) - st.st_mtime < STARTING_S);
}

static void remove_dead(void *arg, const struct ledger *l, const char *name, int fd)
{
    (void)arg;
    if (!lives(fd) && !may_be_starting(name, fd))
        unlinkat(l->directory, name, 0);
}

struct ledger *ledger_new(const char *directory, const struct metrics *like, char *error,
                          size_t size)
{
    struct ledger *l = mem_zero(sizeof *l);
    int err;

    l->fd = -1;
    l->size = size_of(like);
    l->directory = rundir_open(directory, error, size);
    if (l->directory < 0) {
        ledger_free(l);
        return NULL;
    }
    for_each(l, remove_dead, NULL);
    err = make_file(l);
    if (err < 0) {
        snprintf(error, size, "peer directory %s: cannot keep metrics in it: %s", directory,
                 strerror(-err));
        ledger_free(l);
        return NULL;
    }
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    if (l->page != NULL) {
        unlinkat(l->directory, l->name, 0);
        munmap(l->page, l->size);
    }
    if (l->fd >= 0)
        close(l->fd);
    if (l->directory >= 0)
        close(l->directory);
    free(l);
}

void ledger_write(struct ledger *l, const struct metrics *m)
{
    uint8_t *behind = (uint8_t *)(l->page + 1);

    assert(size_of(m) == l->size);
    memcpy(behind, m->topics, size_of_topics(m));
    memcpy(behind + size_of_topics(m), m->routes, size_of_routes(m));
    l->page->metrics = *m;
    l->page->magic = MAGIC;
}

static bool is_sound(const struct page *page, size_t size)
{
    const struct metrics *m = &page->metrics;

    return page->magic == MAGIC && m->topic_count >= 0 && m->topic_count <= ROUTES_TOPICS &&
           m->route_count >= 0 && m->route_count <= ROUTES_MAX && m->issuer_count >= 0 &&
           m->issuer_count <= GUARD_ISSUERS_MAX && size_of(m) == size;
}

/* False: it is not what we would have written. */
static bool read_file(int fd, struct metrics *m)
{
    struct page page;
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        pread(fd, &page, sizeof page, 0) != sizeof page || !is_sound(&page, (size_t)st.st_size))
        return false;
    struct metrics_topic *topics = mem_alloc(size_of_topics(&page.metrics));
    struct metrics_route *routes = mem_alloc(size_of_routes(&page.metrics));
    struct iovec iov[] = {{topics, size_of_topics(&page.metrics)},
                          {routes, size_of_routes(&page.metrics)}};
    ssize_t want = st.st_size - (ssize_t)sizeof page;
    bool whole = preadv(fd, iov, 2, sizeof page) == want;
    *m = page.metrics;
    m->topics = topics;
    m->routes = routes;
    if (!whole)
        metrics_fini(m);
    return whole;
}

struct reading {
    struct metrics *all;
    size_t n;
};

static void read_living(void *arg, const struct ledger *l, const char *name, int fd)
{
    struct reading *r = arg;

    (void)l;
    if (name[0] != '.' && r->n < LEDGER_MAX && lives(fd) && read_file(fd, &r->all[r->n]))
        r->n++;
}

size_t ledger_read(const struct ledger *l, struct metrics all[LEDGER_MAX])
{
    struct reading r = {.all = all};

    for_each(l, read_living, &r);
    return r.n;
}

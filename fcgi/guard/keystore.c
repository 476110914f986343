#include "guard/keystore.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { WATCH_MS = 2000, ERROR_SIZE = 256 };

/* What a file was when it was read. */
struct seen {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* One reading of the files: what the thread gets, and what it leaves. */
struct reading {
    pthread_t thread;
    struct keyset_source source;
    atomic_bool stop;
    int done_fd; /* readable when the thread has done its work */
    struct watch *watch;
    bool asked_for; /* by keystore_reload() */
    struct keyset *keys;
    struct notes notes;
    int err;
    char error[ERROR_SIZE];
};

struct keystore {
    struct loop *loop;
    struct keystore_config config;
    struct keyset *keys;
    int64_t changed_ms;
    struct seen *seen;
    struct timer *timer;
    struct reading *reading; /* NULL: none is under way */
    bool again, asked_for;   /* another is to follow it */
    bool may_pass;           /* the last one failed for something that no change of a file tells */
    char error[ERROR_SIZE];  /* of the last one; empty: it went well */
    struct notes notes;      /* likewise */
};

/* -- the files -- */

static void look_at(const char *file, struct seen *seen)
{
    struct stat st;

    *seen = (struct seen){0};
    if (stat(file, &st) == 0)
        *seen = (struct seen){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool seen_equal(const struct seen *a, const struct seen *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Looked at before they are read: a change in between is seen the next time. */
static bool look_at_all(struct keystore *store)
{
    bool changed = false;

    for (size_t i = 0; i < store->config.file_count; i++) {
        struct seen now;
        look_at(store->config.files[i], &now);
        changed = changed || !seen_equal(&now, &store->seen[i]);
        store->seen[i] = now;
    }
    return changed;
}

static int64_t oldest_change_ms(const struct keystore *store)
{
    int64_t oldest = INT64_MAX;

    for (size_t i = 0; i < store->config.file_count; i++) {
        const struct timespec *t = &store->seen[i].changed;
        int64_t ms = (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
        if (ms < oldest)
            oldest = ms;
    }
    return oldest;
}

/* -- a reading -- */

static struct reading *reading_new(const struct keystore *store, bool asked_for)
{
    struct reading *r = mem_zero(sizeof *r);

    r->source = (struct keyset_source){
        .files = store->config.files,
        .file_count = store->config.file_count,
        .allow_demo = store->config.allow_demo_key,
        .known = store->keys,
        .stop = &r->stop,
    };
    r->asked_for = asked_for;
    r->done_fd = -1;
    return r;
}

static void reading_free(struct reading *r)
{
    watch_free(r->watch);
    if (r->done_fd >= 0)
        close(r->done_fd);
    keyset_free(r->keys);
    notes_fini(&r->notes);
    free(r);
}

static void reading_do(struct reading *r)
{
    r->err = keyset_load(&r->source, &r->keys, &r->notes, r->error, sizeof r->error);
}

static void *run_reading(void *arg)
{
    struct reading *r = arg;

    reading_do(r);
    eventfd_write(r->done_fd, 1);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct reading *r)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&r->thread, NULL, run_reading, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

/* -- what comes of it -- */

static void use_keys(struct keystore *store, struct reading *r)
{
    bool changed = !keyset_equal(r->keys, store->keys);

    keyset_free(store->keys);
    store->keys = r->keys;
    r->keys = NULL;
    store->changed_ms = oldest_change_ms(store);
    if (changed || r->asked_for || *store->error)
        log_info("guard: %zu key(s) of %s", keyset_count(store->keys), store->config.issuer);
    *store->error = 0;
    if (changed)
        store->config.on_change(store->config.arg);
}

static void keep_keys(struct keystore *store, const struct reading *r)
{
    if (r->asked_for || strcmp(r->error, store->error) != 0)
        log_error("guard: %s; the keys read before stay in use for %s", r->error,
                  store->config.issuer);
    strcpy(store->error, r->error);
}

static void finish_reading(struct keystore *store)
{
    struct reading *r = store->reading;

    store->reading = NULL;
    store->may_pass = r->err < 0 && r->err != -EBADMSG;
    notes_log_new(&r->notes, &store->notes);
    notes_fini(&store->notes);
    store->notes = r->notes;
    r->notes = (struct notes){0};
    if (r->err == 0)
        use_keys(store, r);
    else
        keep_keys(store, r);
    reading_free(r);
}

static void start_reading(struct keystore *store, bool asked_for);

static void on_done(void *arg, int what)
{
    struct keystore *store = arg;

    (void)what;
    pthread_join(store->reading->thread, NULL);
    finish_reading(store);
    if (store->again)
        start_reading(store, store->asked_for);
}

/* Without a descriptor or a thread for it, it is tried again at the next look. */
static void start_reading(struct keystore *store, bool asked_for)
{
    struct reading *r;

    if (store->reading != NULL) {
        store->again = true;
        store->asked_for = store->asked_for || asked_for;
        return;
    }
    store->again = store->asked_for = false;
    r = store->reading = reading_new(store, asked_for);
    r->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int err = r->done_fd < 0 ? errno : start_thread(r);
    if (err == 0) {
        r->watch = watch_new(store->loop, r->done_fd, LOOP_READ, on_done, store);
        return;
    }
    r->err = -err;
    snprintf(r->error, sizeof r->error, "the keys cannot be read now: %s", strerror(err));
    finish_reading(store);
}

void keystore_reload(struct keystore *store)
{
    look_at_all(store);
    start_reading(store, true);
}

static void on_watch(void *arg)
{
    struct keystore *store = arg;

    if (look_at_all(store) || store->may_pass)
        start_reading(store, false);
    timer_start(store->timer, WATCH_MS);
}

/* -- life -- */

const struct keyset *keystore_keys(const struct keystore *store)
{
    return store->keys;
}

bool keystore_is_reading(const struct keystore *store)
{
    return store->reading != NULL;
}

bool keystore_broken(const struct keystore *store)
{
    return *store->error != 0;
}

int64_t keystore_changed_ms(const struct keystore *store)
{
    return store->changed_ms;
}

/* At the start nobody waits yet. */
static bool read_first(struct keystore *store, char *error, size_t size)
{
    struct reading *r = reading_new(store, false);

    reading_do(r);
    notes_log_new(&r->notes, &store->notes);
    store->notes = r->notes;
    r->notes = (struct notes){0};
    store->keys = r->keys;
    r->keys = NULL;
    store->changed_ms = oldest_change_ms(store);
    if (r->err < 0)
        snprintf(error, size, "%s", r->error);
    reading_free(r);
    return store->keys != NULL;
}

struct keystore *keystore_new(struct loop *loop, const struct keystore_config *config, char *error,
                              size_t size)
{
    struct keystore *store = mem_zero(sizeof *store);

    store->loop = loop;
    store->config = *config;
    store->seen = mem_zero(config->file_count * sizeof *store->seen);
    store->timer = timer_new(loop, on_watch, store);
    look_at_all(store);
    if (!read_first(store, error, size)) {
        keystore_free(store);
        return NULL;
    }
    timer_start(store->timer, WATCH_MS);
    return store;
}

void keystore_free(struct keystore *store)
{
    if (store == NULL)
        return;
    if (store->reading != NULL) {
        atomic_store(&store->reading->stop, true);
        pthread_join(store->reading->thread, NULL);
        reading_free(store->reading);
    }
    timer_free(store->timer);
    keyset_free(store->keys);
    notes_fini(&store->notes);
    free(store->seen);
    free(store);
}

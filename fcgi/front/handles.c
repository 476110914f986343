#include "front/handles.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/mem.h"
#include "front/query.h"
#include "guard/subject.h"

struct entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) link; /* by its last use */
    struct token_hash key;
    int64_t until_ms; /* of one whose stream has ended */
    struct handle handle;
};

struct handles {
    struct entry *all;
    TAILQ_HEAD(, entry) used;
    size_t max;
    uint64_t forgotten;
};

static bool is_handle(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isalnum(text.p[i]) && text.p[i] != '-' && text.p[i] != '_')
            return false;
    return text.n >= HANDLE_MIN && text.n <= HANDLE_MAX;
}

bool handle_in_query(struct slice query, char handle[HANDLE_MAX + 1])
{
    size_t count;
    struct slice found = query_find(query, "stream", &count);

    handle[0] = 0;
    if (count == 0)
        return true;
    if (count > 1 || !is_handle(found))
        return false;
    memcpy(handle, found.p, found.n);
    handle[found.n] = 0;
    return true;
}

struct token_hash handle_key(struct slice path, const char *issuer, const char *subject,
                             struct slice handle)
{
    struct buf text = {0};

    buf_printf(&text, "handle %zu ", path.n);
    buf_add_slice(&text, path);
    buf_add_slice(&text, handle);
    if (issuer != NULL)
        subject_add(&text, issuer, subject);
    struct token_hash key = token_hash(buf_slice(&text));
    buf_fini(&text);
    return key;
}

static void entry_free(struct handles *h, struct entry *e)
{
    HASH_DEL(h->all, e); /* NOLINT: the analyzer is wrong about uthash */
    TAILQ_REMOVE(&h->used, e, link);
    buf_fini(&e->handle.form);
    free(e);
}

static void entry_use(struct handles *h, struct entry *e)
{
    TAILQ_REMOVE(&h->used, e, link);
    TAILQ_INSERT_TAIL(&h->used, e, link);
}

static bool is_over(const struct entry *e, int64_t now_ms)
{
    return e->handle.stay == NULL && e->until_ms <= now_ms;
}

static struct entry *entry_find(struct handles *h, const struct token_hash *key, int64_t now_ms)
{
    struct entry *e;

    HASH_FIND(hh, h->all, key, sizeof *key, e);
    if (e == NULL || !is_over(e, now_ms))
        return e;
    entry_free(h, e);
    return NULL;
}

static struct entry *entry_get(struct handles *h, const struct token_hash *key, int64_t now_ms)
{
    struct entry *e = entry_find(h, key, now_ms);

    if (e != NULL) {
        entry_use(h, e);
        return e;
    }
    while (HASH_COUNT(h->all) >= h->max) {
        e = TAILQ_FIRST(&h->used);
        h->forgotten += !is_over(e, now_ms);
        entry_free(h, e);
    }
    e = mem_zero(sizeof *e);
    e->key = *key;
    HASH_ADD(hh, h->all, key, sizeof e->key, e);
    TAILQ_INSERT_TAIL(&h->used, e, link);
    return e;
}

struct handle *handles_find(struct handles *h, const struct token_hash *key, int64_t now_ms)
{
    struct entry *e = entry_find(h, key, now_ms);

    if (e == NULL)
        return NULL;
    entry_use(h, e);
    return &e->handle;
}

struct handle *handles_open(struct handles *h, const struct token_hash *key, struct stay *stay,
                            int64_t now_ms)
{
    struct entry *e = entry_get(h, key, now_ms);

    e->handle.stay = stay;
    e->handle.passed = false;
    return &e->handle;
}

void handles_close(struct handles *h, const struct token_hash *key, const struct stay *stay,
                   int64_t now_ms)
{
    struct entry *e = entry_find(h, key, now_ms);

    if (e == NULL || e->handle.stay != stay)
        return;
    e->handle.stay = NULL;
    e->until_ms = now_ms + HANDLE_REMEMBERED_MS;
}

struct handle *handles_remember(struct handles *h, const struct token_hash *key, int64_t now_ms)
{
    struct entry *e = entry_get(h, key, now_ms);

    e->until_ms = now_ms + HANDLE_REMEMBERED_MS;
    e->handle.passed = e->handle.stay == NULL;
    return &e->handle;
}

void handles_forget(struct handles *h, const struct token_hash *key)
{
    struct entry *e;

    HASH_FIND(hh, h->all, key, sizeof *key, e);
    if (e != NULL)
        entry_free(h, e);
}

void handles_each(struct handles *h, int64_t now_ms,
                  void (*visit)(void *arg, const struct token_hash *key,
                                const struct handle *handle),
                  void *arg)
{
    struct entry *e;

    TAILQ_FOREACH(e, &h->used, link)
    {
        if (!is_over(e, now_ms))
            visit(arg, &e->key, &e->handle);
    }
}

bool handle_tell(struct handle *handle, struct slice form, uint64_t at)
{
    if (at <= handle->told_at)
        return false;
    handle->told_at = at;
    handle->told = true;
    handle->form.n = 0;
    buf_add_slice(&handle->form, form);
    return true;
}

void handle_untell(struct handle *handle, uint64_t at)
{
    handle->told_at = at;
    handle->told = false;
    buf_fini(&handle->form);
}

/* -- all of them -- */

size_t handles_count(const struct handles *h)
{
    return HASH_COUNT(h->all);
}

uint64_t handles_forgotten(const struct handles *h)
{
    return h->forgotten;
}

struct handles *handles_new(size_t max)
{
    struct handles *h = mem_zero(sizeof *h);

    h->max = max;
    TAILQ_INIT(&h->used);
    return h;
}

void handles_free(struct handles *h)
{
    if (h == NULL)
        return;
    while (!TAILQ_EMPTY(&h->used))
        entry_free(h, TAILQ_FIRST(&h->used));
    free(h);
}

#include "front/limits.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/mem.h"

enum {
    MINUTE_MS = 60000,
    ABSENT_MAX = 65536, /* remembered, though they have no streams now */
};

struct visitor {
    UT_hash_handle hh;
    struct limits *limits;              /* in which it is */
    TAILQ_ENTRY(visitor) link;          /* among the absent */
    uint8_t name[SHA256_DIGEST_LENGTH]; /* hashed: nobody chooses its place in the table */
    int64_t streams;
    int64_t credit_ms; /* up to a minute; an opening costs its share of one */
    int64_t counted_ms;
};

struct limits {
    struct limits_config config;
    struct visitor *all;
    TAILQ_HEAD(absent, visitor) absent; /* the one that is away longest first */
    size_t absent_count;
};

static void forget(struct limits *l, struct visitor *v)
{
    TAILQ_REMOVE(&l->absent, v, link);
    l->absent_count--;
    HASH_DEL(l->all, v); /* NOLINT: the analyzer is wrong about uthash */
    free(v);
}

static void set_absent(struct limits *l, struct visitor *v)
{
    TAILQ_INSERT_TAIL(&l->absent, v, link);
    if (++l->absent_count > ABSENT_MAX)
        forget(l, TAILQ_FIRST(&l->absent));
}

/* NULL: it is not known. */
static struct visitor *find(const struct limits *l, struct slice name)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct visitor *v;

    SHA256(name.p, name.n, hash);
    HASH_FIND(hh, l->all, hash, sizeof hash, v);
    return v;
}

/* Takes it from among the absent, if it is known. */
static struct visitor *recall(struct limits *l, struct slice name, int64_t now_ms)
{
    struct visitor *v = find(l, name);

    if (v == NULL) {
        v = mem_zero(sizeof *v);
        v->limits = l;
        SHA256(name.p, name.n, v->name);
        v->credit_ms = MINUTE_MS;
        v->counted_ms = now_ms;
        HASH_ADD(hh, l->all, name, sizeof v->name, v);
    } else if (v->streams == 0) {
        TAILQ_REMOVE(&l->absent, v, link);
        l->absent_count--;
    }
    return v;
}

static bool has_none(const struct limits *l)
{
    return l->config.streams == 0 && l->config.opens == 0;
}

static int64_t cost_of_opening(const struct limits *l)
{
    return l->config.opens > 0 ? MINUTE_MS / l->config.opens : 0;
}

static enum limit judge(const struct limits *l, struct visitor *v, int64_t now_ms)
{
    int64_t cost = cost_of_opening(l);

    v->credit_ms += now_ms - v->counted_ms;
    if (v->credit_ms > MINUTE_MS)
        v->credit_ms = MINUTE_MS;
    v->counted_ms = now_ms;
    if (l->config.streams > 0 && v->streams >= l->config.streams)
        return LIMIT_STREAMS;
    if (v->credit_ms < cost)
        return LIMIT_OPENS;
    v->credit_ms -= cost;
    return LIMIT_NONE;
}

enum limit limits_enter(struct limits *l, struct slice name, int64_t now_ms,
                        struct visitor **visitor)
{
    *visitor = NULL;
    if (has_none(l))
        return LIMIT_NONE;
    struct visitor *v = recall(l, name, now_ms);
    enum limit limit = judge(l, v, now_ms);
    if (limit == LIMIT_NONE) {
        v->streams++;
        *visitor = v;
    } else if (v->streams == 0) {
        set_absent(l, v);
    }
    return limit;
}

enum limit limits_ask(const struct limits *l, struct slice name, int64_t now_ms)
{
    const struct visitor *known = has_none(l) ? NULL : find(l, name);
    struct visitor copy = known ? *known : (struct visitor){0};

    return known ? judge(l, &copy, now_ms) : LIMIT_NONE;
}

void limits_give_back(struct limits *l, struct slice name)
{
    struct visitor *v = has_none(l) ? NULL : find(l, name);

    if (v == NULL)
        return;
    v->credit_ms += cost_of_opening(l);
    if (v->credit_ms > MINUTE_MS)
        v->credit_ms = MINUTE_MS;
}

void limits_leave(struct visitor *v)
{
    if (v != NULL && --v->streams == 0)
        set_absent(v->limits, v);
}

void limits_address_name(const char *remote_addr, char name[LIMITS_NAME])
{
    struct in6_addr v6;
    struct in_addr v4;

    name[0] = 0;
    if (remote_addr == NULL)
        return;
    if (inet_pton(AF_INET6, remote_addr, &v6) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            inet_ntop(AF_INET, v6.s6_addr + 12, name, LIMITS_NAME);
            return;
        }
        memset(v6.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &v6, name, LIMITS_NAME);
    } else if (inet_pton(AF_INET, remote_addr, &v4) == 1) {
        inet_ntop(AF_INET, &v4, name, LIMITS_NAME);
    }
}

struct limits *limits_new(const struct limits_config *config)
{
    struct limits *l = mem_zero(sizeof *l);

    l->config = *config;
    TAILQ_INIT(&l->absent);
    return l;
}

void limits_free(struct limits *l)
{
    if (l == NULL)
        return;
    while (!TAILQ_EMPTY(&l->absent))
        forget(l, TAILQ_FIRST(&l->absent));
    free(l);
}

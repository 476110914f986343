#include "guard/keyset.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/access.h"
#include "base/log.h"
#include "base/mem.h"
#include "guard/jsontext.h"

enum { FILE_MAX = 1024 * 1024, KEYS_MAX = 256 };

static const char demo_kid[] = "demo-insecure";

struct keyset {
    struct key *keys;
    size_t n;
};

/* One reading: the set in the making, and the file it is at. */
struct reading {
    const struct keyset_source *source;
    struct keyset *set;
    struct notes *notes;
    const char *file;
    char *error;
    size_t size;
};

static int fail(struct reading *r, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct reading *r, int err, const char *format, ...)
{
    va_list args;
    int n = snprintf(r->error, r->size, "%s: ", r->file);

    va_start(args, format);
    if (n >= 0 && (size_t)n < r->size)
        vsnprintf(r->error + n, r->size - (size_t)n, format, args);
    va_end(args);
    return err;
}

/* Names a key by its kid, or by its place in the file. */
static void note_key(const struct reading *r, const json_t *jwk, size_t i, const char *verb,
                     const char *what)
{
    const json_t *kid = json_object_get(jwk, "kid");
    struct slice text = slice_of(json_string_value(kid), json_string_length(kid));
    struct log_quoted quoted;

    if (json_is_string(kid))
        notes_add(r->notes, "%s: key %s %s: %s", r->file, log_quote(text, &quoted), verb, what);
    else
        notes_add(r->notes, "%s: key number %zu %s: %s", r->file, i + 1, verb, what);
}

/* -- keys -- */

/* The same numbers were checked before? */
static bool is_known(const struct keyset *known, const struct key *key)
{
    for (size_t i = 0; known != NULL && i < known->n; i++)
        if (EVP_PKEY_eq(known->keys[i].public_key, key->public_key) == 1)
            return true;
    return false;
}

static void push_key(struct keyset *set, const struct key *key)
{
    set->keys = mem_resize_array(set->keys, set->n + 1, sizeof *set->keys);
    set->keys[set->n++] = *key;
}

static bool is_demo(const json_t *jwk)
{
    const char *kid = json_string_value(json_object_get(jwk, "kid"));

    return kid != NULL && strcmp(kid, demo_kid) == 0;
}

static int add_key(struct reading *r, const json_t *jwk, size_t i)
{
    struct key key;

    if (r->source->stop != NULL && atomic_load(r->source->stop))
        return fail(r, -ECANCELED, "not read to its end");
    if (is_demo(jwk) && !r->source->allow_demo)
        return fail(r, -EBADMSG, "holds the demo's key %s, whose private half is public", demo_kid);
    if (jwk_is_private(jwk))
        note_key(r, jwk, i, "should not be here", "it holds a private half");
    const char *reason = jwk_read(jwk, &key);
    if (reason == NULL && keyset_has(r->set, key.thumbprint)) { /* the very same once more */
        key_fini(&key);
        return 0;
    }
    if (reason == NULL && !is_known(r->source->known, &key) && !is_known(r->set, &key) &&
        (reason = jwk_check(&key)) != NULL)
        key_fini(&key);
    if (reason != NULL) {
        note_key(r, jwk, i, "is passed over", reason);
        return 0;
    }
    if (r->set->n == KEYS_MAX) {
        key_fini(&key);
        return fail(r, -EBADMSG, "more than %d keys", KEYS_MAX);
    }
    push_key(r->set, &key);
    return 0;
}

/* -- files -- */

static int fail_to_open(struct reading *r, int err)
{
    char why[ACCESS_SIZE];
    bool missing = err == ENOENT;

    access_say(why, sizeof why, r->file, err);
    return fail(r, -err, missing ? "%s; the issuer's public keys (JWKS) belong there" : "%s", why);
}

/* Never waits: a pipe has nothing that could be read again. */
static int open_file(struct reading *r)
{
    int fd = open(r->file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), err = errno;
    struct stat st;

    if (fd < 0)
        return fail_to_open(r, err);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return fail(r, -EBADMSG, "is no regular file");
}

static int read_text(struct reading *r, struct buf *text)
{
    int fd = open_file(r), err = 0;

    while (fd >= 0 && text->n <= FILE_MAX) {
        ssize_t n = read(fd, buf_reserve(text, FILE_MAX + 1), FILE_MAX + 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = fail(r, -errno, "%s", strerror(errno));
        if (n <= 0)
            break;
        text->n += (size_t)n;
    }
    if (fd < 0)
        return fd;
    close(fd);
    if (err == 0 && text->n > FILE_MAX)
        return fail(r, -EBADMSG, "larger than %d bytes", FILE_MAX);
    return err;
}

/* A byte order mark is no JSON, but some editors write it (RFC 8259, 8.1, lets us pass it over). */
static void drop_byte_order_mark(struct buf *text)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};

    if (text->n < sizeof mark || memcmp(text->p, mark, sizeof mark) != 0)
        return;
    text->n -= sizeof mark;
    memmove(text->p, text->p + sizeof mark, text->n);
}

/* Of a member that comes twice the last one counts (RFC 7517, 4 and 5). */
static int parse(struct reading *r, struct buf *text, json_t **out)
{
    json_error_t why;
    bool tamed;
    json_t *json;

    drop_byte_order_mark(text);
    if (text->n == 0)
        return fail(r, -EBADMSG, "is empty");
    json = jsontext_load(text, JSON_REJECT_DUPLICATES, &tamed, &why);
    if (json == NULL && json_error_code(&why) == json_error_duplicate_key) {
        notes_add(r->notes, "%s: line %d, column %d: a member comes twice, the last one counts",
                  r->file, why.line, why.column);
        json = jsontext_load(text, 0, &tamed, &why);
    }
    if (json == NULL)
        return fail(r, -EBADMSG, "line %d, column %d: not JSON", why.line, why.column);
    *out = json;
    return 0;
}

static int add_file(struct reading *r)
{
    struct buf text = {0};
    json_t *jwks = NULL, *jwk;
    size_t i;
    int err = read_text(r, &text);

    if (err == 0)
        err = parse(r, &text, &jwks);
    buf_fini(&text);
    const json_t *keys = json_object_get(jwks, "keys");
    if (err == 0 && !json_is_array(keys))
        err = fail(r, -EBADMSG, "no JWKS: an object with an array \"keys\"");
    json_array_foreach (keys, i, jwk) {
        if (err == 0)
            err = add_key(r, jwk, i);
    }
    json_decref(jwks);
    return err;
}

int keyset_load(const struct keyset_source *source, struct keyset **out, struct notes *notes,
                char *error, size_t size)
{
    struct keyset *set = mem_zero(sizeof *set);
    struct reading r = {source, set, notes, source->files[0], NULL, size};
    int err = 0;

    r.error = error;
    for (size_t i = 0; i < source->file_count && err == 0; i++) {
        r.file = source->files[i];
        err = add_file(&r);
    }
    if (err == 0 && set->n == 0)
        err = fail(&r, -EBADMSG, "no usable key");
    if (err == 0)
        *out = set;
    else
        keyset_free(set);
    return err;
}

void keyset_free(struct keyset *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->n; i++)
        key_fini(&set->keys[i]);
    free(set->keys);
    free(set);
}

bool keyset_has_kid(const struct keyset *set, const char *kid)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->keys[i].kid != NULL && strcmp(set->keys[i].kid, kid) == 0)
            return true;
    return false;
}

bool keyset_has(const struct keyset *set, const uint8_t thumbprint[KEY_THUMBPRINT])
{
    for (size_t i = 0; i < set->n; i++)
        if (memcmp(set->keys[i].thumbprint, thumbprint, KEY_THUMBPRINT) == 0)
            return true;
    return false;
}

size_t keyset_count(const struct keyset *set)
{
    return set->n;
}

const struct key *keyset_at(const struct keyset *set, size_t i)
{
    return &set->keys[i];
}

bool keyset_equal(const struct keyset *a, const struct keyset *b)
{
    bool equal = a->n == b->n;

    for (size_t i = 0; equal && i < a->n; i++)
        equal = memcmp(a->keys[i].thumbprint, b->keys[i].thumbprint, KEY_THUMBPRINT) == 0;
    return equal;
}

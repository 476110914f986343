#include "select/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"

enum { PATH_MAX_BYTES = 255 };

enum kind { LITERAL, PARAM, CLAIM };

struct text {
    enum kind kind;
    int number;       /* of the parameter or the claim */
    struct buf bytes; /* LITERAL */
};

struct member {
    bool base64;
    struct text *texts;
    size_t n;
};

struct entry {
    struct member *members;
    size_t n;
};

struct template
{
    struct entry *entries;
    size_t n;
};

static bool fail(char *wrong, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(char *wrong, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(wrong, size, format, args);
    va_end(args);
    return false;
}

/* -- what it says -- */

static bool read_param(struct slice name, struct text *out, const struct template_names *names,
                       char *wrong, size_t size)
{
    out->kind = PARAM;
    out->number = names->param(names->arg, name);
    return out->number >= 0 || fail(wrong, size, "the path lacks {%.*s}", (int)name.n, name.p);
}

static bool read_claim(struct slice path, struct text *out, const struct template_names *names,
                       char *wrong, size_t size)
{
    char text[PATH_MAX_BYTES + 1];

    if (path.n == 0 || path.n > PATH_MAX_BYTES || memchr(path.p, 0, path.n) != NULL)
        return fail(wrong, size, "{claim:PATH} needs a path of 1 to %d bytes", PATH_MAX_BYTES);
    memcpy(text, path.p, path.n);
    text[path.n] = 0;
    out->kind = CLAIM;
    out->number = names->claim(names->arg, text);
    return out->number >= 0 || fail(wrong, size, "more different claims than there may be");
}

static bool read_literal(struct slice text, bool base64, struct text *out, char *wrong, size_t size)
{
    out->kind = LITERAL;
    if (!base64)
        buf_add_slice(&out->bytes, text);
    else if (!base64url_decode(&out->bytes, text))
        return fail(wrong, size, "is not base64url");
    return true;
}

/* Literal, or exactly one {name} or {claim:PATH}. */
static bool read_text(const json_t *json, bool base64, struct text *out,
                      const struct template_names *names, char *wrong, size_t size)
{
    struct slice text = slice_of(json_string_value(json), json_string_length(json));
    static const char claim[] = "claim:";

    if (!json_is_string(json))
        return fail(wrong, size, "must be a text, or a list of texts");
    if (text.n == 0 || (!memchr(text.p, '{', text.n) && !memchr(text.p, '}', text.n)))
        return read_literal(text, base64, out, wrong, size);
    struct slice name = slice_of(text.p + 1, text.n - 2);
    if (text.n < 3 || text.p[0] != '{' || text.p[text.n - 1] != '}' ||
        memchr(name.p, '{', name.n) || memchr(name.p, '}', name.n))
        return fail(wrong, size,
                    "a text is literal, or exactly one {name} or {claim:PATH}; keyBase64 takes any "
                    "bytes");
    if (slice_starts(name, claim))
        return read_claim(slice_of(name.p + sizeof claim - 1, name.n - (sizeof claim - 1)), out,
                          names, wrong, size);
    return read_param(name, out, names, wrong, size);
}

static bool read_name(const char *name, struct member *out, char *wrong, size_t size)
{
    if (slice_starts(slice_str(name), "header:") || slice_starts(slice_str(name), "field:"))
        return fail(wrong, size, "%s: this version selects by key alone", name);
    out->base64 = strcmp(name, "keyBase64") == 0;
    return out->base64 || strcmp(name, "key") == 0 || fail(wrong, size, "unknown member %s", name);
}

static bool read_member(const char *name, const json_t *json, struct member *out,
                        const struct template_names *names, char *wrong, size_t size)
{
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    char why[256];

    if (!read_name(name, out, wrong, size))
        return false;
    if (n == 0)
        return fail(wrong, size, "%s: an empty list", name);
    out->texts = mem_zero(n * sizeof *out->texts);
    for (; out->n < n; out->n++) {
        const json_t *one = json_is_array(json) ? json_array_get(json, out->n) : json;
        if (!read_text(one, out->base64, &out->texts[out->n], names, why, sizeof why)) {
            out->n++;
            return fail(wrong, size, "%s: %s", name, why);
        }
    }
    return true;
}

static bool read_entry(const json_t *json, struct entry *out, const struct template_names *names,
                       char *wrong, size_t size)
{
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return fail(wrong, size, "must be an object");
    if (json_object_size(json) == 0)
        return fail(wrong, size, "an entry without members");
    out->members = mem_zero(json_object_size(json) * sizeof *out->members);
    json_object_foreach ((json_t *)json, name, value) {
        if (!read_member(name, value, &out->members[out->n++], names, wrong, size))
            return false;
    }
    return true;
}

static bool read_template(const json_t *json, struct template *out,
                          const struct template_names *names, char *wrong, size_t size)
{
    char why[384];

    if (!json_is_array(json) || json_array_size(json) == 0)
        return fail(wrong, size, "select: must be a list of objects, one at least");
    out->entries = mem_zero(json_array_size(json) * sizeof *out->entries);
    while (out->n < json_array_size(json)) {
        size_t i = out->n++;
        if (!read_entry(json_array_get(json, i), &out->entries[i], names, why, sizeof why))
            return fail(wrong, size, "select[%zu]: %s", i, why);
    }
    return true;
}

struct template *template_new(const json_t *select, const struct template_names *names, char *wrong,
                              size_t size)
{
    struct template *t = mem_zero(sizeof *t);

    if (read_template(select, t, names, wrong, size))
        return t;
    template_free(t);
    return NULL;
}

static void member_fini(struct member *m)
{
    for (size_t i = 0; i < m->n; i++)
        buf_fini(&m->texts[i].bytes);
    free(m->texts);
}

void template_free(struct template *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->entries[i].n; k++)
            member_fini(&t->entries[i].members[k]);
        free(t->entries[i].members);
    }
    free(t->entries);
    free(t);
}

static bool template_has(const struct template *t, enum kind kind, int number)
{
    bool has = false;

    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->entries[i].n; k++)
            for (size_t x = 0; x < t->entries[i].members[k].n; x++) {
                const struct text *text = &t->entries[i].members[k].texts[x];
                has |= text->kind == kind && (number < 0 || text->number == number);
            }
    return has;
}

bool template_has_claims(const struct template *t)
{
    return template_has(t, CLAIM, -1);
}

bool template_has_param(const struct template *t, int number)
{
    return template_has(t, PARAM, number);
}

/* -- filled in -- */

/* What it is filled in from. */
struct filling {
    const struct values *params, *claims;
    int lacks; /* the first claim that is not there; -1: none */
    bool not_base64;
};

/* False: it is not base64url. */
static bool add_value(struct values *out, struct slice value, bool base64)
{
    struct buf bytes = {0};
    bool good = !base64 || base64url_decode(&bytes, value);

    if (good)
        values_add(out, base64 ? buf_slice(&bytes) : value);
    buf_fini(&bytes);
    return good;
}

/* False: a claim is not there. */
static bool add_claim(struct filling *f, int number, bool base64, struct values *out)
{
    const struct values *claim = &f->claims[number];
    size_t had = out->n;

    for (size_t i = 0; i < claim->n; i++)
        add_value(out, values_at(claim, i), base64);
    if (out->n == had && f->lacks < 0)
        f->lacks = number;
    return out->n > had;
}

/* False: it holds for nothing, for a claim is not there. */
static bool fill_member(const struct member *m, struct filling *f, struct values *out)
{
    bool holds = true;

    for (size_t i = 0; i < m->n; i++) {
        const struct text *text = &m->texts[i];
        if (text->kind == LITERAL)
            values_add(out, buf_slice(&text->bytes));
        else if (text->kind == CLAIM)
            holds = add_claim(f, text->number, m->base64, out) && holds;
        else if (!add_value(out, values_at(f->params, (size_t)text->number), m->base64))
            f->not_base64 = true;
    }
    values_sort(out);
    return holds;
}

/* False: it can never hold. */
static bool fill_entry(const struct entry *e, struct filling *f, struct values *out)
{
    bool holds = true;

    for (size_t i = 0; i < e->n; i++) {
        struct values member = {0};
        holds = fill_member(&e->members[i], f, &member) && holds;
        if (i == 0)
            values_add_all(out, &member);
        else
            values_keep(out, &member);
        values_fini(&member);
    }
    return holds;
}

enum template_result template_fill(const struct template *t, const struct values *params,
                                   const struct values *claims, struct values *keys, int *lacks)
{
    struct filling f = {.params = params, .claims = claims, .lacks = -1};
    bool any = false;

    for (size_t i = 0; i < t->n; i++) {
        struct values entry = {0};
        if (fill_entry(&t->entries[i], &f, &entry)) {
            values_add_all(keys, &entry);
            any = true;
        }
        values_fini(&entry);
    }
    values_sort(keys);
    if (f.not_base64)
        return TEMPLATE_NOT_BASE64;
    *lacks = f.lacks;
    return any ? TEMPLATE_FILLED : TEMPLATE_LACKS;
}

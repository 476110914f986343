#include "config/issuers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/object.h"
#include "guard/guard.h"

/* Releases of clang-format differ about it. */
/* clang-format off */
#define ISSUER(name_, member, type, kind_)                                                         \
    {                                                                                              \
        .name = (name_), .kind = &(kind_), .at = ROW_MEMBER(struct config_issuer, member, type)    \
    }
/* clang-format on */

static const struct row issuer_rows[] = {
    ISSUER("issuer", issuer, char *, kind_text),
    ISSUER("audience", audience, char *, kind_text),
    ISSUER("audience-claim", audience_claim, char *, kind_text),
    ISSUER("jwks", jwks, struct config_list, kind_list),
    ISSUER("scope", scopes, struct config_list, kind_list),
    ISSUER("scope-claim", scope_claim, char *, kind_text),
    ISSUER("identity", identity, char *, kind_text),
};
enum { ISSUER_ROWS = sizeof issuer_rows / sizeof issuer_rows[0] };

static struct config_issuer *add_issuer(struct config *c)
{
    c->issuers = mem_resize_array(c->issuers, c->issuer_count + 1, sizeof *c->issuers);
    struct config_issuer *issuer = &c->issuers[c->issuer_count++];
    *issuer = (struct config_issuer){0};
    return issuer;
}

enum config_result issuers_read(struct reading *r, const json_t *value)
{
    size_t i;
    json_t *one;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return config_fail("%s: issuers: must be an array of objects, one at least", r->file);
    if (json_array_size(value) > GUARD_ISSUERS_MAX)
        return config_fail("%s: issuers: more than %d", r->file, GUARD_ISSUERS_MAX);
    json_array_foreach (value, i, one) {
        char where[512];
        snprintf(where, sizeof where, "%s: issuers[%zu]", r->file, i);
        if (object_read(where, one, issuer_rows, ISSUER_ROWS, add_issuer(r->config)) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

/* -- what must be there -- */

/* "issuers[2]: ", or nothing for the one of the options. */
static enum config_result fail_at(const struct reading *r, size_t i, const char *what)
{
    if (reading_is_set(r, "issuer") || reading_is_set(r, "jwks") || reading_is_set(r, "audience"))
        return config_fail("%s", what);
    return config_fail("issuers[%zu]: %s", i, what);
}

/* As a name is found in a token, and shown to operators. */
static bool is_name(const char *text)
{
    json_t *utf8 = json_string(text);
    bool good = utf8 != NULL;

    json_decref(utf8);
    for (; good && *text != 0; text++)
        good = (unsigned char)*text >= ' ' && *text != 0x7f;
    return good;
}

static enum config_result check_issuer(const struct reading *r, size_t i)
{
    const struct config_issuer *one = &r->config->issuers[i];
    char text[128];

    if (one->jwks.n == 0 || one->issuer == NULL || one->audience == NULL) {
        snprintf(text, sizeof text, "no %s given: jwks, issuer and audience come together",
                 one->jwks.n == 0      ? "jwks"
                 : one->issuer == NULL ? "issuer"
                                       : "audience");
        return fail_at(r, i, text);
    }
    if (strlen(one->issuer) > ISSUER_MAX || !is_name(one->issuer)) {
        snprintf(text, sizeof text,
                 "issuer: must be up to %d bytes of UTF-8 without control characters", ISSUER_MAX);
        return fail_at(r, i, text);
    }
    for (size_t k = 0; k < i; k++)
        if (strcmp(r->config->issuers[k].issuer, one->issuer) == 0)
            return config_fail("issuers[%zu]: %s is named twice", i, one->issuer);
    return CONFIG_OK;
}

/* -- from the options -- */

static void take_text(char **to, const char *preset)
{
    if (*to == NULL && preset != NULL)
        *to = mem_strdup(preset);
}

static void take_list(struct config_list *to, const struct config_list *preset)
{
    if (to->n > 0)
        return;
    to->at = mem_resize_array(to->at, preset->n, sizeof *to->at);
    while (to->n < preset->n) {
        to->at[to->n] = mem_strdup(preset->at[to->n]);
        to->n++;
    }
}

static void fill_in(struct config_issuer *issuer, const struct config *c)
{
    take_text(&issuer->audience_claim, c->audience_claim);
    take_text(&issuer->scope_claim, c->scope_claim);
    take_text(&issuer->identity, c->identity);
    take_list(&issuer->scopes, &c->scopes);
}

static void add_only_one(struct config *c)
{
    struct config_issuer *issuer = add_issuer(c);

    take_text(&issuer->issuer, c->issuer);
    take_text(&issuer->audience, c->audience);
    take_list(&issuer->jwks, &c->jwks);
}

static enum config_result check_none(const struct reading *r)
{
    static const char *const guard[] = {"scope",     "scope-claim", "audience-claim", "identity",
                                        "challenge", "leeway",      "allow-demo-key"};

    for (size_t i = 0; i < sizeof guard / sizeof guard[0]; i++)
        if (reading_is_set(r, guard[i]))
            return config_fail("%s: only with jwks, issuer and audience", guard[i]);
    return CONFIG_OK;
}

enum config_result issuers_check(struct reading *r)
{
    static const char *const only[] = {"jwks", "issuer", "audience"};
    struct config *c = r->config;
    size_t in_file = c->issuer_count;

    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++) {
        if (!reading_is_set(r, only[i]))
            continue;
        if (in_file > 0)
            return config_fail("%s: not together with issuers", only[i]);
        if (c->issuer_count == 0)
            add_only_one(c);
    }
    if (c->issuer_count == 0)
        return check_none(r);
    for (size_t i = 0; i < c->issuer_count; i++) {
        fill_in(&c->issuers[i], c);
        if (check_issuer(r, i) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

void issuers_fini(struct config *config)
{
    for (size_t i = 0; i < config->issuer_count; i++)
        object_fini(issuer_rows, ISSUER_ROWS, &config->issuers[i]);
    free(config->issuers);
}

#include "guard/token.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/mem.h"
#include "guard/claim.h"
#include "guard/jsontext.h"

enum { NBF_LEEWAY_MS = 10000 }; /* an issuer's clock may be ahead, and a 401 ends an EventSource */

const char *token_error_text(enum token_error error)
{
    static const char *const texts[] = {
        [TOKEN_OK] = "the token is good",
        [TOKEN_MALFORMED] = "the token is malformed",
        [TOKEN_TOO_LONG] = "the token is longer than 8192 bytes",
        [TOKEN_ALGORITHM] = "the token's algorithm is not allowed",
        [TOKEN_TYPE] = "the token is of another type",
        [TOKEN_ISSUER] = "the token is of another issuer",
        [TOKEN_AUDIENCE] = "the token is for another audience",
        [TOKEN_SUBJECT] = "the token's subject is malformed",
        [TOKEN_NO_EXPIRY] = "the token has no valid expiry",
        [TOKEN_EXPIRED] = "the token is expired",
        [TOKEN_NBF] = "the token's nbf is no valid time",
        [TOKEN_NOT_YET] = "the token is not valid yet",
        [TOKEN_KEY] = "the token is of an unknown key",
        [TOKEN_SIGNATURE] = "the token's signature is wrong",
        [TOKEN_SCOPE] = "the token lacks a scope",
        [TOKEN_BUSY] = "too many tokens wait to be verified",
    };
    return texts[error];
}

/* -- the frame -- */

/* Strict base64url without padding: what is decoded and encoded again must be the same. */
static bool decode_segment(struct slice segment, struct buf *out)
{
    if (segment.n == 0 || memchr(segment.p, '=', segment.n))
        return false;
    return base64url_decode(out, segment);
}

/* *tamed is set if jansson, and so libjwt, refuses the JSON as it stands. */
static json_t *decode_object(struct slice segment, bool *tamed)
{
    struct buf bytes = {0};
    json_t *json = NULL;
    bool changed = false;

    /* jansson overlooks a NUL behind a number, and to libjwt the text ends there. */
    if (decode_segment(segment, &bytes) && memchr(bytes.p, 0, bytes.n) == NULL)
        json = jsontext_load(&bytes, JSON_REJECT_DUPLICATES, &changed, NULL);
    *tamed = *tamed || changed;
    buf_fini(&bytes);
    if (!json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static bool split(struct slice text, struct slice part[3])
{
    for (int i = 0; i < 3; i++) {
        const uint8_t *dot = text.n ? memchr(text.p, '.', text.n) : NULL;
        if ((dot != NULL) != (i < 2))
            return false;
        part[i] = slice_of(text.p, dot ? (size_t)(dot - text.p) : text.n);
        text.p += part[i].n + (dot ? 1 : 0);
        text.n -= part[i].n + (dot ? 1 : 0);
    }
    return true;
}

/* Milliseconds of a NumericDate (RFC 7519, 2); false if it is no number in a sane range. */
static bool get_time(const json_t *payload, const char *claim, int64_t *out)
{
    const json_t *t = json_object_get(payload, claim);
    double seconds = json_number_value(t);

    if (!json_is_number(t) || !isfinite(seconds) || seconds < 0 || seconds > 253402300799.0)
        return false;
    *out = (int64_t)(seconds * 1000);
    return true;
}

static enum token_error read_type(struct token *t)
{
    const char *typ = claim_text(t->header, "typ");

    if (json_object_get(t->header, "typ") == NULL)
        return TOKEN_OK;
    if (typ == NULL)
        return TOKEN_TYPE;
    t->at_jwt = strcasecmp(typ, "at+jwt") == 0 || strcasecmp(typ, "application/at+jwt") == 0;
    return t->at_jwt || strcasecmp(typ, "JWT") == 0 ? TOKEN_OK : TOKEN_TYPE;
}

static enum token_error read_times(struct token *t)
{
    if (!get_time(t->payload, "exp", &t->exp_ms))
        return TOKEN_NO_EXPIRY;
    if (json_object_get(t->payload, "nbf") != NULL && !get_time(t->payload, "nbf", &t->nbf_ms))
        return TOKEN_NBF;
    return TOKEN_OK;
}

enum token_error token_parse(struct slice text, struct token *out)
{
    struct token t = {.text = text};
    struct buf signature = {0};
    struct slice part[3];

    *out = t;
    if (text.n > TOKEN_MAX)
        return TOKEN_TOO_LONG;
    if (text.n == 0 || memchr(text.p, 0, text.n) || !split(text, part))
        return TOKEN_MALFORMED;
    bool ok = decode_segment(part[2], &signature);
    buf_fini(&signature);
    if (!ok)
        return TOKEN_MALFORMED;
    t.signed_size = part[0].n + 1 + part[1].n;
    t.header = decode_object(part[0], &t.tamed);
    t.payload = t.header ? decode_object(part[1], &t.tamed) : NULL;
    *out = t;
    if (t.payload == NULL || json_object_get(t.header, "crit") != NULL)
        return TOKEN_MALFORMED;
    const char *alg = claim_text(t.header, "alg");
    if (alg == NULL)
        return TOKEN_MALFORMED;
    out->kid = claim_text(t.header, "kid");
    if (out->kid == NULL && json_object_get(t.header, "kid") != NULL)
        return TOKEN_MALFORMED;
    if (!algorithm_parse(alg, &out->algorithm))
        return TOKEN_ALGORITHM;
    enum token_error error = read_type(out);
    return error ? error : read_times(out);
}

void token_fini(struct token *t)
{
    json_decref(t->header);
    json_decref(t->payload);
    *t = (struct token){0};
}

/* -- the claims -- */

enum token_error token_check_times(int64_t exp_ms, int64_t nbf_ms, int64_t leeway_ms,
                                   int64_t now_ms)
{
    if (now_ms >= exp_ms + leeway_ms)
        return TOKEN_EXPIRED;
    int64_t early_ms = leeway_ms > NBF_LEEWAY_MS ? leeway_ms : NBF_LEEWAY_MS;
    return now_ms + early_ms < nbf_ms ? TOKEN_NOT_YET : TOKEN_OK;
}

const char *token_issuer(const struct token *t)
{
    return claim_text(t->payload, "iss");
}

/* Not there, or a string that is not empty. */
static bool sub_is_sound(const json_t *payload)
{
    const char *sub = claim_text(payload, "sub");

    return json_object_get(payload, "sub") == NULL || (sub != NULL && *sub != 0);
}

static enum token_error check_identity(const struct token *t, const struct token_policy *policy)
{
    const char *iss = token_issuer(t);

    if (iss == NULL || strcmp(iss, policy->issuer) != 0)
        return TOKEN_ISSUER;
    if (!claim_is_or_has(claim_at(t->payload, policy->audience_claim), policy->audience))
        return TOKEN_AUDIENCE;
    return sub_is_sound(t->payload) ? TOKEN_OK : TOKEN_SUBJECT;
}

enum token_error token_check_claims(const struct token *t, const struct token_policy *policy,
                                    int64_t now_ms)
{
    enum token_error error = check_identity(t, policy);

    return error ? error : token_check_times(t->exp_ms, t->nbf_ms, policy->leeway_ms, now_ms);
}

uint64_t token_scopes(const struct token *t, const struct token_policy *policy,
                      const char *const *scopes, size_t n)
{
    const json_t *claim = claim_at(t->payload, policy->scope_claim);
    uint64_t held = 0;

    for (size_t i = 0; i < n; i++)
        if (claim_has_word(claim, scopes[i]))
            held |= UINT64_C(1) << i;
    return held;
}

struct values *token_claims(const struct token *t, const char *const *paths, size_t n)
{
    struct values *claims = mem_zero((n + 1) * sizeof *claims);

    for (size_t i = 0; i < n; i++)
        claim_add_values(claim_at(t->payload, paths[i]), &claims[i]);
    return claims;
}

enum token_error token_check_scope(const struct token *t, const struct token_policy *policy)
{
    const json_t *claim = claim_at(t->payload, policy->scope_claim);

    for (size_t i = 0; i < policy->scope_count; i++)
        if (!claim_has_word(claim, policy->scopes[i]))
            return TOKEN_SCOPE;
    return TOKEN_OK;
}

/* A string without NUL that is not empty. */
static const char *subject_of(const json_t *payload, const struct token_policy *policy)
{
    const json_t *claim = claim_at(payload, policy->identity);
    const char *text = json_string_value(claim);

    return text != NULL && *text != 0 && strlen(text) == json_string_length(claim) ? text : NULL;
}

const char *token_subject(const struct token *t, const struct token_policy *policy)
{
    return subject_of(t->payload, policy);
}

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;
}

bool token_names(struct slice text, const struct token_policy *policy, const char *subject)
{
    struct slice part[3];
    json_t *payload = NULL;
    bool tamed = false;

    if (text.n <= TOKEN_MAX && split(text, part))
        payload = decode_object(part[1], &tamed);
    const char *iss = claim_text(payload, "iss");
    bool same = iss != NULL && strcmp(iss, policy->issuer) == 0 && sub_is_sound(payload) &&
                same_text(subject_of(payload, policy), subject);
    json_decref(payload);
    return same;
}

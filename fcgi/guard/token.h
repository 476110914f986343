/* token - is this JWT one that opens a stream?
 *
 * A strict frame of ours, and the claims, before a signature is checked (guard/signature.h): libjwt
 * 1.10.2 lets too much through to see a token first (an HS256 token signed with the public key, an
 * empty segment, megabytes).  All here is pure: time is an argument. */
#ifndef SKF_GUARD_TOKEN_H
#define SKF_GUARD_TOKEN_H

#include <jansson.h>

#include "base/slice.h"
#include "guard/jwk.h"
#include "select/values.h"

enum {
    TOKEN_MAX = 8192,
    ISSUER_MAX = 255, /* bytes of a name, so that a metric can have it as a label */
};

enum token_error {
    TOKEN_OK,
    TOKEN_MALFORMED,
    TOKEN_TOO_LONG, /* over TOKEN_MAX */
    TOKEN_ALGORITHM,
    TOKEN_TYPE,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    TOKEN_SUBJECT,
    TOKEN_NO_EXPIRY,
    TOKEN_EXPIRED,
    TOKEN_NBF, /* no valid one */
    TOKEN_NOT_YET,
    TOKEN_KEY,
    TOKEN_SIGNATURE,
    TOKEN_SCOPE, /* all else is right */
    TOKEN_BUSY,  /* not a token's fault: too many wait to be verified */
};
/* For a header or a log line; holds nothing of the token. */
const char *token_error_text(enum token_error error);

struct token_policy {
    const char *issuer, *audience;
    /* Dotted paths (guard/claim.h) to the claims that hold the audience, the scopes, and who counts
     * as the subject. */
    const char *audience_claim, *scope_claim, *identity;
    const char *const *scopes; /* each must be held */
    size_t scope_count;
    int64_t leeway_ms;
};

/* What a token says.  Valid until token_fini(). */
struct token {
    struct slice text; /* borrowed */
    enum algorithm algorithm;
    bool at_jwt;     /* typ says that it is an access token (RFC 9068), which libjwt refuses */
    bool tamed;      /* it holds what libjwt cannot parse, in claims that we do not read */
    const char *kid; /* NULL: none */
    int64_t exp_ms, nbf_ms; /* since 1970; nbf 0: none */
    size_t signed_size;     /* header and payload, with the dot between */
    json_t *header, *payload;
};

/* Size, three segments of strict unpadded base64url, JSON objects (guard/jsontext.h) without
 * duplicate names, no `crit`, a known `alg` (RFC 7515, 7519).  Fills `out` also if it is not
 * TOKEN_OK, for token_fini(). */
enum token_error token_parse(struct slice text, struct token *out);
void token_fini(struct token *token);

/* Its `iss`, NULL if there is none.  Valid until token_fini(). */
const char *token_issuer(const struct token *token);
/* Everything but signature and scope: typ, iss, aud, sub, exp, nbf. */
enum token_error token_check_claims(const struct token *token, const struct token_policy *policy,
                                    int64_t now_ms);
/* The leeway is for exp; for nbf it is 10 s at least. */
enum token_error token_check_times(int64_t exp_ms, int64_t nbf_ms, int64_t leeway_ms,
                                   int64_t now_ms);
enum token_error token_check_scope(const struct token *token, const struct token_policy *policy);

/* Which of these (64 at most) it holds: bit 1 << i for scopes[i]. */
uint64_t token_scopes(const struct token *token, const struct token_policy *policy,
                      const char *const *scopes, size_t n);
/* What it says at each of these n paths (guard/claim.h); values_fini() and free() it. */
struct values *token_claims(const struct token *token, const char *const *paths, size_t n);
/* Whose it is to limits and renewals, together with the issuer: the identity claim, if that is a
 * string that is not empty; else NULL.  Valid until token_fini(). */
const char *token_subject(const struct token *token, const struct token_policy *policy);
/* A token that need not be valid any more: is it of that issuer and subject? */
bool token_names(struct slice text, const struct token_policy *policy, const char *subject);

#endif

#include "front/credential.h"

#include <strings.h>

#include "base/percent.h"
#include "front/query.h"

static enum credential judge(struct slice token)
{
    if (token.n == 0)
        return CREDENTIAL_BAD;
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] == ',' || token.p[i] <= ' ')
            return CREDENTIAL_BAD;
    return CREDENTIAL_FOUND;
}

enum credential credential_from_header(const char *authorization, struct slice *token)
{
    static const char scheme[] = "Bearer";
    const size_t n = sizeof scheme - 1;

    if (authorization == NULL)
        return CREDENTIAL_NONE;
    authorization += strspn(authorization, " \t");
    if (strncasecmp(authorization, scheme, n) != 0)
        return CREDENTIAL_NONE;
    if (authorization[n] != ' ' && authorization[n] != '\t' && authorization[n] != 0)
        return CREDENTIAL_NONE; /* a longer name */
    authorization += n + strspn(authorization + n, " \t");
    *token = slice_str(authorization);
    while (token->n > 0 && (token->p[token->n - 1] == ' ' || token->p[token->n - 1] == '\t'))
        token->n--;
    return judge(*token);
}

enum credential credential_from_query(struct slice query, struct buf *token)
{
    size_t count;
    struct slice encoded = query_find(query, "access_token", &count);

    if (count == 0)
        return CREDENTIAL_NONE;
    if (count > 1 || !percent_decode(token, encoded))
        return CREDENTIAL_BAD;
    return judge(buf_slice(token));
}

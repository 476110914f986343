/* An Authorization header in the first line, then a query string. */
#include "front/credential.h"

#include <stdlib.h>
#include <strings.h>

#include "fuzz.h"

static void check_token(struct slice token)
{
    assert(token.n > 0);
    for (size_t i = 0; i < token.n; i++)
        assert(token.p[i] > ' ' && token.p[i] != ',');
}

static enum credential read_header(const struct buf *text, struct slice *token)
{
    return credential_from_header((const char *)text->p, token);
}

/* What stands around scheme and token makes no difference. */
static void check_header(const char *header)
{
    struct slice token = {0}, same = {0};
    struct buf padded = {0};
    enum credential found = credential_from_header(header, &token);

    buf_printf(&padded, "\t %s \t%c", header, 0);
    assert(read_header(&padded, &same) == found);
    if (found == CREDENTIAL_FOUND) {
        assert(slice_equal(token, same));
        check_token(token);
        padded.n = 0;
        buf_printf(&padded, "bEARER \t%.*s%c", (int)token.n, (const char *)token.p, 0);
        assert(read_header(&padded, &same) == CREDENTIAL_FOUND && slice_equal(token, same));
    }
    assert(found == CREDENTIAL_NONE || strcasestr(header, "bearer") != NULL);
    buf_fini(&padded);
}

static enum credential read_query(struct slice before, struct slice query, struct buf *token)
{
    struct buf all = {0};

    buf_add_slice(&all, before);
    buf_add_byte(&all, '&');
    buf_add_slice(&all, query);
    token->n = 0;
    enum credential found = credential_from_query(buf_slice(&all), token);
    buf_fini(&all);
    return found;
}

static void check_query(struct slice query)
{
    struct buf token = {0}, other = {0}, encoded = {0};
    enum credential found = credential_from_query(query, &token);

    /* One more makes two of it. */
    enum credential second = read_query(slice_str("access_token=a"), query, &other);
    assert(second == (found == CREDENTIAL_NONE ? CREDENTIAL_FOUND : CREDENTIAL_BAD));
    if (found == CREDENTIAL_FOUND) {
        check_token(buf_slice(&token));
        buf_add_str(&encoded, "access_token=");
        for (size_t i = 0; i < token.n; i++)
            buf_printf(&encoded, "%%%02x", token.p[i]);
        assert(read_query(slice_str("a=b"), buf_slice(&encoded), &other) == CREDENTIAL_FOUND);
        assert(slice_equal(buf_slice(&other), buf_slice(&token)));
    }
    buf_fini(&token);
    buf_fini(&other);
    buf_fini(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice query = slice_of(data, n), none = {0};
    char *header = take_string(&query, '\n');

    assert(credential_from_header(NULL, &none) == CREDENTIAL_NONE);
    check_header(header);
    check_query(query);
    free(header);
    return 0;
}

/* A JWKS file. */
#include "guard/keyset.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"

enum {
    RSA_ALGORITHMS = 1 << ALG_RS256 | 1 << ALG_RS384 | 1 << ALG_RS512 | 1 << ALG_PS256 |
                     1 << ALG_PS384 | 1 << ALG_PS512,
    EC_ALGORITHMS = 1 << ALG_ES256 | 1 << ALG_ES384 | 1 << ALG_ES512,
};

static char error[256];

static struct keyset *load(const char *file, bool allow_demo)
{
    const struct keyset_source source = {.files = &file, .file_count = 1, .allow_demo = allow_demo};
    struct keyset *set = NULL;
    struct notes notes = {0};

    *error = 0;
    int err = keyset_load(&source, &set, &notes, error, sizeof error);
    assert((set == NULL) == (*error != 0) && (set == NULL) == (err < 0));
    for (size_t i = 0; i < notes.n; i++)
        for (const char *c = notes.lines[i]; *c; c++)
            assert(*c >= ' ' && *c < 0x7f);
    notes_fini(&notes);
    for (const char *c = error; *c; c++) /* it goes into one line of the log */
        assert(*c >= ' ' && *c < 0x7f);
    return set;
}

static void check_key(const struct keyset *set, const struct key *key)
{
    bool rsa = EVP_PKEY_is_a(key->public_key, "RSA"), ec = EVP_PKEY_is_a(key->public_key, "EC");
    bool okp = EVP_PKEY_is_a(key->public_key, "ED25519");
    uint32_t of_type = rsa ? RSA_ALGORITHMS : ec ? EC_ALGORITHMS : 1 << ALG_EDDSA;

    assert(rsa || ec || okp);
    assert(key->algorithms != 0);
    assert((key->algorithms & ~of_type) == 0);
    assert(EVP_PKEY_get_bits(key->public_key) >= (rsa ? 2048 : 253));
    assert(key->kid == NULL || keyset_has_kid(set, key->kid));
    assert(keyset_has(set, key->thumbprint));
}

static void check_set(const struct keyset *set)
{
    assert(keyset_count(set) > 0 && keyset_count(set) <= 256);
    for (size_t i = 0; i < keyset_count(set); i++)
        check_key(set, keyset_at(set, i));
}

/* Read again, the keys are the same; but a file with the demo's is refused unless it is allowed. */
static void check_again(const char *file, const struct keyset *set)
{
    struct keyset *again = load(file, false);

    assert((again == NULL) == (strstr(error, "holds the demo's key") != NULL));
    assert(again == NULL || !keyset_has_kid(set, "demo-insecure"));
    for (size_t i = 0; again != NULL && i < keyset_count(set); i++)
        assert(keyset_has(again, keyset_at(set, i)->thumbprint));
    keyset_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char file[64];
    int fd = memfd_create("jwks", MFD_CLOEXEC);

    log_set_level(LOG_ERROR);
    assert(pwrite(fd, data, n, 0) == (ssize_t)n);
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    struct keyset *set = load(file, true);
    if (set != NULL) {
        check_set(set);
        check_again(file, set);
    }
    keyset_free(set);
    close(fd);
    return 0;
}

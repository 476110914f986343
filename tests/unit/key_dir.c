#include "key_dir.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mint.h"

EVP_PKEY *key_a, *key_b;
static char directory[] = "/tmp/key_dir.XXXXXX";

int key_dir_make(void)
{
    key_a = mint_ec("P-256");
    key_b = mint_ec("P-256");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

int key_dir_remove(void **state)
{
    (void)state;
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    return rmdir(directory);
}

void key_dir_path(char path[KEY_DIR_PATH], const char *name)
{
    snprintf(path, KEY_DIR_PATH, "%s/%s", directory, name);
}

void key_dir_write(const char *path, EVP_PKEY *key, const char *kid)
{
    struct buf jwks = {0};
    char members[64];

    snprintf(members, sizeof members, "\"kid\":\"%s\",", kid);
    mint_jwks(&jwks, key, members);
    mint_write_file(path, buf_slice(&jwks));
    buf_fini(&jwks);
}

/* key_dir - two keys on P-256, and a directory for JWKS files, as long as a group of tests runs. */
#ifndef SKF_UNIT_KEY_DIR_H
#define SKF_UNIT_KEY_DIR_H

#include <openssl/types.h>

enum { KEY_DIR_PATH = 64 };

extern EVP_PKEY *key_a, *key_b;

/* 0, or -1: there is none. */
int key_dir_make(void);
/* The directory must be empty; a fixture of cmocka's. */
int key_dir_remove(void **state);

/* The path of a file in there. */
void key_dir_path(char path[KEY_DIR_PATH], const char *name);
/* A JWKS file with that key alone. */
void key_dir_write(const char *path, EVP_PKEY *key, const char *kid);

#endif

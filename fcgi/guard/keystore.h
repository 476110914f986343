/* keystore - the keys of an issuer that are in use: reads their files again when they change.
 *
 * To check the numbers of a key takes milliseconds, of a hundred large ones seconds: that is done
 * in a thread of its own, and the loop takes over the finished set.  Files that are broken leave
 * the set of before in use. */
#ifndef SKF_GUARD_KEYSTORE_H
#define SKF_GUARD_KEYSTORE_H

#include "base/loop.h"
#include "guard/keyset.h"

struct keystore;

struct keystore_config {
    const char *issuer;       /* of whom they are, for the log; this and the files are borrowed */
    const char *const *files; /* JWKS */
    size_t file_count;
    bool allow_demo_key;
    /* Called after each later change of the set. */
    void (*on_change)(void *arg);
    void *arg;
};

/* Reads the files at once.  NULL, and one line in `error`, if there are no keys in them. */
struct keystore *keystore_new(struct loop *loop, const struct keystore_config *config, char *error,
                              size_t size);
void keystore_free(struct keystore *store);

/* The set in use; until the next on_change(). */
const struct keyset *keystore_keys(const struct keystore *store);

/* Reads the files again and tells the log what came of it, also if that is nothing new. */
void keystore_reload(struct keystore *store);
/* The files are being read, or will be again when they have been. */
bool keystore_is_reading(const struct keystore *store);
/* The files were broken when they were read last. */
bool keystore_broken(const struct keystore *store);
/* When the oldest of the files was changed whose keys are in use; by the wall clock. */
int64_t keystore_changed_ms(const struct keystore *store);

#endif

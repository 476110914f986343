/* keys - the issuer: the keys in its file, and tokens signed with them.
 *
 * Stands in for guard/keystore, guard/keyset and the signature's arithmetic; frame and claims of a
 * token are judged by the program itself. */
#ifndef SKF_SIMULATE_KEYS_H
#define SKF_SIMULATE_KEYS_H

#include "wish.h"

/* To verify a signature takes less than verify_ms. */
void keys_begin(uint32_t verify_ms);

/* A new key is added to the file and signs from now on; the one before it goes. */
void keys_change(void);
/* The key that signs now, by its number; and whether every responder has it by now. */
unsigned keys_now(void);
bool keys_are_known(void);

/* Appends a token of that subject, of that client's own, with that claim, that ends at exp_ms,
 * which are whole seconds. */
void keys_sign(struct buf *out, const char *sub, const char *client, int64_t exp_ms,
               const struct picked *claim);
/* So many in all. */
size_t keys_signed(void);

#endif

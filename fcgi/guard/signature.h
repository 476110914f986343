/* signature - which key of a set has signed a token.
 *
 * libjwt takes the token apart once more and must find the algorithm that we found, where it knows
 * it; OpenSSL checks the signature, with the key as it was parsed when the set was loaded.  The key
 * says which algorithms it may be used with, never the token alone. */
#ifndef SKF_GUARD_SIGNATURE_H
#define SKF_GUARD_SIGNATURE_H

#include "guard/keyset.h"
#include "guard/token.h"

/* TOKEN_OK and the key that verifies it, borrowed from the set; TOKEN_MALFORMED if libjwt
 * disagrees.  Of the keys that `kid` names, or of all if there is none, those that fit its
 * algorithm are tried in turn, four at most. */
enum token_error signature_verify(const struct token *token, const struct keyset *keys,
                                  const struct key **key);

#endif

/* element - one of a header that is a list (RFC 9110, 5.6.1): `a;q=0.5, b="c, d"`.  Pure. */
#ifndef SKF_FRONT_ELEMENT_H
#define SKF_FRONT_ELEMENT_H

#define ELEMENT_BLANKS " \t"

/* Where the text at `at` ends: at one of the characters `ends`, but not inside of quotes, or at its
 * NUL. */
const char *element_end(const char *at, const char *ends);

#endif

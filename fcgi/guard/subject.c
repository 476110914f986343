#include "guard/subject.h"

void subject_add(struct buf *out, const char *issuer, const char *subject)
{
    buf_add_str(out, issuer);
    buf_add_byte(out, 0); /* which no issuer holds */
    buf_add_byte(out, subject != NULL);
    buf_add_str(out, subject != NULL ? subject : "");
}

#!/bin/sh
# The way of lighttpd's error log to its file:  server.errorlog = "|.../mask-log.sh FILE"
#
# lighttpd writes the target of a request there, with its query, when a responder dies under it or
# the pool is away; a query may hold an access token.  Every line goes on, at once, without what
# follows a `?` or `;` (also percent-encoded) up to the next blank, and without whatever looks like a
# JSON Web Token: it begins with eyJ, the base64 of {", or is of three long parts with dots between.

# Ctrl-C and TERM are meant for lighttpd, whose last lines are still to come: the end of the input is
# our end.  (Ignored signals stay ignored after exec.)
trap '' INT TERM HUP

# Bytes, not characters: no input may be invalid.  Line by line, as stdbuf says.
LC_ALL=C exec stdbuf -oL sed -E \
    -e 's/(\?|;|%3[Ff]|%3[Bb])[^[:space:]]+/\1-/g' \
    -e 's/eyJ[A-Za-z0-9_.%-]+/eyJ-/g' \
    -e 's/([A-Za-z0-9_-]{16,}(\.|%2[Ee])){2}[A-Za-z0-9_-]{16,}/-/g' >>"$1"

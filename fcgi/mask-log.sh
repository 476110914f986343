#!/bin/sh
# The way of lighttpd's error log to its file:  server.errorlog = "|.../mask-log.sh FILE"
#
# lighttpd writes the target of a request there, with its query, when a responder dies under it or
# the pool is away; a query may hold an access token.  Every line goes on, at once, without what
# follows a `?` or `;` (also percent-encoded) up to the next blank, and without whatever looks like a
# JSON Web Token: it begins with eyJ, the base64 of {", or is of three long parts with dots between.

# Ctrl-C and TERM are meant for lighttpd, whose last lines are still to come: the end of the input is
# our end.  So is HUP, after logrotate has renamed the file.  (Ignored signals stay ignored after exec.)
trap '' INT TERM HUP

# The file is opened by its name for each line: after a rotation that is another file.
append() {
    : >>"$1"
    while IFS= read -r line || [ -n "$line" ]; do
        printf '%s\n' "$line" >>"$1"
    done
}

# Bytes, not characters: no input may be invalid.  Line by line, as stdbuf says.
export LC_ALL=C
stdbuf -oL sed -E \
    -e 's/(\?|;|%3[Ff]|%3[Bb])[^[:space:]]+/\1-/g' \
    -e 's/eyJ[A-Za-z0-9_.%-]+/eyJ-/g' \
    -e 's/([A-Za-z0-9_-]{16,}(\.|%2[Ee])){2}[A-Za-z0-9_-]{16,}/-/g' | append "$1"

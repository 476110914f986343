#!/bin/sh
# The way of a web server's error log to its file:  server.errorlog = "|.../mask-log.sh FILE [PATHS]"
#
# lighttpd, Apache and h2o write the target of a request there, with its query, when a responder dies under
# it or the pool is away; a query may hold an access token, and the path of a route what says who asks.
# Every line goes on, at once, without
#
#   - what is behind PATHS in the path of a request: what routes begin with, with a | between, without
#     the first / (events).  Of another path nothing is left.
#   - what follows a `?` or `;` (also percent-encoded) up to the next blank, wherever it stands
#   - whatever looks like a JSON Web Token: it begins with eyJ, the base64 of {", or is of three long
#     parts with dots between.
file=$1
paths=${2:-events}

# Ctrl-C and TERM are meant for lighttpd, whose last lines are still to come: the end of the input is
# our end.  So is HUP, after logrotate has renamed the file.  (Ignored signals stay ignored after exec.)
trap '' INT TERM HUP

# The file is opened by its name for each line: after a rotation that is another file.  What cannot be
# written is lost, and told to syslog once: our standard error is none, and without us lighttpd ends.
put() {
    if printf '%s' "$1" 2>/dev/null >>"$file"; then
        lost=
    elif [ -z "$lost" ]; then
        lost=1
        logger -p daemon.err -t mask-log "cannot write $file: the error log is lost until that is mended"
    fi
}

append() {
    lost=
    put ''
    while IFS= read -r line || [ -n "$line" ]; do
        put "$line
"
    done
}

# What stands before a path (lighttpd, h2o, and four times Apache), and what two of them write behind it.
# The path may be decoded, blanks and all, so it ends with the line or with one of these.
before=' for |in request:| returned by |invalid URI path \(|access to |Cannot map [A-Z]+ '
behind=':(I/O timeout|connection [a-z]+)|, (reconnecting|closing connection|terminating connection)| on [^[:space:]]+ are down[.]'

# Bytes, not characters: no input may be invalid.  Line by line, as stdbuf says.  Until all is done a
# newline, which is in no line, stands before a path that is left.
export LC_ALL=C
stdbuf -oL sed -E \
    -e "s#($before)/($paths)([^A-Za-z0-9._~-].*)?($behind)\$#\\1\\n/\\2\\4#" \
    -e "s#($before)/($paths)([^A-Za-z0-9._~-].*)?\$#\\1\\n/\\2#" \
    -e "s#($before)/.*($behind)\$#\\1-\\2#" \
    -e "s#($before)/.*#\\1-#" \
    -e 's/\n//' \
    -e 's/(\?|;|%3[Ff]|%3[Bb])[^[:space:]]+/\1-/g' \
    -e 's/eyJ[A-Za-z0-9_.%-]+/eyJ-/g' \
    -e 's/([A-Za-z0-9_-]{16,}(\.|%2[Ee])){2}[A-Za-z0-9_-]{16,}/-/g' | append

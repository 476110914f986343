#!/bin/sh
# Fetches an issuer's public keys:  fetch-jwks.sh URL FILE
#
# Over https alone, at most 1 MiB, within 30 s.  What comes is checked by the responders' own rules, and takes
# the file's place as a whole; else the file stays as it is.  CURL_CA_BUNDLE and https_proxy are curl's.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin
url=$1
file=$2
new=$file.new
# As it is logged: without a user's password and without the query, which may hold a key.
told=$(printf '%s\n' "$url" | sed -E 's#^([^/]*//)?[^/]*@#\1#; s#[?].*##')

# In the journal with its priority, as the responders' errors are.
fail() {
    priority=
    if test "$(stat -Lc %d:%i /dev/fd/2)" = "${JOURNAL_STREAM:-}"; then priority="<3>"; fi
    echo "${priority}fetch-jwks: $told: $1; $file is left as it is" >&2
    exit 1
}

# The size counts in blocks of 512 bytes; curl 7.88 heeds --max-filesize only if it is told beforehand.
fetch() {
    ulimit -f 2048
    exec curl -q -fsS --proto =https --max-time 30 --max-filesize 1048576 --max-redirs 0 \
        --header 'Accept: application/json' --stderr - --output "$new" --write-out '%{http_code}' --url "$url"
}

case $url in
https://*) ;;
*) fail "it must begin with https://" ;;
esac
command -v curl >/dev/null || fail "curl is missing: apt-get install curl ca-certificates"
trap 'rm -f "$new"' EXIT
said=$(fetch) || fail "it cannot be fetched: $(echo "$said" | head -n 1)"
test "$said" = 200 || fail "the answer is $said, and no other address is asked"
sse-kafka-fanout --check-jwks "$new" || fail "these keys cannot be used"
chmod 644 "$new"
mv "$new" "$file"

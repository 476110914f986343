#!/bin/sh
# The image's command: certificates if there are none yet, then lighttpd with its responders.
set -eu

# certs/ is a volume, so that a new container keeps the certificates that somebody trusts; the script
# has to lie beside them, and a volume would keep an old one.
cp fcgi/make-certs certs/make
certs/make

# All logs are the container's.  (lighttpd and the responders write lines of no more than a pipe takes
# at once, so they don't mix.)
for log in access error responder; do
    ln -sf /dev/stderr "build/run/$log.log"
done

exec lighttpd -D -f lighttpd.conf

#!/bin/sh
# The image's command: certificates and keys if there are none yet, then lighttpd with its responders.
set -eu

# certs/ is a volume, so that a new container keeps the certificates that somebody trusts; the script
# has to lie beside them, and a volume would keep an old one.
cp fcgi/make-certs certs/make
certs/make

# For the page on 7143, as ./run does it: another one at each start, see fcgi/start-responder.sh.
certs/make demo build/run

# All logs are the container's.  (lighttpd and the responders write lines of no more than a pipe takes
# at once, so they don't mix.)  Not /dev/stderr: that of mask-log.sh, which writes the error log, is
# /dev/null.
for log in access error responder; do
    ln -sf "/proc/$$/fd/2" "build/run/$log.log"
done

exec lighttpd -D -f lighttpd.conf

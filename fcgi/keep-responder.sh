#!/usr/bin/env bash
# Keeps a responder of a pool running, behind a listening socket that outlives it:
#
#   spawn-fcgi -n -s build/run/open-1.sock -M 0600 -b 4096 -- fcgi/keep-responder.sh open
#
# The socket is descriptor 0, of this and of each responder.  When one ends, those who connect wait in
# the socket's queue for the next, where they would be refused otherwise.
#
#   HUP    another responder takes over at once, while this one drains
#   TERM   drains and ends; a second time: ends at once
set -euo pipefail

pool=${1:?which pool?}
responder=
started_at=0
ending=

start() {
    # bash would give /dev/null to what runs in the background.
    "$(dirname "${BASH_SOURCE[0]}")/start-responder.sh" "$pool" <&0 &
    responder=$!
    started_at=$SECONDS
}

stop() { kill "$responder" 2>/dev/null || true; }

trap 'stop; start' HUP
trap 'ending=yes; stop' TERM

start
until [[ $ending ]]; do
    status=0
    wait "$responder" 2>/dev/null || status=$? # also broken off by a signal to us
    if [[ $ending ]] || kill -0 "$responder" 2>/dev/null; then continue; fi
    echo "keep-responder: $pool: it has ended with status $status, starting another" >&2
    if ((SECONDS - started_at < 2)); then sleep 1; fi # it may be one that cannot start
    start
done
while [[ $(jobs -pr) ]]; do wait || true; done

#!/usr/bin/env bash
# Keeps a responder of a pool running, behind a listening socket that outlives it:
#
#   spawn-fcgi -n -s build/run/open-1.sock -M 0600 -b 4096 -- fcgi/keep-responder.sh open
#
# ./run does that for each socket in lighttpd.conf, and starts lighttpd by its whole path with
# RESPONDERS=external in the environment.  systemd does it by a socket unit with Backlog=4096, and a service
# with StandardInput=socket.
#
# The socket is descriptor 0, of this and of each responder.  When one ends, those who connect wait in
# the socket's queue for the next, where they would be refused otherwise.
#
#   HUP    another responder takes over at once, while this one drains
#   TERM   drains and ends; a second time: ends at once
set -euo pipefail

# bash cannot trap what was ignored when it began, as HUP is below nohup.
if [[ $(trap -p HUP) ]]; then exec env --default-signal=HUP "$0" "$@"; fi

pool=${1:?which pool?}
started=
started_at=0
next=
ending=

start() {
    # Without <&0 bash would give /dev/null to what runs in the background.
    "$(dirname "${BASH_SOURCE[0]}")/start-responder.sh" "$1" <&0 &
    started=$1
    started_at=$SECONDS
    if [[ $ending ]]; then stop; fi # the signal came when there was none
}

# The newest: a variable of ours would be set a moment too late.
stop() { kill "${!:-}" 2>/dev/null || true; }

trap 'next=yes; stop' HUP
trap 'ending=yes; stop' TERM

start "$pool"
while true; do
    status=0
    wait $! 2>/dev/null || status=$? # also broken off by a signal to us
    if [[ $ending ]]; then break; fi
    wanted=$pool
    if [[ ! $next ]]; then
        if kill -0 $! 2>/dev/null; then continue; fi
        # Its configuration is wrong: until the next try, clients are told to come back.
        if ((status == 2)) && [[ $started == "$pool" ]]; then wanted=stand-in; fi
        echo "keep-responder: $pool: it has ended with status $status, starting another" >&2
        # It may be one that cannot start.
        if [[ $wanted == "$pool" ]] && ((SECONDS - started_at < 2)); then sleep 1; fi
    fi
    next=
    start "$wanted"
done
while [[ $(jobs -pr) ]]; do wait || true; done

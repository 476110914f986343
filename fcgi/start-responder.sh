#!/bin/sh
# A responder of one of the pools:  fcgi/start-responder.sh open|guarded|standby|stand-in
#
# Its listening socket is descriptor 0.  lighttpd.conf starts it so, and fcgi/keep-responder.sh.  From the
# environment: KAFKA_BROKERS (localhost:9092) and TOPIC (events), or instead of that ROUTES, a file with topics
# and routes (README.md, "Several paths").
set -eu
cd "$(dirname "$0")/.."
run=build/run

# All pools meet in one directory.  A renewal reaches one responder, the stream may be at the other: it
# passes it on there.  And whoever is asked for health and counters answers for all.
(umask 077 && mkdir -p "$run/peers")

# --drain: the time in which the streams are ended before a responder ends.  Short, so that nobody has to
# wait for the end of ./run; with thousands of streams give them 30 s to come back one by one.
#
# --max-streams: all four together stay below what lighttpd takes (lighttpd.conf, "Capacity").  A responder
# that is full says so, and when to come back; lighttpd would leave newcomers waiting without a word.
serve() {
    if test -n "${ROUTES:-}"; then
        set -- --config "$ROUTES" "$@"
    else
        set -- --topic "${TOPIC:-events}" "$@"
    fi
    exec build/sse-kafka-fanout --brokers "${KAFKA_BROKERS:-localhost:9092}" --event-id key --drain 1 \
        --max-streams 2000 --peer-dir "$run/peers" "$@"
}

case $1 in
open)
    serve
    ;;
guarded)
    # ./run makes a key for the page, which signs its tokens itself.  lighttpd serves the private half,
    # so this is for a demonstration on one machine: it is not there unless ./run is.  With tokens of
    # your own provider, take it out.
    if test -e "$run/demo-jwks.json"; then
        set -- --allow-demo-key --jwks "$run/demo-jwks.json"
    else
        set --
    fi
    # Whose tokens are good, and which of them.  --jwks can be given again: all keys of all files count.
    # The files are read again when they change.
    serve --jwks certs/jwks.json \
        --issuer https://auth.example.com --audience https://api.example.com \
        --scope proxy:stream "$@"
    ;;
standby)
    exec build/sse-kafka-fanout --standby
    ;;
stand-in)
    exec build/sse-kafka-fanout --stand-in 5
    ;;
*)
    echo "start-responder: no such pool: $1" >&2
    exit 2
    ;;
esac

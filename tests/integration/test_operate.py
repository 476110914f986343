"""What an operator sees: log lines, metrics as Prometheus wants them, the dashboard's queries."""

import json
import re
from datetime import datetime, timezone

from helpers import wait_until
from tokens import Jwks, ec_key, in_url, rsa_key

STREAM = {"Accept": "text/event-stream"}


# The log


def test_each_refused_request_has_a_line_with_its_reason(topic, start, tmp_path):
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    responder = start(topic, *keys.options("--max-streams", "1"))
    refused = [
        ("/nothing", "front: 404 there is nothing at this path"),
        ("/events", "front: 401 a token is needed"),
        (in_url("a.b.c"), "front: 401 the token is malformed"),
        (in_url(ec_key().mint()), "front: 401 the token is of an unknown key"),
        (in_url(rsa_key().mint(scope="other")), "front: 403 the token lacks a scope"),
        (in_url("x,y"), "front: 400 the request carries its token badly"),
    ]
    for target, _ in refused:
        responder.send(target=target).wait_end()
    kept = responder.open(target=in_url(rsa_key().mint()))
    for _ in range(2):
        responder.send(target=in_url(rsa_key().mint()), headers=STREAM).wait_end()
    assert not kept.ended
    lines = [line for line in responder.text().splitlines() if " front: " in line]
    said = [re.sub(r"^sse-kafka-fanout\[\d+\] \w+: ", "", line) for line in lines]
    assert said == [line for _, line in refused] + [
        "front: clients are told to come back later: all streams are taken (--max-streams)",
        "front: told to come back later: full",
    ]


def test_a_log_of_json_has_an_object_on_each_line(topic, start):
    responder = start(topic, "--log-format", "json")
    responder.send(target="/nothing").wait_end()
    responder.stop()
    lines = [json.loads(line) for line in responder.text().splitlines()]
    for line in lines:
        assert line.keys() == {"time", "level", "pid", "message"}
        assert line["pid"] == responder.pid
        when = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert abs(datetime.now(timezone.utc) - when).total_seconds() < 600
    messages = [(line["level"], line["message"]) for line in lines]
    assert ("info", "front: 404 there is nothing at this path") in messages
    assert messages[-1] == ("info", "stopping")

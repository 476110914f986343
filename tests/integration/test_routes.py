"""Routes of the configuration file: what a path leads to, what it demands, what it is refused for."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import PROGRAM, free_port, wait_until
from kafka import numbered
from responder import Responder
from sse import pump
from test_renewal import WINDOW, peers, sockets  # noqa: F401
from tokens import AUDIENCE, ISSUER, RENEWAL, SCOPE, Jwks, bearer, rsa_key

SCOPES = {"scope": f"{SCOPE} raw:read"}


@pytest.fixture
def routed(start, tmp_path) -> Callable[..., Responder]:
    """routed(topic, routes, **members): a responder of these routes. Each is a path, or a path, a
    topic and what it demands."""

    def start_routed(topic: str, routes: list, *options: str, **members) -> Responder:
        where = {"brokers": members.pop("brokers")} if "brokers" in members else {}
        said = {"topics": {topic: {}}, "routes": []} | members
        for route in routes:
            path, of, *scopes = route if isinstance(route, tuple) else (route, topic)
            said["routes"].append({"path": path, "topic": of} | ({"scopes": scopes} if scopes else {}))
        path = tmp_path / f"routes-{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(said))
        return start(None, "--config", str(path), *options, **where)

    return start_routed


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, object]:
    jwks = Jwks(tmp_path / "jwks.json", rsa_key())
    return {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(jwks.path), "scope": SCOPE}


def reason(answer) -> tuple[int, str]:
    answer.wait_end()
    return answer.status, json.loads(answer.body)["reason"]


def test_each_route_leads_to_its_topic(kafka, topic, routed):
    """PROTOCOL 9.1, 9.2, 9.3, 9.4."""
    kafka.produce(topic, *numbered(3, keys=3))
    responder = routed(topic, ["/all", "/of/{customer}", "/rest/{symbol*}", ("/raw/{t}", "{t}")])
    encoded = f"/raw/%{ord(topic[0]):x}{topic[1:]}?x"
    for target in ("/all", "/of/a%2Fb", "/of/..%00", "/rest/a/b/%2F", f"/raw/{topic}", encoded):
        stream = responder.open(target=target)
        assert [event.data for event in stream.take(3)] == [b"0", b"1", b"2"], target
    for target in ("/", "/events", "/all/", "/of", "/of/", "/of/a/b", "/rest/", "/ALL", "/%61ll"):
        assert reason(responder.send(target=target)) == (404, "route_unknown"), target
    assert reason(responder.send(target="/raw/other")) == (404, "topic_unknown")
    for target in ("/of/%", "/of/a%2", "/rest/a/%zz", "/raw/%"):
        assert reason(responder.send(target=target)) == (400, "path_invalid"), target
    assert "/of/a" not in responder.text() and "other" not in responder.text()


def test_no_front_may_turn_one_path_into_another(routed):
    """PROTOCOL 1.9."""
    responder = routed("events", ["/of/{a}", "/rest/{b*}"], brokers=f"127.0.0.1:{free_port()}")

    def status(uri: str, made_of_it: str) -> int:
        params = {"REQUEST_URI": uri, "SCRIPT_NAME": made_of_it, "PATH_INFO": ""}
        return responder.send("HEAD", params=params).wait_end().status

    for uri, decoded in (("/of/%41", "/of/A"), ("/of/a%2fb", "/of/a/b"), ("/of/a%2fb", "/of/a%2fb")):
        assert status(uri, uri) == status(uri, decoded) == 200
    for uri, folded in (
        ("/rest/a//b", "/rest/a/b"),
        ("/rest/a/../b", "/rest/b"),
        ("/rest/%2e%2e/of/x", "/of/x"),
        ("/of/a;b", "/of/a"),
        ("/of/a+b", "/of/a b"),
        ("/of/%2541", "/of/A"),
    ):
        assert status(uri, folded) == 404, uri


def test_a_route_demands_its_scopes_before_it_tells_of_topics(routed, keys):
    """PROTOCOL 9.5, 9.6."""
    routes = ["/all", ("/raw/{topic}", "{topic}", "raw:read")]
    responder = routed("events", routes, brokers=f"127.0.0.1:{free_port()}", **keys)
    may, may_not = rsa_key().mint(**SCOPES), rsa_key().mint()
    assert responder.open(target="/all", headers=bearer(may_not)).status == 200
    assert responder.open(target="/raw/events", headers=bearer(may)).status == 200
    for topic in ("events", "other"):
        target = f"/raw/{topic}"
        assert reason(responder.send(target=target)) == (401, "token_missing")
        assert reason(responder.send(target=target, headers=bearer("x"))) == (401, "token_invalid")
        refused = responder.send(target=target, headers=bearer(may_not))
        assert reason(refused) == (403, "scope_missing")
        assert refused.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert reason(responder.send(target="/raw/other", headers=bearer(may))) == (404, "topic_unknown")


def test_routes_may_change_one_responder_after_the_other(routed, keys, peers):  # noqa: F811
    """While tokens are renewed, at either: streams are renewed whose route the token opens.
    PROTOCOL 9.7."""
    members = keys | {"brokers": f"127.0.0.1:{free_port()}"}
    options = ["--challenge", str(WINDOW), "--peer-dir", str(peers)]
    old = routed("events", ["/all"], *options, **members)
    new = routed("events", ["/every", ("/raw", "events", "raw:read")], *options, **members)
    wait_until(lambda: len(sockets(peers)) == 2)

    def open_at(responder: Responder, target: str):
        token = rsa_key().mint(WINDOW + 1, **SCOPES)
        return responder.open(target=target, headers=bearer(token))

    kept = [open_at(old, "/all"), open_at(new, "/every")]
    over = [open_at(new, "/raw")]
    pump(kept + over, lambda: all(stream.events for stream in kept + over))
    plain = bearer(rsa_key().mint(60)) | {"Content-Type": RENEWAL}
    assert reason(new.send("POST", "/raw", plain)) == (403, "scope_missing")
    assert old.send("POST", "/all", plain).wait_end().status == 204
    pump(kept + over, lambda: all(stream.ended for stream in over))
    assert not any(stream.ended for stream in kept)


REFUSED = {
    "routes and a topic": ({"topic": "t"}, "topic: not together with routes"),
    "routes and a path": ({"path": "/p"}, "path: not together with routes"),
    "no topics": ({"topics": None}, "routes: need topics"),
    "no routes": ({"routes": None}, "topics: only with routes"),
    "filters": ({"topics": {"t": {"filters": ["x"]}}}, "filters: x: must be header:NAME or field:PATH"),
    "select": ({"routes": [{"path": "/a", "topic": "t", "select": []}]}, "select: must be a list"),
    "scopes": ({"routes": [{"path": "/a", "topic": "t", "scopes": "x"}]}, "scopes: only with jwks"),
    "a name the path lacks": ({"routes": [{"path": "/a", "topic": "{x}"}]}, "the path lacks {x}"),
    "twice": (
        {"routes": [{"path": "/{a}", "topic": "t"}, {"path": "/{b}", "topic": "t"}]},
        "routes[1]: path: another route has it: /{a}",
    ),
    "not at the end": ({"routes": [{"path": "/{a*}/b", "topic": "t"}]}, "must be at the end"),
    "unknown": ({"routes": [{"path": "/a", "topic": "t", "keys": 1}]}, "unknown member keys"),
}


@pytest.mark.parametrize("members, why", REFUSED.values(), ids=REFUSED.keys())
def test_a_configuration_that_is_wrong_ends_the_start(tmp_path, members, why):
    said = {"brokers": "b:9092", "topics": {"t": {}}, "routes": [{"path": "/a", "topic": "t"}]}
    said = {name: value for name, value in (said | members).items() if value is not None}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(said))
    command = [PROGRAM, "--config", path, "--listen", tmp_path / "socket"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    [line] = done.stderr.splitlines()
    assert done.returncode == 2 and why in line, done

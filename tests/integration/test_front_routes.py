"""Routes behind the web servers of fcgi/examples: what they do to a path, and what they log of it."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fronts import CONTROLS, DOTS, ENCODED_DOTS, SLASHES, Front, Place
from helpers import free_port
from sse import pump
from test_fronts import (  # noqa: F401
    STREAM,
    WAYS,
    Pool,
    all_places,
    ask,
    curl,
    is_told_to_come_back,
    kind,
    place,
    token,
)
from tokens import RENEWAL, Jwks, rsa_key

PATHS = ["mine", "orders", "prices"]
# What each selects.
ROUTES = {"/mine": "{claim:sub}", "/orders/{customer}": "{customer}", "/prices/{symbol*}": "{symbol}"}

SERVED = ["/mine", "/orders/a%2Fb", "/orders/a%2fb", "/orders/a;b", "/orders/a+b", "/orders/a%20b"]
SERVED += ["/orders/a%3Fb", "/orders/a%25", "/orders/a%252F", "/orders/%41", "/orders/%C3%A4"]
SERVED += ["/orders/a:b@c=d&e,f$g!h*i'j(k)~l", "/orders/a%23b", "/orders/a%5Cb", "/orders/%E2%82%AC"]
SERVED += ["/prices/a/b", "/prices/a/", "/prices/a%2Fb/c", "/prices/..;/mine"]
SERVED += ["/orders/a~", "/orders/a%7E", "/orders/a.inc", "/orders/a.php", "/orders/.htaccess"]  # no files
FOLDED_BY_SOME = SLASHES + DOTS + ENCODED_DOTS + CONTROLS
UNKNOWN = ["/mine/", "/mine;x", "//mine", "/%6dine", "/mine%2F", "/x/../mine", "/./mine", "/mine/../mine"]
UNKNOWN += ["/orders/", "/orders/a/", "/orders%2Fa", "/orders//", "/orders/a/../../mine", "/mine/../prices/a"]
UNKNOWN += ["/prices", "/prices/", "/MINE", "/ordersa/b"]
BAD = ["/orders/%", "/orders/%zz", "/orders/a%2", "/orders/%00"]


@pytest.fixture
def routed(place: Place) -> Callable[..., Pool]:  # noqa: F811
    """routed(topic, brokers): a pool that demands tokens, of ROUTES."""
    keys = Jwks(place.directory / "jwks.json", rsa_key())
    peers = place.new("peers")
    peers.chmod(0o700)

    def start(topic: str = "orders", brokers: str | None = None) -> Pool:
        said = {"brokers": brokers or f"127.0.0.1:{free_port()}", "topics": {topic: {}}}
        said["routes"] = [
            {"path": path, "topic": topic, "select": [{"key": key}]} for path, key in ROUTES.items()
        ]
        file: Path = place.directory / "routes.json"
        file.write_text(json.dumps(said))
        options = ["--config", str(file), "--peer-dir", str(peers)]
        return Pool(place, options + keys.options()).start()

    return start


def routed_front(kind: type[Front], place: Place) -> Front:  # noqa: F811
    return kind(place, kind.with_paths(PATHS)).start()


def get(front: Front, way: str, target: str) -> tuple[int, bool]:
    """The status, and whether it is a stream."""
    answer = curl(front, way, "--path-as-is", target=target, token=token()).wait_head()
    answer.close()
    return answer.status, "event-stream" in answer.headers.get("content-type", "")


# What stands in the path arrives as it is, decoded once: the key of the one record that is selected.
KEYS = {
    "/mine": "alice",
    "/orders/a%2Fb": "a/b",
    "/orders/a;b": "a;b",
    "/orders/a+b": "a+b",
    "/orders/a%20b": "a b",
    "/orders/a%2Bb": "a+b",
    "/orders/a%3Fb": "a?b",
    "/orders/a%25": "a%",
    "/orders/a%252F": "a%2F",
    "/orders/%41": "A",
    "/orders/%C3%A4": "\u00e4",
    "/orders/a%5Cb": "a\\b",
    "/prices/a/b": "a/b",
    "/prices/a/": "a/",
    "/prices/a%2Fb": "a/b",
    "/prices/..;/mine": "..;/mine",
}


def test_events_come_through_each_route(kafka, topic, routed, place, kind):  # noqa: F811
    """PROTOCOL 9.2."""
    others = ["a", "b", "ab", "a%2Fb", "a%20b", "mine", "orders", "prices"]
    for key in dict.fromkeys([*others, *KEYS.values()]):
        kafka.put(topic, key, f"old of {key}")
    routed(topic, kafka.brokers)
    front = routed_front(kind, place)
    streams = {
        (target, way): curl(front, way, target=target, token=token(sub="alice"))
        for target in KEYS
        for way in WAYS
    }
    for (target, _), stream in streams.items():
        assert stream.next().text == f"old of {KEYS[target]}", target
    for key in dict.fromkeys([*others, *KEYS.values()]):
        kafka.put(topic, key, f"new of {key}")
    for (target, _), stream in streams.items():
        assert stream.next().text == f"new of {KEYS[target]}", target
    renewal = ["-d", kind.body_of_renewal, "-H", f"Content-Type: {RENEWAL}"]
    for target in KEYS:
        said = token(sub=f"of {target}")  # one renews ten times in a second
        assert ask(front, WAYS[0], *renewal, target=target, token=said).status == 204


@pytest.mark.parametrize("way", WAYS)
def test_a_path_reaches_the_route_that_the_client_has_named_or_none(routed, place, kind, way):  # noqa: F811
    """PROTOCOL 1.8, 1.9, 9.1, 9.2, 9.3."""
    routed()
    front = routed_front(kind, place)
    for target in SERVED + FOLDED_BY_SOME:
        if target not in kind.folds:
            assert get(front, way, target) == (200, True), target
        else:
            status, _ = get(front, way, target)
            assert status == (400 if target in CONTROLS else 404), target
    for target in UNKNOWN:
        assert get(front, way, target)[0] == 404, target
    for target in BAD:
        status, _ = get(front, way, target)
        assert status in (400, 404) or (status == 500 and kind.example == "haproxy.cfg"), target


def test_while_the_pool_is_away_the_standby_answers_on_each_route(routed, place, kind):  # noqa: F811
    members = routed()
    front = routed_front(kind, place)
    curl(front, WAYS[0], target="/mine", token=token()).wait_started().close()
    members.stop()
    for target in ("/mine", "/orders/a%2Fb", "/prices/a/b"):
        answer = ask(front, WAYS[0], *STREAM, target=target, token=token())
        assert is_told_to_come_back(answer) if kind.has_pool else answer.status in (502, 503)


SECRET = "TOPSECRET"


@pytest.mark.of_the_front
def test_the_logs_have_of_a_path_what_routes_begin_with(routed, place, kind):  # noqa: F811
    """Whatever happens; also where the path is badly written, too long, or nearly that of a route."""
    members = routed()
    front = routed_front(kind, place)
    rests = [f"/{SECRET}", f"/a%20{SECRET}", f"/a%2F{SECRET}", f"/{SECRET}/../{SECRET}", f"/%zz{SECRET}"]
    rests += [f"/../../../{SECRET}", f"//{SECRET}", f";{SECRET}", f"%3F{SECRET}", f"/a%3F{SECRET}/b"]
    rests += [f"/%00{SECRET}", f"/a%2C%20closing%20connection{SECRET}%20x", f"/{SECRET * 500}"]
    near = [f"/order/{SECRET}", f"//orders/{SECRET}", f"/Orders/{SECRET}", f"/{SECRET}"]
    near += [f"/index.html/{SECRET}", f"/style.css;{SECRET}", f"/{SECRET * 500}", f"/events/{SECRET}"]
    targets = [f"/{path}{rest}" for path in PATHS for rest in rests] + near
    query = f"?access_token={SECRET}&key={SECRET}"

    def ask_all() -> None:
        for target in targets:
            ask(front, WAYS[0], "--path-as-is", *STREAM, target=target + query)
        for target in targets[:3]:
            ask(front, WAYS[1], "--path-as-is", *STREAM, target=target + query)

    ask_all()
    served = [f"/orders/a%20{SECRET}?x={SECRET}", f"/prices/a/{SECRET}/b?key={SECRET}"]
    streams = [curl(front, way, target=target, token=token()) for target in served for way in WAYS]
    pump(streams, lambda: all(stream.retry for stream in streams))
    members.signal(signal.SIGKILL)
    pump(streams, lambda: all(stream.closed for stream in streams))
    ask_all()
    members.standby.end()
    ask_all()
    for responder in members.responders:
        assert SECRET not in responder.text()
    front.end()
    logs = front.text()
    for path in ("/mine", "/orders", "/prices", "/events"):
        assert f"GET {path} HTTP" in logs, "what it begins with is told"
    assert SECRET not in logs, [at[:300] for at in logs.splitlines() if SECRET in at][:8]

"""A configuration of two issuers, routes and topics at work behind the repository's own lighttpd.conf:
each path, each refusal with its status, reason and log line, and what --explain says of each."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import CurlReader
from helpers import PROGRAM, wait_until
from lighttpd import replaced
from responder import Responder
from test_guarded_front import curl
from tokens import AUDIENCE, RENEWAL, SCOPE, Jwks, ec_key, leaked, rsa_key

ONE, TWO = "https://one.example.com", "https://two.example.com"
SECRET = "TOPSECRET"


def configuration(kafka, directory: Path, orders: str, prices: str) -> Path:
    issuers = [
        {"issuer": ONE, "audience": AUDIENCE, "jwks": str(Jwks(directory / "one.json", rsa_key()).path)},
        {"issuer": TWO, "audience": AUDIENCE, "jwks": str(Jwks(directory / "two.json", ec_key()).path)},
    ]
    said = {
        "brokers": kafka.brokers,
        "issuers": issuers,
        "scope": [SCOPE],
        "topics": {orders: {"cache-bytes": 100000000}, prices: {"compact": "on"}},
        "routes": [
            {"path": "/mine", "topic": orders, "select": [{"key": "{claim:sub}"}]},
            {
                "path": "/orders/{customer}",
                "topic": orders,
                "select": [{"key": "{customer}"}],
                "scopes": ["support"],
            },
            {
                "path": "/prices/{symbol*}",
                "topic": prices,
                "select": [{"key": "{symbol}"}],
                "from": "earliest",
            },
            {"path": "/raw/{topic}", "topic": "{topic}", "scopes": ["raw:read"]},
        ],
    }
    file = directory / "example.json"
    file.write_text(json.dumps(said))
    return file


def mint(of: str = ONE, *scopes: str, signed_by: str | None = None, **said) -> str:
    key = rsa_key() if (signed_by or of) == ONE else ec_key()
    return key.mint(600, iss=of, scope=" ".join([SCOPE, *scopes]), **said)


class Example:
    def __init__(self, kafka, front, start, directory: Path):
        self.orders, self.prices = kafka.topic(), kafka.topic()
        self.file = configuration(kafka, directory, self.orders, self.prices)
        peers = directory / "peers"
        peers.mkdir(mode=0o700)
        options = ["--config", str(self.file), "--peer-dir", str(peers), "--max-streams-per-subject", "3"]
        self.responders: list[Responder] = [start(None, *options) for _ in range(2)]
        self.front = front(self.orders, responders=self.responders)
        self.front.stop()
        conf = self.front.root / "lighttpd.conf"
        paths = 'paths = "events|mine|orders|prices|raw"'
        conf.write_text(replaced(conf.read_text(), 'paths = "events"', paths))
        self.front.start()
        self.token_file = directory / "token"

    def get(self, target: str, token: str | None, *options: str) -> CurlReader:
        said = ["-H", f"Authorization: Bearer {token}"] if token else []
        accept = ["-H", "Accept: text/event-stream"]
        return curl(self.front, target, "--path-as-is", *accept, *said, *options).wait_head()

    def explained(self, target: str, token: str | None) -> list[str]:
        self.token_file.write_text(token or "")
        command = [PROGRAM, "--config", self.file, "--explain", f"https://shop.example{target}"]
        command += ["--token-file", self.token_file] if token else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert not leaked(done.stdout)
        return done.stdout.splitlines()

    def log(self) -> str:
        return "".join(responder.text() for responder in self.responders)


@pytest.fixture
def example(kafka, front, start, tmp_path: Path) -> Example:
    return Example(kafka, front, start, tmp_path)


def test_each_path_has_what_it_selects(kafka, example):
    for topic in (example.orders, example.prices):
        for key in ("7", "8", "a/b", "alice"):
            kafka.put(topic, key, f"{key} of {topic}")
    orders, prices = example.orders, example.prices
    all_of_orders = [f"{key} of {orders}" for key in ("7", "8", "a/b", "alice")]
    for target, token, expected in (
        ("/mine", mint(sub="alice"), [f"alice of {orders}"]),
        ("/mine", mint(TWO, sub="7"), [f"7 of {orders}"]),
        ("/orders/8", mint(ONE, "support", sub="s1"), [f"8 of {orders}"]),
        ("/orders/a%2Fb", mint(TWO, "support", sub="s2"), [f"a/b of {orders}"]),
        ("/prices/a/b", mint(sub="s3"), [f"a/b of {prices}"]),
        (f"/raw/{orders}", mint(ONE, "raw:read", sub="s4"), all_of_orders),
    ):
        stream = example.get(target, token)
        assert [event.text for event in stream.take(len(expected))] == expected, target
        kafka.put(orders if "prices" not in target else prices, "nobody's", "x")
        stream.close()
        said = example.explained(target, token)
        assert said[-1].startswith("200: "), said
    assert "{customer} is a/b" in example.explained("/orders/a%2Fb", mint(ONE, "support"))


def test_each_refusal_has_its_status_reason_and_line(example):
    raw = mint(ONE, "raw:read")
    refused: list[tuple[str, str | None, int, str, str]] = [
        (f"/{SECRET}", mint(), 404, "", ""),  # lighttpd's own, for it does not hand that on
        (f"/mine/{SECRET}", mint(), 404, "route_unknown", "there is nothing at this path"),
        (f"/orders/{SECRET}/x", None, 404, "route_unknown", "there is nothing at this path"),
        (f"/orders/%zz{SECRET}", mint(), 400, "path_invalid", "the path is badly encoded"),
        (f"/orders/{SECRET}", None, 401, "token_missing", "a token is needed"),
        (f"/orders/{SECRET}", "x.y.z", 401, "token_invalid", "the token is malformed"),
        ("/mine", mint("https://three.example.com"), 401, "token_invalid", "the token is of another issuer"),
        ("/mine", mint(ONE, signed_by=TWO), 401, "token_invalid", "the token is of an unknown key"),
        ("/mine", mint(TWO, signed_by=ONE), 401, "token_invalid", "the token is of an unknown key"),
        ("/mine", mint(aud="other"), 401, "token_invalid", "the token is for another audience"),
        ("/mine", rsa_key().mint(-5, iss=ONE), 401, "token_invalid", "the token is expired"),
        ("/mine", rsa_key().mint(iss=ONE, scope="x"), 403, "scope_missing", "the token lacks a scope"),
        (f"/orders/{SECRET}", mint(), 403, "scope_missing", "the token lacks a scope"),
        ("/raw/orders", mint(), 403, "scope_missing", "the token lacks a scope"),
        (f"/raw/{SECRET}", mint(), 403, "scope_missing", "the token lacks a scope"),
        (f"/raw/{SECRET}", raw, 404, "topic_unknown", "the topic in the path is not served"),
        ("/mine", mint(sub=None), 403, "claim_missing", ""),
        ("/mine", "a" * 9000, 401, "token_too_long", "the token is longer than 8192 bytes"),
        ("/mine?access_token=", None, 400, "token_invalid", "the token is empty, given twice"),
    ]
    for target, token, status, reason, detail in refused:
        answer = example.get(target, token)
        answer.wait(lambda: answer.closed)
        assert answer.status == status, (target, answer)
        if not reason:
            continue
        assert json.loads(answer.body)["reason"] == reason, target
        line = re.compile(rf" front: {status} {reason}: .*{re.escape(detail)}")
        wait_until(lambda: line.search(example.log()), what=f"a line of {reason}")
        assert example.explained(target, token)[-1].startswith(f"{status} {reason}: {detail}"), target
    assert SECRET not in example.log() and not leaked(example.log())
    example.front.stop()
    logs = example.front.all_logs()
    assert SECRET not in logs and "GET - HTTP" in logs


def test_the_same_sub_of_two_issuers_shares_nothing(kafka, example):
    """PROTOCOL 4.9. Neither the limit of streams, nor renewals; records are another matter: /mine goes by
    the claim alone."""
    streams: dict[str, list[CurlReader]] = {}
    for of in (ONE, TWO):
        # Each responder has a limit of three: of seven one at least is told to come back.
        opened = [example.get("/mine", mint(of, sub="7")).wait_started() for _ in range(7)]
        good = [stream.retry[0] < 10_000 for stream in opened]
        assert good[:3] == [True] * 3 and not all(good), of
        streams[of] = opened[:3]
    assert example.get("/mine", mint(sub="8")).wait_started().retry[0] < 10_000
    for of, signed_by, status in ((ONE, ONE, 204), (TWO, TWO, 204), (ONE, TWO, 401), (TWO, ONE, 401)):
        said = ["-d", "", "-H", f"Content-Type: {RENEWAL}"]
        answer = example.get("/mine", mint(of, sub="7", signed_by=signed_by), *said)
        assert answer.status == status
    kafka.put(example.orders, "7", "to both")
    for of in (ONE, TWO):
        assert [stream.next().text for stream in streams[of]] == ["to both"] * 3


WRONG: dict[str, tuple[Callable[[dict], object], str]] = {
    "an unknown member": (lambda c: c["routes"][0].update(pth="/x"), "routes[0]: unknown member pth"),
    "no path": (lambda c: c["routes"][2].pop("path"), "routes[2]: no path given"),
    "no topic": (lambda c: c["routes"][2].pop("topic"), "routes[2]: no topic given"),
    "not on the list": (lambda c: c["topics"].pop("prices"), "routes[2]: topic: is not in topics: prices"),
    "a name the path lacks": (
        lambda c: c["routes"][1].update(path="/orders/{other}"),
        "routes[1]: select[0]: key: the path lacks {customer}",
    ),
    "two of one path": (
        lambda c: c["routes"].append({"path": "/raw/{x}", "topic": "orders"}),
        "routes[4]: path: another route has it: /raw/{topic}",
    ),
    "a brace": (lambda c: c["routes"][0].update(path="/m{x}"), "routes[0]: path: a {name} must be a whole segment"),
    "the rest inside": (
        lambda c: c["routes"][2].update(path="/prices/{symbol*}/x"),
        "routes[2]: path: a {name*} must be at the end",
    ),
    "no slash": (lambda c: c["routes"][0].update(path="mine"), "routes[0]: path: must begin with /"),
    "filters": (
        lambda c: c["topics"]["orders"].update(filters=["region"]),
        "filters: region: must be header:NAME or field:PATH",
    ),
    "headers": (lambda c: c["topics"]["orders"].update(headers=[""]), "headers: must not be empty"),
    "by header": (
        lambda c: c["routes"][0]["select"].append({"header:region": "{claim:regions}"}),
        "routes[0]: select",
    ),
    "an empty entry": (lambda c: c["routes"][0]["select"].append({}), "routes[0]: select"),
    "an empty list": (lambda c: c["routes"][0].update(select=[]), "routes[0]: select"),
    "a bad start": (lambda c: c["routes"][2].update({"from": "yesterday"}), "routes[2]: from: "),
    "several topics": (lambda c: c["routes"][2].update(topics=["a"]), "topics: must be left out"),
    "data": (lambda c: c["routes"][2].update(data="all"), "data: must be one of value|envelope"),
    "event": (
        lambda c: c["routes"][2].update(event="header:type"),
        "routes[2]: event: header:type must be in the filters or headers of topic prices",
    ),
    "a topic besides": (lambda c: c.update(topic="orders"), "topic: not together with routes"),
    "scopes without a guard": (lambda c: c.pop("issuers"), "only with jwks"),
}


@pytest.mark.parametrize("change, why", WRONG.values(), ids=WRONG.keys())
def test_each_mistake_has_its_line(tmp_path, change, why):
    class Nobody:
        brokers = "127.0.0.1:1"

    file = configuration(Nobody, tmp_path, "orders", "prices")
    said = json.loads(file.read_text())
    change(said)
    if "issuers" not in said:
        del said["scope"]
    file.write_text(json.dumps(said))
    done = subprocess.run([PROGRAM, "--config", file, "--check"], capture_output=True, text=True, timeout=60)
    [line] = done.stderr.splitlines()
    assert done.returncode == 2 and why in line, line

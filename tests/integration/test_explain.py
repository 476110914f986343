"""--check and --explain: what the configuration means, without a broker."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from helpers import PROGRAM
from tokens import AUDIENCE, ISSUER, SCOPE, Jwks, ec_key, in_url, leaked, rsa_key

ROUTES = [
    {"path": "/all", "topic": "orders"},
    {"path": "/raw/{topic}", "topic": "{topic}", "scopes": ["raw:read"]},
    {"path": "/of/{customer}", "topic": "orders"},
]


@pytest.fixture
def configuration(tmp_path: Path) -> dict[str, object]:
    jwks = Jwks(tmp_path / "jwks.json", rsa_key())
    return {
        "brokers": "127.0.0.1:1",
        "topics": {"orders": {}},
        "routes": ROUTES,
        "issuers": [{"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(jwks.path)}],
        "scope": [SCOPE],
    }


def ask(directory: Path, configuration: dict[str, object], *options: str) -> tuple[int, list[str]]:
    path = directory / "c.json"
    path.write_text(json.dumps(configuration))
    command = [PROGRAM, "--config", path, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    logged = re.sub(r"^sse-kafka-fanout\[\d+\] warn: ", "warning: ", done.stderr, flags=re.M)
    errors = [line for line in logged.splitlines() if not line.startswith("warning: ")]
    assert bool(errors) == (done.returncode != 0), done
    assert not leaked(done.stdout + done.stderr)
    return done.returncode, (done.stdout + logged).splitlines()


def test_check_prints_what_each_route_demands(tmp_path, configuration):
    status, said = ask(tmp_path, configuration, "--check")
    assert status == 0
    jwks = tmp_path / "jwks.json"
    assert said == [
        f"issuer {ISSUER}: audience {AUDIENCE} in aud, scopes {SCOPE} in scope, subject in sub, keys {jwks}",
        "route /all: topic orders, with a token",
        "route /raw/{topic}: the topic that is {topic}, with a token, scopes raw:read",
        "route /of/{customer}: topic orders, with a token",
        "topic orders, compact auto, cache-bytes 1073741824: routes /all /raw/{topic} /of/{customer}",
        "warning: route /of/{customer}: {customer} decides nothing",
    ]


def test_check_warns_of_routes_that_nobody_reaches(tmp_path, configuration):
    paths = ["/{topic}", "/all", "/a/{topic}", "/a//{topic}", "/%C3%A4/{topic}", "/\u00e4/{topic}", "/a/%4/{topic}"]
    configuration["routes"] = [{"path": path, "topic": "{topic}" if "{" in path else "orders"} for path in paths]
    status, said = ask(tmp_path, configuration, "--check")
    assert status == 0
    assert [line for line in said if line.startswith("warning: ")] == [
        "warning: route /all: is never taken, for /{topic} is before it and fits the same paths",
        "warning: route /a//{topic}: may never be reached: web servers fold //, . and ..",
        "warning: route /\u00e4/{topic}: may never be reached: browsers send other characters than ASCII percent-encoded, write them so",
        "warning: route /a/%4/{topic}: may never be reached: a % in it begins no escape",
    ]


def test_check_warns_of_a_topic_whose_events_have_no_name(tmp_path, configuration):
    configuration["topics"] = {"orders": {"headers": ["type"]}, "prices": {}}
    configuration["routes"] = [
        {"path": "/header/{topic}", "topic": "{topic}", "event": "header:type"},
        {"path": "/field/{topic}", "topic": "{topic}", "event": "field:type"},
    ]
    status, said = ask(tmp_path, configuration, "--check")
    assert (status, [line for line in said if line.startswith("warning: ")]) == (
        0,
        ["warning: route /header/{topic}: events of topic prices have no name, for it does not declare header:type"],
    )


def test_check_warns_of_scopes_with_a_blank(tmp_path, configuration):
    """In a claim that is a string a blank is between two scopes (RFC 8693, 4.2)."""
    configuration |= {"routes": [{"path": "/a", "topic": "orders", "scopes": ["x y", "z"]}], "scope": ["a b", "c"]}
    status, said = ask(tmp_path, configuration, "--check")
    text = "warning: scope %s: has a blank, so that a token holds it only in an array"
    assert (status, said[-2:]) == (0, [text % "a b", text % "x y"])
    status, said = ask(tmp_path, configuration | {"scope-claim": "roles"}, "--check")
    assert status == 0 and not any("blank" in line for line in said)


def test_check_of_what_the_options_say(tmp_path):
    command = [PROGRAM, "-b", "b:9092", "-t", "t", "--path", "/{p}", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "route /{p}: topic t, open to all\ntopic t, compact auto, cache-bytes 1073741824: routes /{p}\n"


def test_check_prints_what_leads_to_each_topic_and_what_it_may_hold(tmp_path, configuration):
    topics = {"orders": {"compact": "on", "cache-bytes": 600_000}, "prices": {}, "stock": {}}
    configuration |= {"topics": topics, "routes": ROUTES[:1], "cache-bytes": 1_000_000}
    status, said = ask(tmp_path, configuration, "--check")
    assert (status, said[2:]) == (
        0,
        [
            "topic orders, compact on, cache-bytes 600000: routes /all",
            "topic prices, compact auto, cache-bytes 200000: no route",
            "topic stock, compact auto, cache-bytes 200000: no route",
        ],
    )
    configuration |= {"routes": ROUTES}
    assert ask(tmp_path, configuration, "--check")[1][4:6] == [
        "topic orders, compact on, cache-bytes 600000: routes /all /raw/{topic} /of/{customer}",
        "topic prices, compact auto, cache-bytes 200000: routes /raw/{topic}",
    ]
    file = tmp_path / "token"
    file.write_text(rsa_key().mint(scope=f"{SCOPE} raw:read"))
    for topic in topics:
        options = ("--explain", f"/raw/{topic}", "--token-file", str(file))
        assert ask(tmp_path, configuration, *options)[1][-1] == f"200: a stream of topic {topic}"


@pytest.mark.parametrize("option", [["--check"], ["--explain", "/all"]])
def test_what_is_wrong_is_told_as_at_the_start(tmp_path, configuration, option):
    status, [said] = ask(tmp_path, configuration | {"topics": {}}, *option)
    assert status == 2 and "topics: must be an object" in said
    (tmp_path / "jwks.json").write_text("{")
    status, [said] = ask(tmp_path, configuration, *option)
    assert status == 2 and "jwks.json" in said
    status, [said] = ask(tmp_path, configuration, "--token-file", "x")
    assert status == 2 and "only with --explain" in said


def test_explain_says_what_a_request_would_get_and_why(tmp_path, configuration):
    file = tmp_path / "token"

    def explained(url: str, token: str | None = None) -> list[str]:
        if token is not None:
            file.write_text(token + "\n")
        options = ["--token-file", str(file)] if token is not None else []
        status, said = ask(tmp_path, configuration, "--explain", url, *options)
        assert status == 0
        return said

    good = rsa_key().mint(scope=f"{SCOPE} raw:read", sub="al\nice")
    plain = rsa_key().mint(sub=None)
    raw = "route /raw/{topic}"
    [route, value, who, start, answer] = explained("https://shop.example/raw/orders?lastEventId=x", good)
    assert start == "starts at the place of its event id, or, if it is reset, from earliest"
    assert [route, value, answer] == [raw, "{topic} is orders", "200: a stream of topic orders"]
    assert who.startswith(f"token of {ISSUER}, subject al\\x0aice, good until 20")
    [route, who, start, answer] = explained(in_url(plain).replace("/events", "/all"))
    assert who.startswith(f"token of {ISSUER}, without a subject, good until 20")
    assert start == "starts from earliest"
    assert (route, answer) == ("route /all", "200: a stream of topic orders")
    for url, token, answer in (
        ("/", good, "404 route_unknown: there is nothing at this path"),
        ("https://shop.example", good, "404 route_unknown: there is nothing at this path"),
        ("/raw/%4", good, "400 path_invalid: the path is badly encoded"),
        ("/raw/other", good, "404 topic_unknown: the topic in the path is not served"),
        ("/raw/other", plain, "403 scope_missing: the token lacks a scope"),
        ("/raw/other", None, "401 token_missing: a token is needed"),
        ("/all", rsa_key().mint(-5), "401 token_invalid: the token is expired"),
        ("/all", ec_key().mint(), "401 token_invalid: the token is of an unknown key"),
        ("/all", rsa_key().mint(iss="x"), "401 token_invalid: the token is of another issuer"),
        ("/all", rsa_key().mint(scope="x"), "403 scope_missing: the token lacks a scope"),
        ("/all", good + "A" * 8192, "401 token_too_long: the token is longer than 8192 bytes"),
        ("/all?stream=short", good, "400 stream_invalid: the stream's handle is not 32 to 64 of A-Za-z0-9_-"),
        ("/all?access_token=a&access_token=b", None, "400 token_invalid: the token is empty, given twice, or has a blank or comma in it"),
    ):
        assert explained(url, token)[-1] == answer, url
    assert "{customer} is a/b\\x00" in explained("/of/a%2Fb%00", good)
    assert explained("/raw/other", plain)[-2] == "the token lacks raw:read"


@pytest.mark.parametrize(["file", "why"], [("/nonexistent", "No such file"), ("/tmp", "Is a directory")])
def test_a_token_file_that_cannot_be_read_is_told(tmp_path, configuration, file, why):
    options = ["--explain", "/all", "--token-file", file]
    status, said = ask(tmp_path, configuration, *options)
    assert status == 2 and f"{file}: {why}" in said[-1]


def test_what_is_selected_is_told(tmp_path, configuration):
    """And that one path shows to all what another shows to each alone."""
    configuration["routes"] = ROUTES[:1] + [
        {"path": "/mine", "topic": "orders", "select": [{"key": "{claim:tenant}"}]},
        {"path": "/of/{customer}", "topic": "orders", "select": [{"key": ["{customer}", "z"]}], "from": "-5"},
        {"path": "/whole", "topic": "orders", "data": "envelope"},
    ]
    said = ask(tmp_path, configuration, "--check")[1]
    assert 'route /mine: topic orders, with a token, select [{"key":"{claim:tenant}"}]' in said
    assert 'select [{"key":["{customer}","z"]}], from -5' in said[3]
    assert said[-1] == "warning: topic orders: /mine selects by a claim, /all does not"
    file = tmp_path / "token"

    def explained(url: str, **claims: object) -> list[str]:
        file.write_text(rsa_key().mint(**claims))
        return ask(tmp_path, configuration, "--explain", url, "--token-file", str(file))[1]

    assert explained("/mine", tenant=["b", "a"])[-3:] == [
        "selects 2 key(s): a, b",
        "starts from earliest",
        "200: a stream of topic orders",
    ]
    assert explained("/of/a%0A?key=x&key=a%0A")[-3:-1] == ["selects 1 key(s): a\\x0a", "starts from -5"]
    assert explained("/of/a?from=2026-11-30T12:00:00%2B01:00")[-2] == "starts from 2026-11-30T11:00:00.000Z"
    assert explained("/whole")[-1] == "200: a stream of envelopes of topic orders"
    assert explained("/whole?data=value")[-1] == "200: a stream of topic orders"
    assert explained("/of/a?format=ndjson")[-1] == "200: a stream of JSON lines of topic orders"
    assert explained("/of/a?format=json")[-1] == "200: a document of topic orders"
    assert explained("/of/a?format=xml")[-1].startswith("400 format_invalid: ")
    assert explained("/mine?key=c", tenant="b")[-3] == "selects 0 key(s)"
    lacks = explained("/mine")
    assert lacks[-2] == "the token lacks tenant" and lacks[-1].startswith("403 claim_missing")
    assert explained("/mine?field:a=1")[-1].startswith("400 filter_unknown")


def test_check_jwks_prints_an_id_that_a_terminal_would_obey_escaped(tmp_path):
    """Keys come from elsewhere.  Each id is told apart from all others, and from none."""
    kids = ["plain", "a\nkey b", r"a\x0akey b", "\x1b[31m", "\u202e", "(none)", None, "x" * 80, "y" * 81]
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [ec_key().jwk(kid=kid) for kid in kids]}))
    done = subprocess.run([PROGRAM, "--check-jwks", path], capture_output=True, timeout=60)
    assert done.stdout.splitlines() == [
        b"key plain",
        rb"key a\x0akey b",
        rb"key a\x5cx0akey b",
        rb"key \x1b[31m",
        rb"key \xe2\x80\xae",
        b"key (none)",
        b"a key without an id",
        b"key " + b"x" * 80,
        b"key " + b"y" * 80 + b"...",
    ]

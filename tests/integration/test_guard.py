"""Who may have a stream: section 4 of the contract, over FastCGI and without a Kafka."""

import hashlib
import hmac
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fastcgi
from helpers import PROGRAM, free_port, wait_until
from responder import Responder
from sse import EVENT_STREAM, EventReader
from test_start import GOOD
from tokens import (
    AUDIENCE,
    ISSUER,
    RENEWAL,
    SCOPE,
    Jwks,
    Key,
    b64,
    b64_decode,
    bearer,
    ec_key,
    in_url,
    renew,
    rsa_key,
)


@pytest.fixture
def keys(tmp_path: Path) -> Jwks:
    return Jwks(tmp_path / "jwks.json", rsa_key(), ec_key())


@pytest.fixture
def guarded(start, keys) -> Callable[..., Responder]:
    """guarded(option..): a responder with keys and without a Kafka."""

    def start_guarded(*options: str, **parts) -> Responder:
        brokers = f"127.0.0.1:{free_port()}"
        return start("events", *keys.options(*options, **parts), brokers=brokers)

    return start_guarded


def assert_refused(answer: EventReader, status: int, challenge: str | None = None) -> None:
    """challenge: what WWW-Authenticate begins with; None: it must not be there."""
    answer.wait_end()
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert json.loads(answer.body)["status"] == status
    given = answer.headers.get("www-authenticate")
    assert given == challenge if challenge in (None, "Bearer") else given.startswith(challenge)


def assert_invalid(answer: EventReader) -> None:
    assert_refused(answer, 401, 'Bearer error="invalid_token", error_description="')


# Where a token is looked for

GOOD_WAYS = {
    "header": lambda t: ("/events", bearer(t)),
    "header, lower case": lambda t: ("/events", {"Authorization": f"bearer {t}"}),
    "header, upper case": lambda t: ("/events", {"Authorization": f"BEARER {t}"}),
    "header, more blanks": lambda t: ("/events", {"Authorization": f"Bearer   {t} "}),
    "url": lambda t: (in_url(t), {}),
    "url, last of many": lambda t: (f"/events?a=b&&access_token={t}", {}),
    "url, first of many": lambda t: (f"{in_url(t)}&lastEventId=&x", {}),
    "url, encoded": lambda t: (in_url(t.replace(".", "%2E").replace("e", "%65")), {}),
    "both": lambda t: (in_url(t), bearer(t)),
    "header, and rubbish in the url": lambda t: (in_url("rubbish"), bearer(t)),
    "url, and another scheme": lambda t: (in_url(t), {"Authorization": "Basic YTpi"}),
    "url, and a scheme that begins alike": lambda t: (in_url(t), {"Authorization": "Bearers x"}),
    "url, and an empty header": lambda t: (in_url(t), {"Authorization": ""}),
    "url, and a longer name": lambda t: (f"{in_url(t)}&access_tokens=x&xaccess_token=y", {}),
}

BAD_WAYS = {
    "nothing": (lambda t: ("/events", {}), 401),
    "another scheme": (lambda t: ("/events", {"Authorization": f"Basic {t}"}), 401),
    "no scheme": (lambda t: ("/events", {"Authorization": t}), 401),
    "cookie": (lambda t: ("/events", {"Cookie": f"access_token={t}; Authorization=Bearer {t}"}), 401),
    "another header": (lambda t: ("/events", {"X-Authorization": f"Bearer {t}"}), 401),
    "proxy's header": (lambda t: ("/events", {"Proxy-Authorization": f"Bearer {t}"}), 401),
    "name, encoded": (lambda t: (f"/events?%61ccess_token={t}", {}), 401),
    "name, underscore encoded": (lambda t: (f"/events?access%5Ftoken={t}", {}), 401),
    "name, upper case": (lambda t: (f"/events?Access_Token={t}", {}), 401),
    "name, array": (lambda t: (f"/events?access_token[]={t}", {}), 401),
    "name, after a semicolon": (lambda t: (f"/events?a=b;access_token={t}", {}), 401),
    "name, after a question mark": (lambda t: (f"/events??access_token={t}", {}), 401),
    "name, after a blank": (lambda t: (f"/events?+access_token={t}", {}), 401),
    "value, encoded twice": (lambda t: (in_url(t.replace(".", "%252E")), {}), "invalid"),
    "value, quoted": (lambda t: (in_url(f"%22{t}%22"), {}), "invalid"),
    "value, plus behind": (lambda t: (in_url(t + "+"), {}), "invalid"),
    "value, fragment behind": (lambda t: (in_url(t + "#x"), {}), "invalid"),
    "value, with the scheme": (lambda t: (in_url(f"Bearer%20{t}"), {}), 400),
    "value, NUL behind": (lambda t: (in_url(t + "%00"), {}), 400),
    "value, half an escape": (lambda t: (in_url(t + "%2"), {}), 400),
    "value, no escape": (lambda t: (in_url(t + "%zz"), {}), 400),
    "value, line end": (lambda t: (in_url(t + "%0d%0aX:y"), {}), 400),
    "value, comma": (lambda t: (in_url(f"{t},{t}"), {}), 400),
    "value, comma encoded": (lambda t: (in_url(f"{t}%2C"), {}), 400),
    "value, blank encoded": (lambda t: (in_url(f"{t}%20"), {}), 400),
    "value, empty": (lambda t: (in_url(""), {}), 400),
    "value, none": (lambda t: ("/events?access_token", {}), 400),
    "two, the same": (lambda t: (f"{in_url(t)}&access_token={t}", {}), 400),
    "two, one empty": (lambda t: (f"{in_url(t)}&access_token=", {}), 400),
    "two, one without value": (lambda t: (f"/events?access_token&access_token={t}", {}), 400),
    "header, empty": (lambda t: ("/events", {"Authorization": "Bearer"}), 400),
    "header, empty, good url": (lambda t: (in_url(t), {"Authorization": "Bearer "}), 400),
    "header, comma": (lambda t: ("/events", {"Authorization": f"Bearer {t},{t}"}), 400),
    "header, twice": (lambda t: ("/events", {"Authorization": f"Bearer {t}, Bearer {t}"}), 400),
    "header, blank": (lambda t: ("/events", {"Authorization": f"Bearer {t} x"}), 400),
    "header, tab": (lambda t: ("/events", {"Authorization": f"Bearer {t}\tx"}), 400),
    "good header, two in the url": (
        lambda t: (f"{in_url(t)}&access_token={t}", bearer(t)),
        400,
    ),
    "good header, empty url": (lambda t: (in_url(""), bearer(t)), 400),
    "bad header, good url": (lambda t: (in_url(t), bearer("x" + t)), "invalid"),
    "good url, rubbish header": (lambda t: (in_url(t), bearer("rubbish")), "invalid"),
}


def test_a_good_token_opens_a_stream_wherever_it_is_looked_for(guarded):
    """PROTOCOL 4.2, 4.3."""
    responder = guarded()
    for name, way in GOOD_WAYS.items():
        for key in (rsa_key(), ec_key()):
            target, headers = way(key.mint())
            stream = responder.send("GET", target, headers).wait_head()
            assert stream.status == 200, name
            stream.wait_started()
            assert stream.headers["content-type"] == EVENT_STREAM
            assert stream.headers["referrer-policy"] == "no-referrer"
            assert "set-cookie" not in stream.headers
            head = responder.send("HEAD", target, headers).wait_end()
            assert (head.status, head.body) == (200, b"")
            assert head.headers == stream.headers


def test_anywhere_else_it_does_not(guarded):
    """PROTOCOL 4.2, 4.3."""
    responder = guarded()
    for name, (way, expected) in BAD_WAYS.items():
        target, headers = way(rsa_key().mint())
        answer = responder.send("GET", target, headers).wait_head()
        assert answer.status != 200, name
        if expected == 401:
            assert_refused(answer, 401, "Bearer")
        elif expected == "invalid":
            assert_invalid(answer)
        else:
            assert_refused(answer, expected)
        status = answer.status
        head = responder.send("HEAD", target, headers).wait_end()
        assert (head.status, head.body) == (status, b""), name


def test_a_token_in_a_body_is_not_looked_at(guarded):
    responder = guarded()
    body = f"access_token={rsa_key().mint()}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_refused(responder.send("POST", headers=form, body=body), 401, "Bearer")
    assert_refused(
        responder.send("POST", headers={"Content-Type": RENEWAL}, body=body), 401, "Bearer"
    )
    assert_refused(responder.send("GET", headers=form, body=body), 401, "Bearer")


def test_other_methods_open_nothing(guarded):
    responder = guarded()
    good = bearer(rsa_key().mint())
    for method in ("PUT", "DELETE", "PATCH", "get", "GETS", "TRACE", "CONNECT"):
        answer = responder.send(method, headers=good)
        assert_refused(answer, 405)
        assert "POST" in answer.headers["allow"]
    assert_refused(responder.send("", headers=good), 500)  # the web server is to say it
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    answer = responder.send("OPTIONS", headers=preflight).wait_end()
    assert (answer.status, answer.body) == (204, b"")
    assert "authorization" in answer.headers["access-control-allow-headers"]
    answer = responder.send("OPTIONS").wait_end()
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


def test_a_parameter_that_decides_and_comes_twice_is_refused(guarded):
    responder = guarded()
    token = rsa_key().mint()
    base = fastcgi.cgi("GET", in_url(token), bearer(token))
    doubled = {
        "HTTP_AUTHORIZATION": ["Bearer x", base["HTTP_AUTHORIZATION"], ""],
        "QUERY_STRING": ["", base["QUERY_STRING"]],
        "REQUEST_URI": ["/events", "/other"],
        "REQUEST_METHOD": ["GET", "POST", "OPTIONS"],
        "SKF_REQUIRE_GUARD": ["0", ""],
    }
    base["SKF_REQUIRE_GUARD"] = "1"
    for name, values in doubled.items():
        for value in values:
            for pairs in ([*base.items(), (name, value)], [(name, value), *base.items()]):
                assert_refused(responder.say(fastcgi.request(pairs)), 400)


def test_what_the_front_says_of_the_path_must_agree(guarded):
    responder = guarded()
    good = bearer(rsa_key().mint())
    for target in ("//events", "/events/", "/%65vents", "/events%3F", "/Events", "/events/x", "*"):
        assert_refused(responder.send("GET", target, good), 404)
    for target in ("http://localhost/events", "/./events", "/x/../events", "events", "/events;x"):
        mixed = {"SCRIPT_NAME": "/events", "PATH_INFO": ""}
        assert_refused(responder.send("GET", target, good, params=mixed), 404)


def test_a_refusal_is_readable_for_the_pages_that_may(guarded):
    """PROTOCOL 1.15."""
    responder = guarded("--cors", "https://a.example")
    for origin, status in (("https://a.example", 401), ("https://b.example", 403)):
        answer = responder.send(headers={"Origin": origin}).wait_end()
        assert answer.status == status
        assert answer.headers["vary"] == "Origin"
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed == (origin if status == 401 else None)
        assert "access-control-allow-credentials" not in answer.headers


def test_an_open_responder_has_no_referrer_policy_and_needs_no_token(start):
    responder = start("events", brokers=f"127.0.0.1:{free_port()}")
    stream = responder.open(target=in_url("rubbish"), headers=bearer("rubbish"))
    assert "referrer-policy" not in stream.headers
    assert_refused(responder.send("POST", headers={"Content-Type": RENEWAL}), 405)


# Tokens


def wrong_signature(key: Key) -> str:
    signed, _, signature = key.mint().rpartition(".")
    raw = bytearray(b64_decode(signature))
    raw[20] ^= 1
    return f"{signed}.{b64(bytes(raw))}"


def with_signature(change: Callable[[str], str]) -> Callable[[Key], str]:
    def build(key: Key) -> str:
        signed, _, signature = key.mint().rpartition(".")
        return f"{signed}.{change(signature)}"

    return build


def hmac_signed(alg: str) -> Callable[[Key], str]:
    """The key confusion: HMAC with the public key, which everybody knows, as its secret."""

    def build(key: Key) -> str:
        signed = ".".join(key.mint(header={"alg": alg}).split(".")[:2])
        digest = hmac.new(key.pem(), signed.encode(), getattr(hashlib, f"sha{alg[2:]}"))
        return f"{signed}.{b64(digest.digest())}"

    return build


def unsigned(alg: str) -> Callable[[Key], str]:
    return lambda key: key.mint(header={"alg": alg}).rpartition(".")[0] + "."


def payload(change: Callable[[str], str]) -> Callable[[Key], str]:
    """Well signed, its payload changed as text."""

    def build(key: Key) -> str:
        header, text, _ = (b64_decode(part) for part in key.mint().split("."))
        return key.token(change(text.decode()).encode("utf-8", "surrogateescape"), header)

    return build


def header(change: Callable[[str], str]) -> Callable[[Key], str]:
    def build(key: Key) -> str:
        text, body, _ = (b64_decode(part) for part in key.mint().split("."))
        return key.token(body, change(text.decode()))

    return build


def claim(**claims) -> Callable[[Key], str]:
    return lambda key: key.mint(**claims)


def late(**claims: float) -> Callable[[Key], str]:
    """Claims in seconds from now."""
    return lambda key: key.mint(**{name: time.time() + by for name, by in claims.items()})


def exp_text(text: str) -> Callable[[Key], str]:
    return lambda key: payload(lambda old: old.replace('"exp":5', f'"exp":{text}'))(
        _Fixed(key, exp=5)
    )


class _Fixed:
    """A key whose tokens all have some claims."""

    def __init__(self, key: Key, **claims):
        self.key, self.claims, self.token = key, claims, key.token

    def mint(self, **claims) -> str:
        return self.key.mint(**self.claims | claims)


HOSTILE: dict[str, Callable[[Key], str]] = {
    # the signature
    "a wrong signature": wrong_signature,
    "another key's signature": lambda key: Key(
        rsa_key("other").private, key.kid, "RS256"
    ).mint(header={"alg": key.alg}),
    "no signature": with_signature(lambda s: ""),
    "signature of another token": lambda key: with_signature(
        lambda s: key.mint(sub="eve").rpartition(".")[2]
    )(key),
    "signature, padded": with_signature(lambda s: s + "="),
    "signature, padded twice": with_signature(lambda s: s + "=="),
    "signature, dot behind": with_signature(lambda s: s + "."),
    "signature, ! behind": with_signature(lambda s: s + "!"),
    "signature, standard alphabet": with_signature(
        lambda s: (s[:-2] + "-_").replace("-", "+").replace("_", "/")
    ),
    "signature, unused bits": with_signature(
        lambda s: s[:-1] + chr(ord(s[-1]) + 1) if s[-1] in "AQgw" else s[:-1] + "B"
    ),
    "signature, one byte less": with_signature(lambda s: b64(b64_decode(s)[:-1])),
    "signature, all zero": with_signature(lambda s: b64(bytes(len(b64_decode(s))))),
    "payload changed": lambda key: ".".join(
        part if n != 1 else b64(b64_decode(part).replace(b"alice", b"alicf"))
        for n, part in enumerate(key.mint().split("."))
    ),
    # the algorithm
    "alg HS256 with the public key": hmac_signed("HS256"),
    "alg HS384 with the public key": hmac_signed("HS384"),
    "alg HS512 with the public key": hmac_signed("HS512"),
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg NONE": unsigned("NONE"),
    "alg empty": unsigned(""),
    "alg none, signed": lambda key: key.mint(header={"alg": "none"}),
    "alg lower case": lambda key: key.mint(header={"alg": key.alg.lower()}),
    "alg missing": lambda key: key.mint(header={"alg": None}),
    "alg a number": lambda key: key.mint(header={"alg": 256}),
    "alg a list": lambda key: key.mint(header={"alg": [key.alg]}),
    "alg EdDSA": lambda key: key.mint(header={"alg": "EdDSA"}),
    "alg of the other type": lambda key: key.mint(
        header={"alg": "ES256" if key.alg == "RS256" else "RS256"}
    ),
    "alg with another hash": lambda key: key.mint(header={"alg": key.alg[:2] + "384"}),
    "alg twice": header(lambda text: text.replace("{", '{"alg":"none",', 1)),
    # the header
    "typ of an id token": lambda key: key.mint(header={"typ": "id+jwt"}),
    "typ a number": lambda key: key.mint(header={"typ": 1}),
    "typ empty": lambda key: key.mint(header={"typ": ""}),
    "typ of a nested token": lambda key: key.mint(header={"typ": "JWE"}),
    "crit": lambda key: key.mint(header={"crit": ["foo"], "foo": 1}),
    "crit, empty": lambda key: key.mint(header={"crit": []}),
    "crit b64": lambda key: key.mint(header={"crit": ["b64"], "b64": False}),
    "kid unknown": lambda key: key.mint(header={"kid": "unknown"}),
    "kid of a file": lambda key: key.mint(header={"kid": "../../../../etc/passwd"}),
    "kid of the other key": lambda key: key.mint(
        header={"kid": "ec" if key.kid == "rsa" else "rsa"}
    ),
    "kid empty": lambda key: key.mint(header={"kid": ""}),
    "kid a number": lambda key: key.mint(header={"kid": 1}),
    "kid a list": lambda key: key.mint(header={"kid": [key.kid]}),
    "its own key in the header": lambda key: rsa_key("other").mint(
        header={"kid": None, "jwk": rsa_key("other").jwk()}
    ),
    "header an array": lambda key: key.token({"sub": "x"}, "[]"),
    "header not JSON": lambda key: key.token({"sub": "x"}, "{"),
    "header empty": lambda key: "." + ".".join(key.mint().split(".")[1:]),
    "header with a NUL": header(lambda text: text + "\0"),
    # the payload
    "payload empty": lambda key: key.mint().split(".")[0] + ".." + key.mint().split(".")[2],
    "payload an array": payload(lambda text: f"[{text}]"),
    "payload a string": payload(lambda text: '"x"'),
    "payload null": payload(lambda text: "null"),
    "payload, NUL behind": payload(lambda text: text + "\0garbage"),
    "payload, text behind": payload(lambda text: text + "{}"),
    "payload, BOM": payload(lambda text: "\ufeff" + text),
    "payload, not UTF-8": payload(lambda text: text.replace("alice", "\udcff")),
    "payload, NUL in a string": payload(lambda text: text.replace("alice", "alice\\u0000x")),
    "payload, deep": payload(lambda text: text[:-1] + ',"a":' + "[" * 2500 + "]" * 2500 + "}"),
    "claim twice": payload(lambda text: text.replace("{", '{"sub":"eve",', 1)),
    "claim twice, below": payload(lambda text: text.replace("{", '{"a":{"b":1,"b":2},', 1)),
    "payload with padding": lambda key: key.mint().replace(".", "=.", 1),
    "two segments": lambda key: key.mint().rpartition(".")[0],
    "four segments": lambda key: key.mint() + ".e30",
    "five segments": lambda key: key.mint() + ".e30.e30",
    "one segment": lambda key: "eyJhbGciOiJub25lIn0",
    "two dots": lambda key: "..",
    "larger than 8192": lambda key: key.mint(fill="x" * 8192),
    "larger than 8192, of dots": lambda key: "." * 8193,
    "20 KB": lambda key: key.mint(fill="x" * 20000),
    # the claims
    "exp missing": claim(exp=None),
    "exp a string": claim(exp="9999999999"),
    "exp true": claim(exp=True),
    "exp null": payload(lambda text: text.replace('"exp":', '"exp":null,"e":')),
    "exp a list": claim(exp=[9999999999]),
    "exp negative": claim(exp=-1),
    "exp 0": claim(exp=0),
    "exp 2^63": exp_text("9223372036854775808"),
    "exp 1e400": exp_text("1e400"),
    "exp 1e300": exp_text("1e300"),
    "exp NaN": exp_text("NaN"),
    "exp a second ago": late(exp=-1),
    "exp in milliseconds": lambda key: key.mint(exp=int(time.time() * 1000 + 60_000)),
    "nbf in the future": late(nbf=60),
    "nbf a string": claim(nbf="0"),
    "nbf null": payload(lambda text: text.replace("{", '{"nbf":null,', 1)),
    "nbf negative": claim(nbf=-1),
    "iss missing": claim(iss=None),
    "iss another": claim(iss="https://evil.example.com"),
    "iss with a slash": claim(iss=ISSUER + "/"),
    "iss upper case": claim(iss=ISSUER.upper()),
    "iss a list": claim(iss=[ISSUER]),
    "iss empty": claim(iss=""),
    "aud missing": claim(aud=None),
    "aud another": claim(aud="https://other.example.com"),
    "aud begins alike": claim(aud=AUDIENCE + "x"),
    "aud a list of others": claim(aud=["a", "b", 1, None, [AUDIENCE]]),
    "aud an empty list": claim(aud=[]),
    "aud an object": claim(aud={AUDIENCE: 1}),
    "sub empty": claim(sub=""),
    "sub a number": claim(sub=1),
    "sub null": payload(lambda text: text.replace('"alice"', "null")),
}

LACKING = {
    "scope missing": claim(scope=None),
    "scope another": claim(scope="proxy:other"),
    "scope empty": claim(scope=""),
    "scope begins alike": claim(scope="proxy:streams proxy:strea"),
    "scope upper case": claim(scope=SCOPE.upper()),
    "scope with a comma": claim(scope=f"{SCOPE},x"),
    "scope with a tab": claim(scope=f"a\t{SCOPE}"),
    "scope in a list of one": claim(scope=[f"x {SCOPE}"]),
    "scope an empty list": claim(scope=[]),
    "scope an object": claim(scope={SCOPE: True}),
    "scope below": claim(scope=[[SCOPE]]),
    "scope in scp": claim(scope=None, scp=SCOPE),
}

FRIENDLY: dict[str, Callable[[Key], str]] = {
    "no typ": lambda key: key.mint(header={"typ": None}),
    "typ jwt": lambda key: key.mint(header={"typ": "jwt"}),
    "typ at+jwt": lambda key: key.mint(header={"typ": "at+jwt"}),
    "typ AT+JWT": lambda key: key.mint(header={"typ": "AT+JWT"}),
    "typ application/at+jwt": lambda key: key.mint(header={"typ": "application/at+jwt"}),
    "no kid": lambda key: key.mint(header={"kid": None}),
    "no sub": claim(sub=None),
    "no iat": claim(iat=None),
    "aud a list": claim(aud=["x", AUDIENCE]),
    "scope one of many": claim(scope=f"a {SCOPE} b"),
    "scope a list": claim(scope=["a", SCOPE]),
    "exp a real number": late(exp=3600.5),
    "exp far away": claim(exp=253402300799),
    "nbf now": late(nbf=0),
    "nbf of a clock that is ahead": late(nbf=9),
    "an integer beyond 2^63": payload(lambda text: text.replace("{", '{"uid":18446744073709551615,', 1)),
    "1e400": payload(lambda text: text.replace("{", '{"x":[1e400,-1e999],', 1)),
    "an escaped NUL": payload(lambda text: text.replace("{", '{"x":"\\u0000","\\u0000":1,', 1)),
    "half a surrogate pair": payload(lambda text: text.replace("{", '{"x":"\\ud800\\udfff\\udfff",', 1)),
    "unknown claims": claim(fill="x" * 4000, deep={"a": [1, {"b": None}]}),
    "blanks in the JSON": payload(lambda text: " " + text.replace(",", " ,\n ")),
}


def test_hostile_tokens_open_nothing(guarded):
    """PROTOCOL 4.4, 4.5, 4.6."""
    responder = guarded()
    for key in (rsa_key(), ec_key()):
        for name, build in HOSTILE.items():
            token = build(key)
            answer = responder.send("GET", in_url(token)).wait_head()
            assert answer.status != 200, f"{name} ({key.alg}): {token[:200]}"
            if len(token) < 16000:  # a front's limit would come first
                assert_invalid(answer)
            assert renew(responder, token) != 204, f"{name}, renewing"
        for name, build in LACKING.items():
            answer = responder.send("GET", in_url(build(key)))
            assert_refused(answer, 403, 'Bearer error="insufficient_scope"')
            assert renew(responder, build(key)) == 403, name
    assert responder.open(target=in_url(rsa_key().mint())).status == 200


def test_unusual_tokens_are_good(guarded):
    """PROTOCOL 4.5."""
    responder = guarded()
    for key in (rsa_key(), ec_key()):
        for name, build in FRIENDLY.items():
            token = build(key)
            answer = responder.send("GET", in_url(token)).wait_head()
            assert answer.status == 200, f"{name} ({key.alg}): {answer.body}"


ALGORITHMS = [f"{family}{bits}" for family in ("RS", "PS") for bits in (256, 384, 512)]


def test_every_algorithm_of_a_key_without_alg(start, keys):
    """PROTOCOL 4.4."""
    curves = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
    ecs = [ec_key(curve, curve, alg) for curve, alg in curves.items()]
    keys.write(rsa_key().jwk(alg=None), *(key.jwk(alg=None) for key in ecs))
    responder = start("events", *keys.options(), brokers=f"127.0.0.1:{free_port()}")
    for key, algorithms in [(rsa_key(), ALGORITHMS), *((key, [key.alg]) for key in ecs)]:
        for alg in algorithms:
            for typ in ("JWT", "at+jwt"):
                good = Key(key.private, key.kid, alg).mint(header={"typ": typ})
                assert responder.open(target=in_url(good)).status == 200, alg
                signed, _, signature = good.rpartition(".")
                raw = bytearray(b64_decode(signature))
                raw[-1] ^= 1
                bad = f"{signed}.{b64(bytes(raw))}"
                assert_invalid(responder.send("GET", in_url(bad)))
        for alg in {"ES256", "ES384", "ES512"} - set(algorithms):
            if key is not rsa_key():
                assert_invalid(responder.send("GET", in_url(key.mint(header={"alg": alg}))))


def test_the_other_form_of_an_ecdsa_signature_is_no_way_around(guarded):
    """(r, n - s) is as valid as (r, s): both may come in, but a wrong one must not."""
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    responder = guarded()
    token = ec_key().mint()
    signed, _, signature = token.rpartition(".")
    raw = b64_decode(signature)
    s = int.from_bytes(raw[32:], "big")
    twin = f"{signed}.{b64(raw[:32] + (n - s).to_bytes(32, 'big'))}"
    for known in (twin, token, twin):
        assert responder.open(target=in_url(known)).status == 200
    wrong = f"{signed}.{b64(raw[:32] + (s - 1).to_bytes(32, 'big'))}"
    assert_invalid(responder.send("GET", in_url(wrong)))


def test_a_token_that_was_good_is_not_good_for_ever(guarded):
    responder = guarded("--challenge", "1")
    token = rsa_key().mint(4)
    stream = responder.open(target=in_url(token))
    responder.open(target=in_url(token)).close()
    stream.wait_end()
    assert_invalid(responder.send("GET", in_url(token)))


def test_leeway_is_for_both_ends_of_a_tokens_time(guarded, note):
    responder = guarded("--leeway", "4", "--challenge", "1")
    began = time.monotonic()
    stream = responder.open(target=in_url(late(exp=-0.5)(rsa_key())))
    assert stream.next().event == "challenge"
    assert responder.open(target=in_url(late(nbf=3.5)(rsa_key()))).status == 200
    assert_invalid(responder.send("GET", in_url(late(nbf=60)(rsa_key()))))
    assert_invalid(responder.send("GET", in_url(late(exp=-4.1)(rsa_key()))))
    stream.wait_end()
    ended = time.monotonic() - began
    note("end of a leeway, expected 3.5 s, was s", round(ended, 2))
    assert 3.4 < ended < 7


def test_scopes_at_another_place_must_all_be_there(guarded):
    place = ["--scope", "write", "--scope-claim", "realm_access.roles"]
    responder = guarded(*place)
    good = {"realm_access": {"roles": [SCOPE, "write", "x"]}}
    assert responder.open(target=in_url(rsa_key().mint(**good))).status == 200
    flat = {"realm_access.roles": f"write {SCOPE}"}
    assert responder.open(target=in_url(rsa_key().mint(**flat))).status == 200
    for roles in ([SCOPE], ["write"], [], None, "x"):
        token = rsa_key().mint(realm_access={"roles": roles}, scope=f"write {SCOPE}")
        assert_refused(responder.send("GET", in_url(token)), 403, "Bearer error=")
    for access in (None, "x", [SCOPE, "write"]):
        token = rsa_key().mint(realm_access=access)
        assert_refused(responder.send("GET", in_url(token)), 403, "Bearer error=")


def test_without_a_scope_demanded_none_is_needed(guarded):
    responder = guarded(scope=None)
    assert responder.open(target=in_url(rsa_key().mint(scope=None))).status == 200


def test_the_demo_key_is_refused_unless_allowed(start, keys):
    keys.write(ec_key(), ec_key("demo-insecure"))
    assert "demo-insecure" in refused_start(*keys.options())
    keys_and_demo = keys.options("--allow-demo-key")
    responder = start("events", *keys_and_demo, brokers=f"127.0.0.1:{free_port()}")
    assert responder.open(target=in_url(ec_key("demo-insecure").mint())).status == 200


# A front that demands the guard


def test_a_front_can_demand_the_guard(start, guarded):
    """PROTOCOL 10.6."""
    unguarded = start("events", brokers=f"127.0.0.1:{free_port()}")
    good = bearer(rsa_key().mint())
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        demanded = {"SKF_REQUIRE_GUARD": "1"}
        answer = unguarded.send(method, headers=good | {"Content-Type": RENEWAL}, params=demanded)
        assert answer.wait_end().status == 500
        assert method == "HEAD" or b"no keys" in answer.body
    assert unguarded.open(params={"SKF_REQUIRE_GUARD": "0"}).status == 200
    assert unguarded.open(headers={"Skf-Require-Guard": "1"}).status == 200
    with_keys = guarded()
    for value in ("1", "0", "yes"):
        demanded = {"SKF_REQUIRE_GUARD": value}
        assert_refused(with_keys.send(params=demanded), 401, "Bearer")
        assert with_keys.open(headers=good, params=demanded).status == 200


# The start


def start_of(*options: str, **environment: str) -> list[str]:
    """What a start that has to be refused says."""
    done = subprocess.run(
        [str(PROGRAM), *GOOD, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )
    assert done.returncode == 2, done
    return done.stderr.splitlines()


def refused_start(*options: str, **environment: str) -> str:
    said = start_of(*options, **environment)
    assert len(said) == 1, said
    return said[0]


HALVES = {
    "no issuer": ["--jwks", "JWKS", "--audience", "A"],
    "no audience": ["--jwks", "JWKS", "--issuer", "I"],
    "only keys": ["--jwks", "JWKS"],
    "no keys": ["--issuer", "I", "--audience", "A"],
    "only an issuer": ["--issuer", "I"],
    "only an audience": ["--audience", "A"],
    "only a scope": ["--scope", "S"],
    "only the demo": ["--allow-demo-key"],
    "only another place of the scope": ["--scope-claim", "scp"],
    "only a challenge": ["--challenge", "5"],
    "only a leeway": ["--leeway", "5"],
    "empty keys": ["--jwks", "", "--issuer", "I", "--audience", "A"],
    "empty issuer": ["--jwks", "JWKS", "--issuer", "", "--audience", "A"],
    "empty audience": ["--jwks", "JWKS", "--issuer", "I", "--audience", ""],
    "empty scope": ["--jwks", "JWKS", "--issuer", "I", "--audience", "A", "--scope", ""],
    "no such file": ["--jwks", "/nonexistent", "--issuer", "I", "--audience", "A"],
    "a directory": ["--jwks", "/", "--issuer", "I", "--audience", "A"],
    "challenge 0": ["--jwks", "JWKS", "--issuer", "I", "--audience", "A", "--challenge", "0"],
    "leeway -1": ["--jwks", "JWKS", "--issuer", "I", "--audience", "A", "--leeway", "-1"],
}


@pytest.mark.parametrize("options", HALVES.values(), ids=HALVES.keys())
def test_half_a_configuration_ends_the_start(keys, tmp_path, options):
    (tmp_path / "peers").mkdir(mode=0o700)
    places = {"JWKS": str(keys.path), "PEERS": str(tmp_path / "peers")}
    refused_start(*(places.get(option, option) for option in options))


BROKEN_JWKS = {
    "empty": "",
    "not JSON": "{",
    "an array": "[]",
    "no keys": "{}",
    "keys an object": '{"keys":{}}',
    "no key in it": '{"keys":[]}',
    "half written": '{"keys":[{"kty":"RSA","kid":"a",',
    "text behind": '{"keys":[]}{}',
}


UNUSABLE_KEYS = {
    "RSA of 1024 bits": lambda: rsa_key("weak", 1024).jwk(),
    "symmetric": lambda: {"kty": "oct", "kid": "k", "alg": "HS256", "k": b64(b"x" * 32)},
    "for encryption": lambda: rsa_key().jwk(use="enc"),
    "use of no known kind": lambda: rsa_key().jwk(use=1),
    "not for verifying": lambda: rsa_key().jwk(use=None, key_ops=["sign"]),
    "alg for encryption": lambda: rsa_key().jwk(alg="RSA-OAEP"),
    "alg none": lambda: rsa_key().jwk(alg="none"),
    "alg HS256": lambda: rsa_key().jwk(alg="HS256"),
    "alg of another type": lambda: rsa_key().jwk(alg="ES256"),
    "alg of another curve": lambda: ec_key().jwk(alg="ES384"),
    "no modulus": lambda: rsa_key().jwk(n=""),
    "modulus padded": lambda: rsa_key().jwk(n="AAAA="),
    "exponent 1": lambda: rsa_key().jwk(e="AQ"),
    "exponent even": lambda: rsa_key().jwk(e="AQAA"),
    "curve unknown": lambda: ec_key().jwk(crv="secp256k1", alg=None),
    "curve of another size": lambda: ec_key().jwk(crv="P-384", alg=None),
    "point not on the curve": lambda: ec_key().jwk(y=ec_key().jwk()["x"]),
    "point at infinity": lambda: ec_key().jwk(x=b64(bytes(32)), y=b64(bytes(32))),
    "coordinate too short": lambda: ec_key().jwk(x=b64(b"\1" * 31)),
    "coordinate too long": lambda: ec_key().jwk(x=b64(bytes(1) + b64_decode(ec_key().jwk()["x"]))),
    "for an agreement": lambda: {"kty": "OKP", "crv": "X25519", "kid": "e", "x": b64(b"x" * 32)},
    "kid a number": lambda: rsa_key().jwk(kid=5),
}


def test_broken_key_files_end_the_start(keys):
    for name, text in BROKEN_JWKS.items():
        keys.path.write_text(text)
        assert str(keys.path) in refused_start(*keys.options()), name
    for name, build in UNUSABLE_KEYS.items():
        keys.write(build())
        passed_over, refused = start_of(*keys.options())
        assert "passed over" in passed_over and "no usable key" in refused, name
    keys.path.write_text(json.dumps({"keys": [rsa_key().jwk()], "x": "y" * (1 << 21)}))
    refused_start(*keys.options())


def test_keys_that_are_no_use_are_passed_over(start, keys):
    keys.write(*(build() for build in UNUSABLE_KEYS.values()), rsa_key("good"), ec_key("good2"))
    responder = start("events", *keys.options(), brokers=f"127.0.0.1:{free_port()}")
    for key in (rsa_key("good"), ec_key("good2")):
        assert responder.open(target=in_url(key.mint())).status == 200
    for key in (rsa_key("weak", 1024), rsa_key(), ec_key()):
        assert_invalid(responder.send("GET", in_url(key.mint())))


def test_keys_come_from_all_the_files(start, keys, tmp_path):
    more = Jwks(tmp_path / "more.json", ec_key("second"))
    both = keys.options("--jwks", str(more.path))
    responder = start("events", *both, brokers=f"127.0.0.1:{free_port()}")
    for key in (rsa_key(), ec_key("second")):
        assert responder.open(target=in_url(key.mint())).status == 200
    more.write(ec_key("second"), ec_key("rsa"))  # a kid that the other file has, too
    responder = start("events", *both, brokers=f"127.0.0.1:{free_port()}")
    for key in (rsa_key(), ec_key("second"), ec_key("rsa")):
        assert responder.open(target=in_url(key.mint())).status == 200


def test_a_token_without_kid_is_tried_with_four_keys_that_fit(start, keys):
    others = [ec_key(f"other{n}") for n in range(4)]
    keys.write(rsa_key(), *others[:3], ec_key())
    responder = start("events", *keys.options(), brokers=f"127.0.0.1:{free_port()}")
    nameless = ec_key().mint(header={"kid": None})
    assert responder.open(target=in_url(nameless)).status == 200
    keys.write(rsa_key(), *others, ec_key())
    responder = start("events", *keys.options(), brokers=f"127.0.0.1:{free_port()}")
    assert_invalid(responder.send("GET", in_url(nameless)))
    assert responder.open(target=in_url(ec_key().mint())).status == 200


def test_the_directory_of_the_pool_must_be_ours_alone(keys, tmp_path, guarded):
    good = tmp_path / "good"
    good.mkdir(mode=0o700)
    file, link, open_, group = (tmp_path / name for name in ("file", "link", "open", "group"))
    file.touch(mode=0o700)
    link.symlink_to(good)
    open_.mkdir()
    open_.chmod(0o755)
    group.mkdir()
    group.chmod(0o710)
    wrong = [tmp_path / "none", file, link, open_, group]
    if os.geteuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir(mode=0o700)
        os.chown(foreign, 65534, 65534)
        wrong.append(foreign)
    for directory in wrong:
        assert str(directory) in refused_start(*keys.options("--peer-dir", str(directory)))
        assert str(directory) in refused_start(*keys.options(), RUNTIME_DIRECTORY=str(directory))
    long = tmp_path / ("d" * 100)  # longer than the address of a socket
    long.mkdir(mode=0o700)
    for directory in (good, long):
        responder = guarded("--peer-dir", str(directory))
        wait_until(lambda: len(list(directory.iterdir())) == 3, what="its sockets and its metrics")
        responder.stop()
        assert not list(directory.iterdir())

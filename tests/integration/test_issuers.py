"""Several issuers: each token by the keys of its own alone, and no subject is another's."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import free_port, wait_until
from responder import Responder
from sse import pump
from test_guard import assert_invalid, assert_refused, refused_start
from test_health import readiness
from test_renewal import WINDOW, assert_end, at_responder, peers, sockets  # noqa: F401
from tokens import AUDIENCE, SCOPE, Jwks, bearer, ec_key, renew, send_renewal

ONE, TWO = "https://one.example.com", "https://two.example.com/realms/a"
# The same kid in both sets: it says nothing of whose a key is.
KEYS = {ONE: ec_key("k"), TWO: ec_key("k", "P-384", "ES384")}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Jwks]:
    return {name: Jwks(tmp_path / f"{i}.json", KEYS[name]) for i, name in enumerate(KEYS)}


def configuration(directory: Path, files: dict[str, Jwks], **members: object) -> list[str]:
    path = directory / "issuers.json"
    issuers = [
        {"issuer": name, "audience": AUDIENCE, "jwks": str(files[name].path)} for name in files
    ]
    path.write_text(json.dumps({"issuers": issuers, "scope": [SCOPE]} | members))
    return ["--config", str(path)]


@pytest.fixture
def pool(start, files, tmp_path, peers) -> Callable[..., list[Responder]]:  # noqa: F811
    def start_pool(n: int, *options: str, **members: object) -> list[Responder]:
        said = configuration(tmp_path, files, **members)
        said += ["--challenge", str(WINDOW), "--peer-dir", str(peers), *options]
        started = [start("events", *said, brokers=f"127.0.0.1:{free_port()}") for _ in range(n)]
        wait_until(lambda: len(sockets(peers)) == n, what="the pool")
        return started

    return start_pool


def mint(issuer: str, ttl: float = 60, signed_by: str = "", **claims: object) -> str:
    return KEYS[signed_by or issuer].mint(ttl, iss=issuer, **({"sub": "7"} | claims))


def test_a_token_is_verified_by_the_keys_of_its_issuer_alone(pool):
    """PROTOCOL 4.5."""
    [responder] = pool(1)
    for issuer, other in ((ONE, TWO), (TWO, ONE)):
        for _ in range(2):
            assert responder.open(headers=bearer(mint(issuer))).status == 200
            assert_invalid(responder.send(headers=bearer(mint(issuer, signed_by=other))))
        without_kid = KEYS[other].mint(header={"kid": None}, iss=issuer)
        assert_invalid(responder.send(headers=bearer(without_kid)))
    for iss in ("https://three.example.com", "", None, [ONE, TWO], ONE + "/", {"x": ONE}, 7):
        for key in KEYS.values():
            assert_invalid(responder.send(headers=bearer(key.mint(iss=iss))))


def test_the_same_sub_of_two_issuers_is_two_subjects_in_limits(pool):
    """PROTOCOL 4.9."""
    [responder] = pool(1, "--max-streams-per-subject", "1")
    opened = [responder.open(headers=bearer(mint(iss))) for iss in (ONE, TWO, ONE, TWO)]
    told_to_come_back = [answer.retry[0] >= 10000 for answer in opened]
    assert told_to_come_back == [False, False, True, True]


def test_the_same_sub_of_two_issuers_is_two_subjects_in_renewals(pool):
    """Whichever responder gets the renewal, with a selector and without one. PROTOCOL 4.9, 5.3."""
    here, there = pool(2)
    ones, twos = ([mint(iss, WINDOW + 1) for _ in range(2)] for iss in (ONE, TWO))
    kept, over = (
        [
            stream
            for responder in (here, there)
            for stream in (at_responder(responder, a, url=False), at_responder(responder, b))
        ]
        for a, b in (ones, twos)
    )
    pump(kept + over, lambda: all(stream.events for stream in kept + over))
    assert renew(here, mint(ONE)) == 204
    assert renew(there, mint(ONE), ones[1]) == 204
    assert_refused(send_renewal(here, mint(ONE), twos[1]), 403)
    assert_invalid(send_renewal(here, mint(TWO, signed_by=ONE), twos[1]))
    assert_invalid(send_renewal(there, mint(TWO, signed_by=ONE)))
    pump(kept + over, lambda: all(stream.ended for stream in over))
    assert not any(stream.ended for stream in kept)
    for stream in over:
        assert_end(stream, twos[0])


def test_renewals_are_limited_by_issuer_and_sub(pool):
    here, there = pool(2)

    def tried() -> bool:
        said = [renew(here, mint(ONE)) for _ in range(15)]
        return 429 in said and renew(there, mint(TWO)) == 204 and renew(here, mint(TWO)) == 204

    wait_until(tried, what="more than ten renewals within one second")


def test_each_issuer_says_what_its_tokens_hold(start, files, tmp_path):
    own = {"scope": ["read", "stream"], "scope-claim": "scp", "audience-claim": "client_id"}
    one, two = ({"issuer": name, "jwks": str(files[name].path)} for name in files)
    issuers = [one | {"audience": AUDIENCE}, two | {"audience": "app"} | own]
    said = configuration(tmp_path, files, issuers=issuers)
    responder = start("events", *said, brokers=f"127.0.0.1:{free_port()}")
    good = {"client_id": "app", "scp": ["read", "stream"], "aud": None, "scope": None}
    assert responder.open(headers=bearer(mint(ONE))).status == 200
    assert responder.open(headers=bearer(mint(TWO, **good))).status == 200
    assert_invalid(responder.send(headers=bearer(mint(ONE, **good))))
    assert_invalid(responder.send(headers=bearer(mint(TWO))))
    assert_refused(responder.send(headers=bearer(mint(TWO, **good | {"scp": ["read"]}))), 403, "Bearer error=")


def test_a_broken_file_is_told_with_its_issuer_and_costs_nobody_else(pool, files):
    [responder] = pool(1)

    def details() -> str:
        [one] = readiness(responder)["responders"]
        return one["details"].get("keys_broken", "")

    files[TWO].path.write_text("{")
    wait_until(lambda: details().endswith(f": issuer {TWO}"))
    assert f"stay in use for {TWO}" in responder.text()
    new = ec_key("new")
    files[ONE].write(new)
    wait_until(lambda: re.search(f"1 key.s. of {ONE}", responder.text()))
    assert responder.open(headers=bearer(new.mint(iss=ONE))).status == 200
    assert_invalid(responder.send(headers=bearer(mint(ONE))))
    assert responder.open(headers=bearer(mint(TWO))).status == 200
    files[TWO].write(KEYS[TWO])
    wait_until(lambda: details() == "")


REFUSED = {
    "none": ([], "one at least"),
    "no array": ({}, "array of objects"),
    "no audience": ([{"issuer": "i", "jwks": "JWKS"}], "issuers[0]: no audience given"),
    "no keys": ([{"issuer": "i", "audience": "a"}], "issuers[0]: no jwks given"),
    "no name": ([{"audience": "a", "jwks": "JWKS"}], "issuers[0]: no issuer given"),
    "unknown": ([{"isuer": "i"}], "issuers[0]: unknown member isuer"),
    "twice": ([{"issuer": "i", "audience": "a", "jwks": "JWKS"}] * 2, "i is named twice"),
    "no file": ([{"issuer": "i", "audience": "a", "jwks": "/nonexistent"}], "/nonexistent"),
}


@pytest.mark.parametrize("issuers, why", REFUSED.values(), ids=REFUSED.keys())
def test_half_an_issuer_ends_the_start(files, tmp_path, issuers, why):
    path = tmp_path / "c.json"
    text = json.dumps({"issuers": issuers}).replace("JWKS", str(files[ONE].path))
    path.write_text(text)
    assert why in refused_start("--config", str(path))


@pytest.mark.parametrize("option", ["--issuer", "--audience", "--jwks"])
def test_issuers_and_an_option_for_one_end_the_start(files, tmp_path, option):
    said = refused_start(*configuration(tmp_path, files), option, "x")
    assert f"{option[2:]}: not together with issuers" in said

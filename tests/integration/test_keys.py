"""Keys that change under open streams."""

import itertools
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import free_port, wait_until
from responder import Responder
from tokens import (
    CHALLENGE,
    Jwks,
    Key,
    b64,
    b64_decode,
    ec_key,
    ed25519_key,
    in_url,
    jwks,
    renew,
    rsa_key,
)

WINDOW = 5
LATE = 4  # what a busy machine may add; the figures themselves are noted
OLD, NEW = rsa_key("old"), ec_key("new")


@pytest.fixture
def keys(tmp_path: Path) -> Jwks:
    return Jwks(tmp_path / "jwks.json", OLD)


@pytest.fixture
def responder(start, keys) -> Responder:
    options = keys.options("--challenge", str(WINDOW))
    return start("events", *options, brokers=f"127.0.0.1:{free_port()}")


def status(responder: Responder, token: str) -> int:
    return responder.send("GET", in_url(token)).wait_head().status


def reload(responder: Responder) -> None:
    """As `systemctl reload` does, for those who don't want to wait two seconds."""
    said = responder.text().count(" guard: ")
    os.kill(responder.pid, signal.SIGHUP)
    wait_until(lambda: responder.text().count(" guard: ") > said)


# How the file changes; all must be seen


def by_rename(keys: Jwks, *wanted: Key) -> None:
    keys.write(*wanted)


def in_place(keys: Jwks, *wanted: Key) -> None:
    keys.path.write_text(jwks(*wanted))


def by_symlink(keys: Jwks, *wanted: Key) -> None:
    """As Kubernetes does it: the link's own directory never changes its name."""
    directory = keys.path.parent / f"version-{time.monotonic_ns()}"
    directory.mkdir()
    (directory / "jwks.json").write_text(jwks(*wanted))
    link = keys.path.parent / "link.new"
    link.symlink_to(directory / "jwks.json")
    os.replace(link, keys.path)


def half_written(keys: Jwks, *wanted: Key) -> None:
    """A slow download, in the middle of which the file is looked at."""
    text = jwks(*wanted)
    with open(keys.path, "w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(2.5)  # it is looked at every two seconds
        file.write(text[len(text) // 2 :])


def same_size_same_time(keys: Jwks, *wanted: Key) -> None:
    """Only the inode tells."""
    seen = keys.path.stat()
    keys.write(*wanted)
    os.utime(keys.path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


@pytest.mark.parametrize(
    "change", [by_rename, in_place, by_symlink, half_written, same_size_same_time]
)
def test_a_change_is_seen(responder, keys, change, note):
    old, new = OLD.mint(), NEW.mint()
    assert status(responder, old) == 200
    assert status(responder, new) == 401
    began = time.monotonic()
    change(keys, NEW)
    wait_until(lambda: status(responder, new) == 200, timeout=20)
    note("seen after s", round(time.monotonic() - began, 1))
    assert status(responder, old) == 401, "it was remembered, but its key is gone"
    assert status(responder, OLD.mint()) == 401


def test_sighup_reads_at_once(responder, keys):
    took = []
    for key in (NEW, OLD) * 5:
        keys.write(key)
        began = time.monotonic()
        reload(responder)
        assert status(responder, key.mint()) == 200
        took.append(time.monotonic() - began)
    assert sorted(took)[-2] < 1, "all of them, but for one at which the machine was busy"


def remove(keys: Jwks) -> None:
    keys.path.unlink()


def text(content: str) -> Callable[[Jwks], None]:
    return lambda keys: keys.path.write_text(content)


BROKEN: dict[str, Callable[[Jwks], None]] = {
    "gone": remove,
    "empty": text(""),
    "half": lambda keys: keys.path.write_text(jwks(NEW)[:-20]),
    "no JWKS": text("<html>502 Bad Gateway</html>"),
    "the demo's": lambda keys: keys.write(NEW, ec_key("demo-insecure")),
    "too large": lambda keys: keys.path.write_text(jwks(NEW) + " " * (1 << 20)),
}


def test_a_broken_file_keeps_the_old_keys_and_says_so(responder, keys):
    old = OLD.mint()
    stream = responder.open(target=in_url(old))
    for name, damage in BROKEN.items():
        said = len(responder.text())
        damage(keys)
        reload(responder)
        line = responder.text()[said:]
        assert str(keys.path) in line and "stay in use" in line, name
        assert status(responder, old) == status(responder, OLD.mint()) == 200, name
        assert status(responder, NEW.mint()) == 401, name
    keys.write(OLD, NEW)
    reload(responder)
    assert status(responder, NEW.mint()) == 200
    assert not stream.ended and not stream.events


# What nobody needs costs itself alone: sets that hold NEW, and more


def trimmed_key() -> tuple[Key, dict]:
    """One whose x begins with a zero, which its writer left out."""
    while True:
        key = ec_key.__wrapped__("trimmed")
        x = b64_decode(key.jwk()["x"])
        if x[0] == 0:
            return key, key.jwk(x=b64(x[1:]))


def twins(*members: dict) -> Callable[[Jwks], None]:
    return lambda keys: keys.write(*(NEW.jwk(**own) for own in members))


def beside(*others: dict | Key) -> Callable[[Jwks], None]:
    return lambda keys: keys.write(*others, NEW)


ENC = rsa_key("enc").jwk(kid="new", use="enc", alg="RSA-OAEP")
SETS: dict[str, Callable[[Jwks], None]] = {
    "enc twin last": lambda keys: keys.write(NEW, ENC),
    "enc twin first": beside(ENC),
    "OKP twin for an agreement": beside({"kty": "OKP", "crv": "X25519", "kid": "new", "x": "AAAA"}),
    "the same twice": beside(NEW),
    "RSA of the same kid": beside(rsa_key("other").jwk(kid="new")),
    "EC of the same kid": beside(ec_key("other").jwk(kid="new")),
    "kid a number": beside(rsa_key("other").jwk(kid=5), {"kty": "oct", "kid": 7}),
    "kid null": beside(rsa_key("other").jwk(kid=None) | {"kid": None}),
    "kid empty, twice": beside(rsa_key("other").jwk(kid=""), ec_key("other").jwk(kid="")),
    "alg null": lambda keys: keys.write(NEW.jwk(alg=None) | {"alg": None}),
    "use null": lambda keys: keys.write(NEW.jwk(use=None) | {"use": None}),
    "key_ops null": lambda keys: keys.write(NEW.jwk() | {"key_ops": None}),
    "key_ops empty": lambda keys: keys.write(NEW.jwk(key_ops=[])),
    "a byte order mark": lambda keys: keys.path.write_text("\ufeff" + jwks(NEW)),
    "a member twice": lambda keys: keys.path.write_text(jwks(NEW).replace("{", '{"keys":1,', 1)),
    "odd values": lambda keys: keys.path.write_text(jwks(NEW).replace("{", '{"n":1e400,"s":"\\u0000",', 1)),
    "a private half": beside(ec_key("other").jwk(d=b64(b"d" * 32))),
    "EdDSA": beside(ed25519_key()),
}


@pytest.mark.parametrize("name", SETS)
def test_what_is_not_needed_costs_itself_alone(start, keys, name):
    """At the start, and when it comes later: then the old key goes."""
    broker = f"127.0.0.1:{free_port()}"
    later = start("events", *keys.options(), brokers=broker)
    old = OLD.mint()
    assert status(later, old) == 200
    SETS[name](keys)
    reload(later)
    first = start("events", *keys.options(), brokers=broker)
    for responder in (first, later):
        assert status(responder, NEW.mint()) == 200
        assert status(responder, old) == 401
        assert b64(b"d" * 32) not in responder.text()
    said = [line.partition(": ")[2] for line in later.text().splitlines() if "jwks.json: " in line]
    SETS[name](keys)
    reload(later)  # the very same once more
    again = [line for line in later.text().splitlines() if "jwks.json: " in line]
    assert len(again) == len(said), again


def test_one_key_listed_for_several_algorithms_is_good_for_each(responder, keys):
    keys.write(*(OLD.jwk(alg=alg) for alg in ("RS256", "RS384", "RS512")))
    reload(responder)
    for alg, expected in ("RS256", 200), ("RS384", 200), ("RS512", 200), ("PS256", 401):
        assert status(responder, Key(OLD.private, "old", alg).mint()) == expected, alg


def test_eddsa(responder, keys):
    """PROTOCOL 4.4."""
    keys.write(OLD, ed25519_key())
    reload(responder)
    token = ed25519_key().mint()
    assert status(responder, token) == 200
    stream = responder.open(target=in_url(ed25519_key().mint(WINDOW + 0.5)))
    assert stream.next().raw == CHALLENGE
    assert status(responder, ed25519_key.__wrapped__("ed").mint()) == 401, "another key"
    assert status(responder, Key(ed25519_key().private, "old", "EdDSA").mint()) == 401


def test_a_trimmed_coordinate_is_padded(responder, keys):
    key, jwk = trimmed_key()
    keys.write(jwk)
    reload(responder)
    assert status(responder, key.mint()) == 200


def large_rsa_jwks() -> Iterator[dict]:
    """Of 4096 bits and as dear to check as keys, but quick to make: products of four primes."""
    pairs = [rsa_key(f"pair{n}").private.private_numbers() for n in range(6)]
    primes = [prime for pair in pairs for prime in (pair.p, pair.q)]
    for number, four in enumerate(itertools.combinations(primes, 4)):
        n = b64(math.prod(four).to_bytes(512, "big"))
        yield {"kty": "RSA", "kid": str(number), "n": n, "e": "AQAB"}


def test_keys_that_take_long_to_check_keep_nobody_waiting(responder, keys, note):
    token, large = OLD.mint(600), large_rsa_jwks()
    assert status(responder, token) == 200
    keys.write(OLD, *itertools.islice(large, 40))
    began, answers = time.monotonic(), 0
    os.kill(responder.pid, signal.SIGHUP)
    while "guard: 41 key(s)" not in responder.text():
        assert responder.send("HEAD", in_url(token)).wait_head().status == 200
        answers += 1
    note("40 RSA-4096 keys are read in s", round(time.monotonic() - began, 1))
    note("requests answered meanwhile", answers)
    assert answers > 10
    keys.write(*itertools.islice(large, 40), NEW)
    os.kill(responder.pid, signal.SIGHUP)
    os.kill(responder.pid, signal.SIGTERM)  # while they are read
    assert responder.process.wait(timeout=60) == 0


def test_a_withdrawn_key_ends_its_streams_after_the_window(responder, keys, note):
    """Challenged at once; ended after the window; one renewed under a key of the set stays.
    PROTOCOL 4.8."""
    old, renewed, untouched = OLD.mint(), OLD.mint(sub="bob"), NEW.mint()
    keys.write(OLD, NEW)
    reload(responder)
    streams = [responder.open(target=in_url(token)) for token in (old, renewed, untouched)]
    keys.write(NEW)
    began = time.monotonic()
    reload(responder)
    for token in (old, renewed):
        assert status(responder, token) == 401
    for stream in streams[:2]:
        challenge = stream.next()
        assert challenge.raw == CHALLENGE
        assert challenge.at - began < LATE
    assert renew(responder, OLD.mint(90, sub="bob"), renewed) == 401, "under the old key"
    assert renew(responder, NEW.mint(30, sub="bob"), renewed) == 204
    streams[0].wait_end()
    ended = time.monotonic() - began
    note(f"ended, after a window of {WINDOW} s, after s", round(ended, 2))
    assert WINDOW - 0.1 < ended < WINDOW + LATE
    assert len(streams[0].events) == 1
    # What is over by now would be if the renewal had not been heard, or the third been meant.
    while time.monotonic() < began + WINDOW + 0.5:
        assert status(responder, untouched) == 200
    for stream in streams[1:]:
        stream.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            while stream.sock.recv(4096):
                pass


def test_a_key_that_changes_under_its_kid_is_another_key(responder, keys):
    old = OLD.mint()
    stream = responder.open(target=in_url(old))
    successor = Key(rsa_key("successor").private, "old", "RS256")
    keys.write(successor)
    reload(responder)
    assert stream.next().raw == CHALLENGE
    assert status(responder, old) == 401
    assert renew(responder, successor.mint(), old) == 204
    assert status(responder, successor.mint()) == 200


def test_a_key_that_stays_is_not_disturbed(responder, keys):
    stream = responder.open(target=in_url(OLD.mint()))
    for others in ([NEW], [NEW, ec_key("third")], []):
        keys.write(*others, OLD)
        reload(responder)
    assert not stream.events and not stream.ended
    stream.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        while stream.sock.recv(4096):
            pass


def test_a_narrowed_key_is_another_key(responder, keys):
    """It was good for RS256, now it is for RS512 alone."""
    old = OLD.mint()
    stream = responder.open(target=in_url(old))
    keys.write(OLD.jwk(alg="RS512"))
    reload(responder)
    assert stream.next().raw == CHALLENGE
    assert status(responder, old) == 401
    assert status(responder, Key(OLD.private, "old", "RS512").mint()) == 200


def test_a_stream_that_was_challenged_already_still_ends_after_the_window(responder, keys):
    token = OLD.mint(WINDOW + 0.6)
    stream = responder.open(target=in_url(token))
    assert stream.next().raw == CHALLENGE
    keys.write(NEW)
    began = time.monotonic()
    reload(responder)
    stream.wait_end()
    assert time.monotonic() - began < WINDOW + LATE

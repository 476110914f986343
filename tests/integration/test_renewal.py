"""The challenge, the end, and renewals across a pool: section 5 of the contract."""

import itertools
import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drill import LESS
from fastcgi import FastCgiReader
from helpers import free_port, unix_connections, wait_until
from kafka import numbered
from responder import Responder
from sse import Event, EventReader, pump
from tokens import (
    CHALLENGE,
    RENEWAL,
    Jwks,
    bearer,
    ec_key,
    exp,
    in_url,
    renew,
    rsa_key,
    send_renewal,
)

# In which a client has to answer: a busy machine may stand still for seconds.
WINDOW = 4
LATE = 3.5  # what such a machine may add, less than the window; the figures themselves are noted


@pytest.fixture
def keys(tmp_path: Path) -> Jwks:
    return Jwks(tmp_path / "jwks.json", rsa_key(), ec_key())


@pytest.fixture
def peers(tmp_path: Path) -> Path:
    directory = tmp_path / "peers"
    directory.mkdir(mode=0o700)
    return directory


def sockets(directory: Path) -> list[Path]:
    """Where responders hear of renewals: each listens there first, and then for handles."""
    of_pid: dict[str, list[Path]] = {}
    for path in directory.iterdir():
        if path.is_socket():
            of_pid.setdefault(path.name.split("-")[1], []).append(path)
    both = [paths for paths in of_pid.values() if len(paths) == 2]
    return [min(paths, key=lambda path: path.stat().st_ctime_ns) for paths in both]


@pytest.fixture
def pool(start, keys, peers) -> Callable[..., list[Responder]]:
    """pool(n): responders that have found each other."""

    def start_pool(n: int = 2, *options: str, topic: str = "", **parts: str) -> list[Responder]:
        own = keys.options("--challenge", str(WINDOW), "--peer-dir", str(peers), *options)
        if not topic:  # requests are answered without a Kafka
            topic, parts["brokers"] = "events", f"127.0.0.1:{free_port()}"
        before = len(sockets(peers))
        started = [start(topic, *own, **parts) for _ in range(n)]
        # It listens for requests before it joins; each looks round when it has something to tell.
        wait_until(lambda: len(sockets(peers)) == before + n, what="the pool")
        for responder in started:
            assert renew(responder, rsa_key().mint(sub="nobody")) == 204
        return started

    return start_pool


def at_responder(responder: Responder, token: str, url: bool = True) -> FastCgiReader:
    return responder.open(
        target=in_url(token) if url else "/events", headers={} if url else bearer(token)
    )


def assert_challenge(event: Event, token: str) -> float:
    """The challenge of this token, byte for byte and in time; how late it came."""
    assert event.raw == CHALLENGE
    late = event.at - (exp(token) - WINDOW)
    assert -0.05 < late < LATE, f"{late} s late"
    return late


def assert_challenge_of(stream: EventReader, token: str) -> float:
    """The next one, but for those of tokens before it if these had not been renewed in time."""
    while (event := stream.next()).at < exp(token) - WINDOW - 0.05:
        assert event.raw == CHALLENGE
    return assert_challenge(event, token)


def assert_end(stream: EventReader, token: str) -> float:
    stream.wait_end()
    late = time.monotonic() - exp(token)
    assert -0.05 < late < LATE, f"{late} s late"
    return late


# The challenge and the end


@pytest.mark.parametrize("request_id", [1, 7])
def test_a_challenge_before_the_end_and_the_end_at_exp(pool, note, request_id):
    """PROTOCOL 5.1, 5.10."""
    [responder] = pool(1)
    token = rsa_key().mint(WINDOW + 1)
    stream = responder.send("GET", in_url(token), request_id=request_id).wait_started()
    note("challenge late by s", round(assert_challenge(stream.next(), token), 3))
    note("end late by s", round(assert_end(stream, token), 3))
    assert (stream.app_status, stream.protocol_status) == (0, 0)
    assert bytes(stream.body) == b"retry:%d\n:\n" % stream.retry[0] + CHALLENGE


def test_a_short_token_is_challenged_at_once(pool):
    """PROTOCOL 5.12."""
    [responder] = pool(1)
    token = rsa_key().mint(WINDOW - 0.2)
    stream = at_responder(responder, token)
    challenge = stream.next()
    assert challenge.raw == CHALLENGE
    assert challenge.at < exp(token) - 0.2
    assert bytes(stream.body).startswith(b"retry:")
    assert_end(stream, token)


def test_events_go_on_around_a_challenge_and_none_comes_after_the_end(kafka, topic, pool):
    """PROTOCOL 5.10."""
    kafka.produce(topic, *numbered(20, keys=20))
    [responder] = pool(1, topic=topic)
    token = rsa_key().mint(WINDOW + 0.5)
    stream = at_responder(responder, token)
    for n in itertools.count(20):
        kafka.put(topic, f"k{n}", str(n))
        stream.receive()
        if stream.ended:
            break
    assert_end(stream, token)
    data = [event.data for event in stream.events if event.event == "message"]
    assert data == [b"%d" % n for n in range(len(data))]
    assert sum(event.raw == CHALLENGE for event in stream.events) == 1
    assert len(data) > 25


def test_who_stops_reading_before_the_end_gets_nothing_begun_after_it(kafka, topic, pool):
    """Half of an event may be finished, as long as that takes no more than two seconds.
    PROTOCOL 5.10."""
    kafka.produce(topic, *numbered(200, keys=200, size=50_000))
    [responder] = pool(1, topic=topic)
    token = rsa_key().mint(3)
    before = 3  # its sockets for requests, and for peers: renewals and handles
    stream = at_responder(responder, token)
    time.sleep(max(0, exp(token) - time.monotonic()) + 0.3)  # it does not read: nothing to wait on
    for n in range(50):
        kafka.put(topic, f"k{n}", "after the end")
    wait_until(lambda: unix_connections(responder.pid) == before, timeout=20, what="its end")
    stream.wait(lambda: stream.ended or stream.closed)
    assert b"after the end" not in stream.body
    assert len(stream.events) < 100, "only what was under way"


def test_a_reader_that_is_only_slow_gets_its_last_event_whole(kafka, topic, pool):
    """PROTOCOL 5.10."""
    kafka.produce(topic, *numbered(60, keys=60, size=500_000))
    [responder] = pool(1, topic=topic)
    for _ in range(5):
        token = rsa_key().mint(3)
        stream = at_responder(responder, token)
        time.sleep(max(0, exp(token) - time.monotonic()) + 0.1)
        stream.wait(lambda: stream.ended or stream.closed)
        if stream.ended or time.monotonic() < exp(token) + 2:
            break  # else the machine was so busy that its two seconds were over
    assert stream.ended, f"cut off instead of ended: {stream}"
    events = [event for event in stream.events if event.event == "message"]
    assert all(len(event.data) == 500_000 for event in events)
    assert 0 < len(events) < 60
    assert stream._unparsed == b"", "half an event"


def test_a_responder_that_was_stopped_begins_nothing_after_the_end(kafka, topic, pool):
    [responder] = pool(1, topic=topic)
    token = rsa_key().mint(3)
    stream = at_responder(responder, token)
    other = at_responder(responder, rsa_key().mint(60))
    kafka.put(topic, "k", "before")
    stream.take_until(b"before")
    assert other.next().text == "before"
    os.kill(responder.pid, signal.SIGSTOP)
    time.sleep(max(0, exp(token) - time.monotonic()) + 0.2)
    kafka.produce(topic, *numbered(200, keys=200))
    os.kill(responder.pid, signal.SIGCONT)
    stream.wait_end()
    other.take(200)
    assert [event.text for event in stream.events if event.event == "message"] == ["before"]


def test_a_stream_has_an_age_that_no_renewal_changes(pool):
    """PROTOCOL 5.11."""
    [responder] = pool(1, "--max-stream-age", "4")
    token, later = rsa_key().mint(3.4), rsa_key().mint(60)
    began = time.monotonic()
    stream = at_responder(responder, token)
    assert stream.next().raw == CHALLENGE
    assert renew(responder, later, token) == 204
    stream.wait_end()
    assert 3.5 < time.monotonic() - began < 4 + LATE  # it draws 0.9 to 1 of the age


# Renewals


def test_a_renewal_moves_the_end_wherever_it_comes_in(pool, note):
    """Four streams, two of them with their token in the URL, renewed here and at the other.
    PROTOCOL 5.2, 5.5."""
    here, there = pool(2)
    ways = {}
    for url in (True, False):
        for where in (here, there):
            token = rsa_key().mint(WINDOW + 1, sub=f"s{len(ways)}")
            new = rsa_key().mint(WINDOW + 2.5, sub=f"s{len(ways)}")
            ways[url, where.name] = (at_responder(here, token, url), token, new, where, url)
    streams = [way[0] for way in ways.values()]
    pump(streams, lambda: all(len(stream.events) == 1 for stream in streams))
    for stream, token, new, where, url in ways.values():
        assert_challenge(stream.next(), token)
        assert renew(where, new, token if url else None) == 204
    pump(streams, lambda: all(len(stream.events) == 2 for stream in streams))
    for stream, _, new, _, _ in ways.values():
        assert_challenge(stream.next(), new)
    pump(streams, lambda: all(stream.ended for stream in streams))
    note("ends after a renewal late by s", round(time.monotonic() - exp(ways[True, here.name][2]), 3))
    for stream, _, new, _, _ in ways.values():
        assert_end(stream, new)


def test_twenty_renewals_in_a_row(pool):
    """PROTOCOL 5.9."""
    both = itertools.cycle(pool(2))
    first = token = rsa_key().mint(WINDOW + 0.5)
    stream = at_responder(next(both), token)
    for _ in range(20):
        assert_challenge(stream.next(), token)
        token = ec_key().mint(exp(token) - time.monotonic() + 0.4)
        assert renew(next(both), token, first) == 204
    assert_challenge(stream.next(), token)
    assert_end(stream, token)
    assert len(stream.events) == 21


def test_one_renewal_is_for_all_streams_of_the_token(pool):
    """PROTOCOL 5.4."""
    here, there = pool(2)
    token, new = rsa_key().mint(WINDOW + 1), rsa_key().mint(WINDOW + 2)
    streams = [at_responder(responder, token) for responder in (here, here, there, there)]
    pump(streams, lambda: all(len(stream.events) == 1 for stream in streams))
    assert renew(there, new, token) == 204
    pump(streams, lambda: all(len(stream.events) == 2 for stream in streams))
    for stream in streams:
        assert_challenge(stream.next(), token)
        assert_challenge(stream.next(), new)


def test_of_one_subject_the_selected_streams_are_renewed(pool):
    here, there = pool(2)
    one, two, three, four = (rsa_key().mint(WINDOW + 1) for _ in range(4))
    kept = {"one": at_responder(here, one), "one, there": at_responder(there, one)}
    over = {
        "two": at_responder(here, two),
        "two, there": at_responder(there, two),
        "header": at_responder(here, three, url=False),
        "header, there": at_responder(there, three, url=False),
        "header, two in its URL": here.open(target=in_url(two), headers=bearer(four)),
    }
    everything = [*kept.values(), *over.values()]
    pump(everything, lambda: all(stream.events for stream in everything))
    assert renew(there, rsa_key().mint(60), one) == 204
    pump(everything, lambda: all(stream.ended for stream in over.values()))
    for stream in kept.values():
        assert not stream.ended
    for stream in over.values():
        assert_end(stream, two)


def test_without_a_selector_the_streams_without_a_token_in_the_url_are_renewed(pool):
    """PROTOCOL 5.4."""
    here, there = pool(2)
    one, two = (rsa_key().mint(WINDOW + 1) for _ in range(2))
    kept = [
        at_responder(here, one, url=False),
        at_responder(there, one, url=False),
        at_responder(here, two, url=False),
    ]
    eve = rsa_key().mint(WINDOW + 1, sub="eve")
    nobody = rsa_key().mint(WINDOW + 1, sub=None)
    over = [
        at_responder(here, one),
        here.open(target=in_url(two), headers=bearer(one)),
        at_responder(here, eve, url=False),
        at_responder(there, nobody, url=False),
    ]
    pump(kept + over, lambda: all(stream.events for stream in kept + over))
    assert renew(there, rsa_key().mint(60)) == 204
    assert renew(here, rsa_key().mint(60, sub=None)) == 204, "renews nothing"
    pump(kept + over, lambda: all(stream.ended for stream in over))
    assert not any(stream.ended for stream in kept)
    for stream in over:
        assert_end(stream, one)


def test_a_token_without_subject_is_renewed_by_its_url(pool):
    """PROTOCOL 5.4."""
    here, there = pool(2)
    token, new = (rsa_key().mint(WINDOW + ttl, sub=None) for ttl in (1, 2))
    stream = at_responder(here, token)
    assert renew(there, new, token) == 204
    assert_challenge_of(stream, new)


def test_refused_renewals_change_nothing(pool):
    """Status as in the contract, at both responders; the stream ends when it would have.
    PROTOCOL 5.2, 5.3, 5.6."""
    here, there = pool(2)
    token = rsa_key().mint(WINDOW + 4)
    in_the_url = at_responder(here, token)
    in_the_header = at_responder(there, token, url=False)
    foreign = rsa_key().mint(60, sub="eve")
    late = 60
    cases: dict[str, tuple[str | None, str | None, int]] = {
        "of another subject": (rsa_key().mint(late, sub="eve"), token, 403),
        "without subject": (rsa_key().mint(late, sub=None), token, 403),
        "of another issuer": (rsa_key().mint(late, iss="https://evil.example.com"), token, 401),
        "for another audience": (rsa_key().mint(late, aud="other"), token, 401),
        "lacking the scope": (rsa_key().mint(late, scope="other"), token, 403),
        "of an unknown key": (rsa_key("unknown").mint(late), token, 401),
        "badly signed": (rsa_key().mint(late)[:-8] + "AAAAAAAA", token, 401),
        "over": (rsa_key().mint(-1), token, 401),
        "garbage": ("garbage", token, 401),
        "two": (f"{foreign},{foreign}", token, 400),
        "empty": ("", token, 400),
        "none": (None, token, 401),
        "none, and no selector": (None, None, 401),
        "garbage as selector": (rsa_key().mint(late), "garbage", 403),
        "a selector of another subject": (rsa_key().mint(late), foreign, 403),
        "an empty selector": (rsa_key().mint(late), "", 400),
        "two selectors": (rsa_key().mint(late), f"{token}&access_token={token}", 400),
        "a selector badly encoded": (rsa_key().mint(late), f"{token}%", 400),
        "a selector that is nothing's": (rsa_key().mint(late), rsa_key().mint(late), 204),
        "a selector of no stream, forged": (
            rsa_key().mint(late, sub="eve"),
            rsa_key("unknown").mint(late, sub="eve"),
            204,
        ),
        "ending earlier": (rsa_key().mint(6), token, 204),
        "ending earlier, without selector": (rsa_key().mint(6), None, 204),
        "the same again": (token, token, 204),
        "of nobody": (rsa_key().mint(late, sub=None), None, 204),
        "of somebody else": (rsa_key().mint(late, sub="eve"), None, 204),
    }
    for number, (name, (new, selector, status)) in enumerate(cases.items()):
        where = (here, there)[number % 2]
        answer = send_renewal(where, new, selector).wait_end()
        assert answer.status == status, name
        assert answer.headers["access-control-allow-origin"] == "*", name
        if status == 204:
            assert answer.body == b"", name
            continue
        assert answer.headers["content-type"] == "application/problem+json", name
        if status == 401:
            bare = new is None
            challenge = answer.headers["www-authenticate"]
            assert (challenge == "Bearer") == bare and challenge.startswith("Bearer"), name
    basic = {"Content-Type": RENEWAL, "Authorization": "Basic YTpi"}
    assert here.send("POST", in_url(token), basic).wait_end().status == 401
    assert time.monotonic() < exp(token), "this machine is too slow for this test"
    pump([in_the_url, in_the_header], lambda: in_the_url.ended and in_the_header.ended)
    assert_end(in_the_url, token)
    assert_end(in_the_header, token)
    for stream in (in_the_url, in_the_header):
        assert [event.raw for event in stream.events] == [CHALLENGE]


def test_a_selector_may_be_long_over(pool):
    """Each renewal after the first is selected by the token that opened the stream.
    PROTOCOL 5.4."""
    [responder] = pool(1)
    first, second = rsa_key().mint(3), rsa_key().mint(WINDOW + 3.5)
    stream = at_responder(responder, first)
    assert renew(responder, second, first) == 204
    assert_challenge_of(stream, second)
    assert time.monotonic() > exp(first)
    last = rsa_key().mint(WINDOW + 1)
    assert renew(responder, last, first) == 204
    assert_challenge(stream.next(), last)


def test_a_renewal_may_have_a_narrower_scope(pool):
    [responder] = pool(1)
    token = rsa_key().mint(WINDOW + 1, scope="proxy:stream write")
    new = rsa_key().mint(WINDOW + 2)
    stream = at_responder(responder, token)
    assert renew(responder, new, token) == 204
    assert_challenge_of(stream, new)


@pytest.mark.parametrize("size", [0, 200, 60_000])
def test_the_body_of_a_renewal_is_read_and_ignored(pool, size):
    """PROTOCOL 1.3."""
    [responder] = pool(1)
    token, new = rsa_key().mint(WINDOW + 0.5), rsa_key().mint(WINDOW + 1)
    stream = at_responder(responder, token)
    headers = bearer(new) | {"Content-Type": f"{RENEWAL.upper()}; x=y"}
    answer = responder.send("POST", in_url(token), headers, body=b"x" * size).wait_end()
    assert answer.status == 204
    assert_challenge_of(stream, new)


def test_renewals_of_one_subject_are_limited_to_ten_a_second(pool):
    """PROTOCOL 5.7."""
    here, there = pool(2)
    fast = [rsa_key().mint(60 + n) for n in range(40)]
    other = rsa_key().mint(60, sub="bob")
    renew(here, rsa_key().mint())  # verified before: a signature costs time
    began = time.monotonic()
    answers = [send_renewal(here, token) for token in fast]
    pump(answers, lambda: all(answer.ended for answer in answers))
    seconds = int(time.monotonic() - began) + 2
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {204, 429}
    assert statuses.count(204) <= 10 * seconds
    refused = next(answer for answer in answers if answer.status == 429)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["access-control-allow-origin"] == "*"
    assert renew(here, other) == renew(there, other) == 204, "another subject's business"
    wait_until(lambda: renew(here, rsa_key().mint(120)) == 204)


def test_many_streams_whose_tokens_have_no_subject_are_all_renewed(pool):
    """Each once, at its challenge, as their pages would: nobody uses up another's allowance."""
    here, there = pool(2)
    tokens = [rsa_key().mint(WINDOW + 2, sub=None) for _ in range(40)]
    streams = [at_responder(here if n % 2 else there, tokens[n]) for n in range(40)]
    pump(streams, lambda: all(len(stream.events) == 1 for stream in streams))
    new = [rsa_key().mint(60, sub=None) for _ in tokens]
    answers = [send_renewal(here, *pair) for pair in zip(new, tokens, strict=True)]
    pump(answers, lambda: all(answer.ended for answer in answers))
    assert [answer.status for answer in answers] == [204] * 40
    while time.monotonic() < exp(tokens[-1]) + 1:
        assert there.send("HEAD", in_url(new[0])).wait_end().status == 200
    assert not any(stream.ended for stream in streams)


def test_a_holder_of_a_token_without_subject_uses_up_his_own_allowance_alone(pool):
    """PROTOCOL 5.7."""
    [responder] = pool(1)
    mallory, alice = (rsa_key().mint(60, sub=None) for _ in range(2))
    selector = rsa_key().mint(60, sub=None)
    for token in (mallory, alice):
        renew(responder, token, selector)  # verified before: a signature costs time
    refused = 0
    for _ in range(20):
        answers = [send_renewal(responder, mallory, selector) for _ in range(30)]
        pump(answers, lambda answers=answers: all(answer.ended for answer in answers))
        refused += sum(answer.status == 429 for answer in answers)
    for _ in range(5):
        answers = [send_renewal(responder, mallory, selector) for _ in range(30)]
        assert renew(responder, alice, selector) == 204
        pump(answers, lambda answers=answers: all(answer.ended for answer in answers))
    assert refused > 0


# The pool


def test_responders_of_other_issuers_keep_apart(start, keys, peers):
    """In the same directory; what topic they serve, and to whom, is each one's own affair."""

    def responder(*options: str, topic: str = "events", scope: str = "proxy:stream") -> Responder:
        own = keys.options("--peer-dir", str(peers), *options, scope=scope)
        return start(topic, *own, brokers=f"127.0.0.1:{free_port()}")

    one = responder()
    friends = [
        responder(topic="other"),
        responder(scope="x"),
        responder("--scope", "x", "--path", "/other"),
        responder("--scope-claim", "scp", "--identity", "uid"),
    ]
    others = [
        responder("--audience", "x"),
        responder("--issuer", "x"),
        responder("--audience-claim", "client_id"),
    ]
    wait_until(lambda: len(sockets(peers)) == 8)
    names = [path.name.split("-")[0] for path in sockets(peers)]
    assert sorted(names.count(name) for name in set(names)) == [1, 1, 1, 5], names
    assert renew(one, rsa_key().mint()) == 204
    for other in friends + others:
        other.end(signal.SIGKILL)
    assert renew(one, rsa_key().mint()) == 204


def test_a_renewal_waits_at_a_peer_that_has_not_read_its_key_yet(pool, start, peers, tmp_path):
    """PROTOCOL 5.14."""
    [early] = pool(1)
    keys = Jwks(tmp_path / "late.json", rsa_key())
    options = keys.options("--challenge", str(WINDOW), "--peer-dir", str(peers))
    late = start("events", *options, brokers=f"127.0.0.1:{free_port()}")
    wait_until(lambda: len(sockets(peers)) == 2, what="the pool")
    assert renew(early, rsa_key().mint(sub="nobody")) == 204  # it looks round
    stream = at_responder(late, rsa_key().mint(WINDOW + 6), url=False)
    renewed = ec_key().mint(WINDOW + 12)
    assert renew(early, renewed) == 204
    wait_until(lambda: "names an unknown key" in late.text(), what="the renewal at the peer")
    keys.write(rsa_key(), ec_key())
    assert_challenge_of(stream, renewed)


def test_a_killed_responder_leaves_nothing_that_matters(pool, peers):
    here, there = pool(2)
    there.end(signal.SIGKILL)  # its name stays
    assert len(sockets(peers)) == 2
    stream = at_responder(here, token := rsa_key().mint(WINDOW + 1))
    new = rsa_key().mint(WINDOW + 2)
    assert renew(here, new, token) == 204
    assert_challenge_of(stream, new)
    wait_until(lambda: len(sockets(peers)) == 1, what="its name to go")
    [third] = pool(1)
    late = rsa_key().mint(60)
    second = at_responder(third, again := rsa_key().mint(3))
    assert renew(here, late, again) == 204
    time.sleep(max(0, exp(again) - time.monotonic()) + 0.5)
    second.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        while second.sock.recv(4096):
            pass
    assert len(sockets(peers)) == 2


def test_a_renewal_reaches_a_peer_that_was_stopped_meanwhile(pool):
    here, there = pool(2)
    token, new = rsa_key().mint(3), rsa_key().mint(WINDOW + 5)
    stream = at_responder(there, token)
    os.kill(there.pid, signal.SIGSTOP)
    try:
        assert renew(here, new, token) == 204
        time.sleep(max(0, exp(token) - time.monotonic()) + 0.3)
    finally:
        os.kill(there.pid, signal.SIGCONT)
    assert_challenge_of(stream, new)  # behind the one that was due meanwhile


def test_all_renewals_reach_a_peer_that_was_stopped_meanwhile(pool):
    """More of them than signatures are verified in one turn of its loop."""
    here, there = pool(2)
    ttl = 6
    renewed = [(rsa_key().mint(ttl, sub=f"s{n}"), f"s{n}") for n in range(150)]
    streams = [at_responder(there, token) for token, _ in renewed]
    assert time.monotonic() < exp(renewed[0][0]) - 0.5, "this machine is too slow for this test"
    os.kill(there.pid, signal.SIGSTOP)
    try:
        for token, sub in renewed:
            assert renew(here, rsa_key().mint(100, sub=sub), token) == 204
        time.sleep(max(0, exp(renewed[-1][0]) - time.monotonic()) + 0.3)
    finally:
        os.kill(there.pid, signal.SIGCONT)
    marker = at_responder(there, rsa_key().mint(4))  # after its end all that waited was seen to
    pump([marker, *streams], lambda: marker.ended)
    ended = sum(stream.ended for stream in streams)
    assert ended == 0, f"{ended} of {len(streams)} streams ended although they were renewed"


def test_a_peer_that_can_take_no_more_is_told_to_the_client(pool):
    """PROTOCOL 5.8."""
    here, there = pool(2)
    os.kill(there.pid, signal.SIGSTOP)
    large = {"fill": "x" * 5500}
    try:
        for n in itertools.count():
            answer = send_renewal(here, ec_key().mint(sub=f"s{n}", **large)).wait_end()
            if answer.status != 204:
                break
            assert n < 5000
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["access-control-allow-origin"] == "*"
        stream = at_responder(here, token := rsa_key().mint(3))
        assert stream.next().raw == CHALLENGE, "it does not hold us up"
        assert renew(here, rsa_key().mint(**large), token) == 503
        assert_end(stream, token)
    finally:
        os.kill(there.pid, signal.SIGCONT)
    wait_until(lambda: renew(here, rsa_key().mint()) == 204, what="room again")


def test_a_responder_that_starts_is_not_cut_off_from_the_pool(pool, keys, start, peers):
    """Two start at once and again and again, as lighttpd does it."""
    for _ in range(3):
        here, there = pool(2)
        token, new = rsa_key().mint(60), rsa_key().mint(61)
        assert renew(here, new, token) == renew(there, new, token) == 204
        assert len(sockets(peers)) == 2
        here.stop()
        there.stop()
        assert not list(peers.iterdir())


# Thousands


class Session:
    """A stream that answers each of its challenges at the other responder."""

    def __init__(self, name: str, pool: list[Responder], ttl: float, renewals: int):
        self.name, self.ttl, self.left = name, ttl, renewals
        self.there = pool[1]
        self.first = self.token = ec_key().mint(ttl, sub=name)
        self.stream = pool[0].send("GET", in_url(self.first))
        self.seen = 0
        self.challenged_late: list[float] = []
        self.renewals: list[FastCgiReader] = []
        self.ended_late: float | None = None

    def step(self) -> FastCgiReader | None:
        """Looks at what has come; a renewal, if one was sent."""
        if self.stream.ended and self.ended_late is None:
            self.ended_late = time.monotonic() - exp(self.token)
        if len(self.stream.events) == self.seen:
            return None
        self.seen += 1
        event = self.stream.events[-1]
        assert event.raw == CHALLENGE
        self.challenged_late.append(event.at - (exp(self.token) - WINDOW))
        if not self.left:
            return None
        self.left -= 1
        self.token = ec_key().mint(self.ttl, sub=self.name)
        self.renewals.append(send_renewal(self.there, self.token, self.first))
        return self.renewals[-1]


def test_1000_sessions_are_renewed_five_times_each(pool, note):
    """Near to what responders with sanitizers can verify on a busy machine, hence LESS there."""
    number, renewals, ttl = 1000 // LESS, 5, WINDOW + 4.0
    both = pool(2)
    # Three listening sockets, and with the peer a connection each way for renewals and for handles.
    wait_until(lambda: [unix_connections(responder.pid) for responder in both] == [7, 7])
    sessions: list[Session] = []
    answered = 0
    with selectors.DefaultSelector() as selector:

        def watch(reader: FastCgiReader, session: Session) -> None:
            selector.register(reader.sock, selectors.EVENT_READ, (reader, session))

        began = time.monotonic()
        while (open_ := sum(s.ended_late is None for s in sessions)) or len(sessions) < number:
            assert time.monotonic() < began + 180, f"{open_} streams are still open"
            # Over the first four seconds, as many as are due by now.
            due = min(number, int((time.monotonic() - began) / 4 * number) + 1)
            for _ in range(min(due - len(sessions), 20)):
                pair = both if len(sessions) % 2 else both[::-1]
                session = Session(f"s{len(sessions)}", pair, ttl, renewals)
                sessions.append(session)
                watch(session.stream, session)
            for key, _ in selector.select(0.002):
                reader, session = key.data
                reader.receive()
                if reader is session.stream:
                    if renewal := session.step():
                        watch(renewal, session)
                elif reader.ended:
                    assert reader.status == 204, reader
                    answered += 1
                assert reader.ended or not reader.closed, f"cut off: {reader}"
                if reader.ended:
                    selector.unregister(reader.sock)
                    reader.close()
    late = [s.ended_late for s in sessions]
    challenged = [late for s in sessions for late in s.challenged_late]
    note("sessions, renewals", f"{len(sessions)}, {answered}")
    note("took s", round(time.monotonic() - began, 1))
    note("challenges, s late min/max", f"{min(challenged):.3f}/{max(challenged):.3f}")
    note("ends, s late min/max", f"{min(late):.3f}/{max(late):.3f}")
    assert answered == number * renewals
    assert [s.seen for s in sessions] == [renewals + 1] * number
    assert min(late) > -0.05 and min(challenged) > -0.05, "early"
    assert max(late) < LATE and max(challenged) < LATE, "late"
    wait_until(lambda: [unix_connections(responder.pid) for responder in both] == [7, 7])
    for responder in both:  # a leak is a sanitizer's finding at the end
        responder.stop()

"""The guarded port of the repository's own lighttpd.conf."""

import json
import multiprocessing
import os
import secrets
import signal
import socket
import ssl
import time
from pathlib import Path
from statistics import median

import pytest

import fastcgi
from clients import CurlReader
from helpers import (
    REPOSITORY,
    SANITIZED,
    Process,
    connect,
    cpu_seconds,
    free_port,
    unix_connections,
    wait_until,
)
from lighttpd import CA, Lighttpd
from responder import Responder
from sse import HttpReader, pump
from tokens import (
    CHALLENGE,
    RENEWAL,
    SCOPE,
    Jwks,
    Key,
    b64,
    bearer,
    claims,
    ec_key,
    exp,
    in_url,
    key_of_file,
    rsa_key,
)


@pytest.fixture
def keys(tmp_path: Path) -> Jwks:
    return Jwks(tmp_path / "jwks.json", rsa_key(), ec_key())


def private_key() -> Key:
    """That of certs/, whose public half lighttpd.conf names."""
    return key_of_file(REPOSITORY / "certs" / "private.pem", "example", "RS256")


def curl(server: Lighttpd, target: str, *options: str, host: str = "localhost") -> CurlReader:
    return CurlReader(f"https://{host}:{server.guarded[1]}{target}", *options)


def renewal_by_curl(server: Lighttpd, token: str, target: str, *options: str) -> CurlReader:
    headers = ["-H", f"Authorization: Bearer {token}", "-H", f"Content-Type: {RENEWAL}"]
    answer = curl(server, target, "-d", "", *headers, *options)
    answer.wait(lambda: answer.closed)
    return answer


# As the user types it


def test_the_walk_through_with_a_token_of_certs(kafka, topic, front, note):
    """The window is the 10 s of the default here."""
    server = front(topic)
    token = private_key().mint(11.5, scope=SCOPE)
    ways = {"HTTP/2": "--http2", "HTTP/1.1": "--http1.1"}
    accept = ["-H", "Accept:text/event-stream"]
    streams = [curl(server, in_url(token), way, *accept) for way in ways.values()]
    pump(streams, lambda: all(stream.retry for stream in streams))
    kafka.kcat(topic, "1", "Hello, world")
    pump(streams, lambda: all(len(stream.events) == 2 for stream in streams))
    for http, stream in zip(ways, streams):
        assert stream.http == http
        assert stream.headers["referrer-policy"] == "no-referrer"
        # On a busy machine either may be the first.
        hello, challenge = sorted(stream.take(2), key=lambda event: event.raw == CHALLENGE)
        assert (hello.text, challenge.raw) == ("Hello, world", CHALLENGE)
        late = challenge.at - (exp(token) - 10)
        note(f"{http}: challenge late by s", round(late, 3))
        assert -0.05 < late < 5
    for http, stream in zip(ways, streams):
        stream.wait(lambda: stream.closed)
        late = time.monotonic() - exp(token)
        note(f"{http}: curl left after the end by s", round(late, 3))
        assert -0.05 < late < 5
        assert stream.process.returncode == 0
        assert len(stream.events) == 2


# Renewals through lighttpd

WINDOW = 4  # in which a client has to answer, and a machine that stands still for a while goes on
LATE = 3.5  # what such a machine may add; less than the window


@pytest.fixture
def guarded_front(start, topic, front, keys, tmp_path) -> Lighttpd:
    """Two responders with a window of WINDOW; the open ports lead to them, too."""
    peers = tmp_path / "peers"
    peers.mkdir(mode=0o700)
    options = keys.options("--challenge", str(WINDOW), "--peer-dir", str(peers))
    return front(topic, responders=[start(topic, *options) for _ in range(2)])


@pytest.mark.parametrize("way", ["--http2", "--http1.1"])
def test_renewals_over_other_connections(guarded_front, way):
    """lighttpd gives each to the responder with the least to do: mostly not the stream's."""
    first = token = rsa_key().mint(WINDOW + 1)
    stream = curl(guarded_front, in_url(first), "--http2").wait_started()
    for _ in range(3):
        challenge = stream.next()
        assert challenge.raw == CHALLENGE
        assert -0.05 < challenge.at - (exp(token) - WINDOW) < LATE
        token = rsa_key().mint(WINDOW + 1.2)
        answer = renewal_by_curl(guarded_front, token, in_url(first), way)
        assert answer.status == 204
    assert stream.next().raw == CHALLENGE
    stream.wait(lambda: stream.closed)
    assert stream.process.returncode == 0
    assert -0.05 < time.monotonic() - exp(token) < LATE


class H2(Process):
    def __init__(self, server: Lighttpd, directory: Path, first: str, *others: str):
        super().__init__("renew-h2", directory)
        script = REPOSITORY / "tests" / "integration" / "renew-h2.js"
        self.spawn(["node", script, server.guarded_url + in_url(first), CA, *others])

    def said(self) -> list[dict]:
        return [json.loads(line) for line in self.text().splitlines()]

    def challenges(self) -> list[float]:
        return [one["at"] for one in self.said() if one.get("event", "").startswith("event:chal")]


def test_renewals_on_the_streams_own_http2_connection(guarded_front, tmp_path):
    tokens = [rsa_key().mint(WINDOW + ttl) for ttl in (1, 2.2, 3.4, 4.6)]
    client = H2(guarded_front, tmp_path, *tokens)
    assert client.process.wait(timeout=60) == 0, client.text()
    said = client.said()
    assert [one["renewal"] for one in said if "renewal" in one] == [204] * 3
    ends = [claims(token)["exp"] for token in tokens]
    late = [at - (end - WINDOW) for at, end in zip(client.challenges(), ends, strict=True)]
    assert all(-0.05 < by < LATE for by in late), late
    end = next(one for one in said if "end" in one)
    assert end["end"] == 0 and -0.05 < end["at"] - ends[-1] < LATE
    assert {"ping": "answered"} in said, "the connection outlives the stream"


# Ways in


PATHS = [
    "/events",
    "//events",
    "/events/",
    "/%65vents",
    "/events%3F",
    "/events%00",
    "/./events",
    "/x/../events",
    "/events/../events",
    "/events;x=y",
    "/events%2F",
    "/%2Fevents",
    "/EVENTS",
    "\\events",
    "/events?access_token=",
    "/events?access_token",
    "/events?%61ccess_token=x",
    "/events?access_token=eyJhbGciOiJub25lIn0.e30.",
    "http://localhost/events",
    "http://localhost:8080/events",
    "https://127.0.0.1/events",
    "*",
    "events",
]


def raw(server: Lighttpd, said: bytes, host: str = "127.0.0.1") -> bytes:
    """What comes back within a moment, as far as an answer's head."""
    context = ssl.create_default_context(cafile=str(CA))
    with socket.create_connection((host, server.guarded[1]), timeout=60) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.sendall(said)
            tls.settimeout(3)
            got = b""
            try:
                while b"\r\n\r\n" not in got and (more := tls.recv(4096)):
                    got += more
            except TimeoutError:
                pass
    return got


def test_there_is_no_way_in_without_a_token(topic, front):
    """PROTOCOL 4.1."""
    server = front(topic)
    for path in PATHS:
        for line in (f"GET {path} HTTP/1.1", f"GET {path} HTTP/1.0", f"HEAD {path} HTTP/1.1"):
            for more in ("", "Cookie: access_token=x\r\nX-Original-URL: /events\r\n"):
                head = f"{line}\r\nHost: localhost\r\n{more}\r\n".encode()
                answer = raw(server, head)
                assert b"text/event-stream" not in answer, line
                assert not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")), line
    spoofed = b"SKF-Require-Guard: 0\r\nSKF_REQUIRE_GUARD: 0\r\nRequest-Method: OPTIONS\r\n"
    double = b"GET /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    for said in (
        b"GET /events HTTP/1.1\r\nHost: localhost\r\n" + spoofed + b"\r\n",
        b"GET /events HTTP/1.1\r\nHost: localhost\r\nHTTP_AUTHORIZATION: Bearer x\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: GET\r\n"
        b"Content-Length: 0\r\n\r\n",
        double,
        b"GET /events\r\n\r\n",
    ):
        assert b"text/event-stream" not in raw(server, said)


def test_every_listener_of_the_guarded_port_asks_for_a_token(topic, front):
    server = front(topic)
    good = private_key().mint(scope=SCOPE)
    for host in ("127.0.0.1", "[::1]", "localhost"):
        for way in ("--http1.1", "--http2", "--http1.0"):
            for options, target in (
                ([], "/events"),
                (["-I"], "/events"),
                (["-H", "Accept: text/event-stream"], "/events?access_token=x"),
                (["-b", f"access_token={good}"], "/events"),
                (["-u", "a:b"], "/events"),
                (["-d", "", "-H", f"Content-Type: {RENEWAL}"], "/events"),
            ):
                answer = curl(server, target, way, *options, host=host)
                answer.wait(lambda: answer.closed)
                assert answer.status == 401, (host, way, options)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.headers["access-control-allow-origin"] == "*"
            stream = curl(server, "/events", way, "-H", f"Authorization: Bearer {good}", host=host)
            assert stream.wait_started().status == 200
            stream.close()


def test_the_open_ports_know_no_renewals_and_the_guarded_one_no_open_pool(start, topic, front):
    """The guarded port in front of responders without keys, as after a slip in the configuration."""
    server = front(topic, responders=[start(topic), start(topic)])
    assert HttpReader(server.http).wait_started().status == 200
    for way in ("--http1.1", "--http2"):
        for options in ([], ["-I"], ["-d", "", "-H", f"Content-Type: {RENEWAL}"]):
            for host in ("127.0.0.1", "[::1]"):
                answer = curl(server, "/events", way, *options, host=host)
                answer.wait(lambda: answer.closed)
                assert answer.status == 500


def test_two_tokens_of_8000_bytes_pass(guarded_front):
    first = rsa_key().mint(WINDOW + 1, fill="x" * 5300)
    assert 7500 < len(first) < 8192
    stream = curl(guarded_front, in_url(first), "--http2").wait_started()
    later = rsa_key().mint(WINDOW + 2, fill="x" * 5300)
    for way in ("--http1.1", "--http2"):
        assert renewal_by_curl(guarded_front, later, in_url(first), way).status == 204
    while (challenge := stream.next()).at < exp(later) - WINDOW - 0.05:
        assert challenge.raw == CHALLENGE, "of the first, if the machine is busy"
    assert challenge.raw == CHALLENGE
    assert challenge.at - (exp(later) - WINDOW) < LATE
    stream.close()


# Logs


def test_no_token_is_in_any_log_also_when_responders_die(kafka, topic, front):
    """Looked for after every test of all (conftest.py); this one provokes it."""
    server = front(topic)
    key = private_key()
    tokens = [key.mint(60, sub=f"s{n}", scope=SCOPE) for n in range(8)]
    streams = [curl(server, in_url(t), way) for t in tokens[:4] for way in ("--http2", "--http1.1")]
    streams += [curl(server, "/events", "-H", f"Authorization: Bearer {tokens[4]}")]
    pump(streams, lambda: all(stream.retry for stream in streams))
    streams.pop(0).close()
    odd_targets = ["/events?access_token={}", "/nothing;{}", "/{}", "/demo-key.json?{}"]
    for n, odd in enumerate(odd_targets):
        token = tokens[n].replace(".", "%2e") if n % 2 else tokens[n]
        referer = ["-H", f"Referer: https://localhost/?access_token={token}"]
        answer = curl(server, odd.format(token), "-X", "PUT", "-d", "", *referer)
        answer.wait(lambda: answer.closed)
        renewal_by_curl(server, tokens[5], odd.format(tokens[5]))
        HttpReader(server.http, odd.format(token), bearer(token)).wait_head().close()
    for pid in server.guarded_responders() + server.responders():
        os.kill(pid, signal.SIGKILL)
    pump(streams, lambda: all(stream.closed or stream.ended for stream in streams))
    for token in tokens * 2:  # while they are down, and when they are back
        answer = curl(server, in_url(token), "-m", "1")
        answer.wait(lambda: answer.closed or answer.retry)
        answer.close()
    server.stop()
    logs = server.all_logs()
    assert "/events" in logs and "GET" in logs, "there is a log at all"
    assert "eyJ" not in logs.replace("eyJ-", ""), "what the script makes of a token"
    assert "unexpected end-of-file" in logs or "response" in logs, "lighttpd spoke of the death"


# Many


def forged(count: int) -> list[str]:
    """Everything is right but the signature, and each is another."""
    header = b64({"alg": "RS256", "kid": "rsa", "typ": "JWT"})
    good = claims(rsa_key().mint(600))
    return [
        f"{header}.{b64(good | {'jti': str(n)})}.{b64(secrets.token_bytes(256))}"
        for n in range(count)
    ]


FLOOD_SECONDS, FLOOD_RATE = 4, 4000  # nearly twice what one core can verify


def flood(address: str, tokens: list[str], sent: multiprocessing.Value) -> None:
    """In a process of its own; it never waits for an answer."""
    requests = [fastcgi.request(fastcgi.cgi("GET", in_url(t), {}).items()) for t in tokens]
    open_: list[socket.socket] = []
    began = time.monotonic()
    while (now := time.monotonic() - began) < FLOOD_SECONDS:
        if sent.value > now * FLOOD_RATE:
            time.sleep(0.001)
            continue
        try:
            open_.append(connect(address))
            open_[-1].sendall(requests[sent.value % len(requests)])
            sent.value += 1
        except BlockingIOError:
            time.sleep(0.001)  # the backlog of the listening socket is full
        if len(open_) > 500:
            open_.pop(0).close()


def time_to_open(responder: Responder, token: str) -> float:
    """Like a client, and a front, that try again."""

    def opened() -> bool:
        try:
            return responder.send("GET", in_url(token)).wait_head().status == 200
        except BlockingIOError:
            return False  # the backlog of its listening socket is full

    began = time.monotonic()
    wait_until(opened, what="a good token is let in")
    return time.monotonic() - began


def test_a_flood_of_forged_tokens_delays_neither_events_nor_good_tokens(
    kafka, topic, start, keys, note
):
    responder = start(topic, *keys.options(), "--log-level", "warn")
    streams = [responder.open(target=in_url(rsa_key().mint())) for _ in range(5)]
    known = rsa_key().mint(sub="known")
    responder.open(target=in_url(known)).close()
    kafka.put(topic, "k", "before")
    pump(streams, lambda: all(stream.events for stream in streams))
    others = multiprocessing.get_context("spawn")
    sent = others.Value("i", 0)
    arguments = (responder.address, forged(2000), sent)
    attacker = others.Process(target=flood, args=arguments)
    attacker.start()
    delays, openings, knowns = [], [], []
    try:
        wait_until(lambda: sent.value > 500)
        while attacker.is_alive() or not openings:
            appended = kafka.put(topic, "k", f"{len(delays)}") and time.monotonic()
            want = len(delays) + 2
            pump(streams, lambda: all(len(stream.events) == want for stream in streams))
            delays.append(max(stream.events[-1].at for stream in streams) - appended)
            knowns.append(time_to_open(responder, known))
            if len(delays) % 10 == 0:
                good = rsa_key().mint(sub=f"s{len(openings)}")
                openings.append(time_to_open(responder, good))
    finally:
        attacker.kill()
        attacker.join()
    note("forged tokens a second", round(sent.value / FLOOD_SECONDS))
    note("events during the flood, s late median/max", f"{median(delays):.3f}/{max(delays):.3f}")
    note("a known token opens within s median/max", f"{median(knowns):.3f}/{max(knowns):.3f}")
    note("a new good token opens within s", round(max(openings), 3))
    assert sent.value > FLOOD_SECONDS * FLOOD_RATE / 8, "not much of a flood"
    # Not the greatest: whatever else runs on this machine delays one or the other. Behind the
    # signatures they would have to wait for as long as a new token.
    assert median(delays) < 1
    assert median(knowns) < 1
    assert max(openings) < 30


def test_known_tokens_that_come_back_cost_no_signature(start, keys, note):
    """A storm of reconnects: each token was verified once, and is not again."""
    number = 600
    responder = start("events", *keys.options(), brokers=f"127.0.0.1:{free_port()}")
    tokens = [ec_key().mint(600, sub=f"s{n}") for n in range(number)]

    def storm() -> float:
        before = cpu_seconds(responder.pid)
        streams = [responder.send("GET", in_url(token)) for token in tokens]
        pump(streams, lambda: all(stream.retry for stream in streams))
        assert all(stream.status == 200 for stream in streams)
        cost = cpu_seconds(responder.pid) - before
        for stream in streams:
            stream.close()
        wait_until(lambda: unix_connections(responder.pid) == 1)
        return cost

    first, second = storm(), storm()
    note(f"CPU seconds for {number} tokens, first and again", f"{first:.2f}, {second:.2f}")
    if not SANITIZED:  # else all that is not OpenSSL's costs several times as much
        assert second < first / 2

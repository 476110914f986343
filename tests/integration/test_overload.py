"""Limits, and the end of a responder: whoever gets no stream is told in a way it survives."""

import json
import signal
import socket
import time

import pytest

import fastcgi
from eventid import encode
from helpers import PROGRAM, answers, free_port, unix_connections, wait_until
from kafka import numbered
from sse import EVENT_STREAM, EventReader, pump
from tokens import RENEWAL, Jwks, bearer, in_url, rsa_key

STREAM = {"Accept": "text/event-stream"}
PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}


@pytest.fixture
def keys(tmp_path) -> Jwks:
    return Jwks(tmp_path / "jwks.json", rsa_key())


@pytest.fixture
def lonely(start):
    """lonely(option..): a responder without a Kafka, whose streams stay empty."""

    def start_lonely(*options: str):
        return start("events", *options, brokers=f"127.0.0.1:{free_port()}")

    return start_lonely


def assert_come_back(answer: EventReader) -> None:
    """What EventSource survives: 200, a time to come back, the end, and nothing else."""
    answer.wait_end()
    assert answer.status == 200
    assert answer.headers["content-type"] == EVENT_STREAM
    assert answer.headers["access-control-allow-origin"] == "*"
    assert bytes(answer.body) == b"retry:%d\n" % answer.retry[0]
    assert 10000 <= answer.retry[0] <= 30000


def assert_retry_after(answer: EventReader) -> None:
    answer.wait_end()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["access-control-allow-origin"] == "*"


def visit(responder, address: str = "127.0.0.1", target: str = "/events") -> EventReader:
    return responder.send(target=target, headers=STREAM, params={"REMOTE_ADDR": address})


def is_let_in(answer: EventReader) -> bool:
    """Whoever is turned away has a longer time to wait."""
    return answer.wait_started().retry[0] < 10_000


def open_from(responder, address: str) -> EventReader:
    return responder.open(params={"REMOTE_ADDR": address})


# Limits


def test_a_full_responder_tells_clients_to_come_back(lonely):
    """PROTOCOL 6.1, 6.2."""
    responder = lonely("--max-streams", "2")
    streams = [responder.open() for _ in range(2)]
    retries = set()
    for _ in range(10):
        answer = visit(responder)
        assert_come_back(answer)
        retries.add(answer.retry[0])
    assert len(retries) > 5, "they come back at different times"
    assert_retry_after(responder.send())
    assert_retry_after(responder.send(headers={"Accept": "*/*"}))
    assert responder.send("HEAD", headers=STREAM).wait_end().status == 200
    assert responder.send("OPTIONS", headers=PREFLIGHT).wait_end().status == 204
    assert responder.send("PUT").wait_end().status == 405
    assert responder.text().count("warn: front: clients are told") == 1, "once, not per client"
    streams[0].close()
    wait_until(lambda: is_let_in(visit(responder)))


def test_a_full_responder_answers_every_token_alike(lonely, keys):
    """PROTOCOL 6.1."""
    responder = lonely(*keys.options("--max-streams", "1"))
    good = rsa_key().mint()
    stream = responder.open(target=in_url(good))
    for token in (good, rsa_key().mint(-5), "a.b.c"):
        assert_come_back(visit(responder, target=in_url(token)))
    assert not stream.ended


def test_streams_of_one_address(lonely):
    responder = lonely("--max-streams-per-address", "2")
    streams = [open_from(responder, "192.0.2.1") for _ in range(2)]
    assert_come_back(visit(responder, "192.0.2.1"))
    assert_come_back(visit(responder, "::ffff:192.0.2.1"))
    streams.append(open_from(responder, "192.0.2.2"))
    # One customer has a /64.
    streams += [open_from(responder, f"2001:db8:1:2::{i}") for i in range(2)]
    assert_come_back(visit(responder, "2001:db8:1:2:3::"))
    streams.append(open_from(responder, "2001:db8:1:3::"))
    # What says nothing useful is one address, too.
    streams += [open_from(responder, address) for address in ("", "unix:")]
    assert_come_back(visit(responder, "nonsense"))
    streams[0].close()
    wait_until(lambda: is_let_in(visit(responder, "192.0.2.1")))


def test_streams_of_one_subject(lonely, keys):
    responder = lonely(*keys.options("--max-streams-per-subject", "2"))
    alice = [rsa_key().mint(sub="alice") for _ in range(3)]
    streams = [responder.open(target=in_url(token)) for token in alice[:2]]
    assert_come_back(visit(responder, target=in_url(alice[2])))
    streams.append(responder.open(target=in_url(rsa_key().mint(sub="bob"))))
    streams[0].close()
    wait_until(lambda: is_let_in(visit(responder, target=in_url(alice[2]))))


@pytest.mark.parametrize("kind", ["address", "subject"])
def test_to_open_and_close_in_a_loop_has_a_limit(lonely, keys, kind):
    responder = lonely(*keys.options("--max-opens-per-minute", "20"))
    began = time.monotonic()
    for i in range(20):
        address = "192.0.2.1" if kind == "address" else f"192.0.2.{i}"
        subject = "alice" if kind == "subject" else f"user{i}"
        target = in_url(rsa_key().mint(sub=subject))
        responder.open(target=target, params={"REMOTE_ADDR": address}).close()
    refused = "192.0.2.1" if kind == "address" else "192.0.2.99"
    target = in_url(rsa_key().mint(sub="alice" if kind == "subject" else "other"))
    more = 0
    while is_let_in(answer := visit(responder, refused, target)):
        more += 1  # one every three seconds: this took as long
    assert more <= (time.monotonic() - began) / 3
    assert_come_back(answer)
    assert is_let_in(visit(responder, "192.0.2.200", in_url(rsa_key().mint(sub="bob"))))
    began = time.monotonic()
    wait_until(lambda: is_let_in(visit(responder, refused, target)))
    assert time.monotonic() - began < 20


BAD = "a.b.c"


def try_bad(responder, how, address):
    headers = {"Content-Type": RENEWAL, **bearer(BAD)} if how == "POST" else {}
    target = "/events" if how == "POST" else in_url(BAD)
    return responder.send(how, target, headers, params={"REMOTE_ADDR": address}).wait_end()


@pytest.mark.parametrize("how", ["GET", "HEAD", "POST"])
def test_refused_tokens_of_an_address_have_a_limit(lonely, keys, how):
    """Whatever brings them; whoever was let in before from there goes on."""
    responder = lonely(*keys.options("--max-attempts-per-minute", "20"))
    known = in_url(rsa_key().mint(600))
    assert is_let_in(visit(responder, "192.0.2.1", known))
    began, statuses = time.monotonic(), []
    while not statuses or statuses[-1] == 401:
        statuses.append(try_bad(responder, how, "192.0.2.1").status)
    more = len(statuses) - 1 - 20  # one every three seconds: this took as long
    assert 0 <= more <= (time.monotonic() - began) / 3
    assert statuses[-1] == 503
    assert try_bad(responder, how, "192.0.2.2").status == 401
    assert is_let_in(visit(responder, "192.0.2.1", known))
    assert "too many refused tokens of an address" in responder.text()


def test_a_refused_token_is_no_opening(lonely, keys):
    responder = lonely(*keys.options("--max-opens-per-minute", "1"))
    for _ in range(10):
        assert try_bad(responder, "GET", "192.0.2.1").status == 401
    assert is_let_in(visit(responder, "192.0.2.1", in_url(rsa_key().mint())))


@pytest.mark.parametrize("with_keys", [False, True])
def test_the_age_of_a_stream_is_limited_and_spread(lonely, keys, with_keys, note):
    options = ["--max-stream-age", "3"]
    responder = lonely(*(keys.options(*options) if with_keys else options))
    target = in_url(rsa_key().mint()) if with_keys else "/events"
    for _ in range(3):
        began = time.monotonic()
        ends = ends_of([responder.open(target=target) for _ in range(30)], began)
        note("ends of an age of 3 s, first and last", (round(ends[0], 2), round(ends[-1], 2)))
        assert ends[0] > 2.6
        assert ends[-1] < 9
        if ends[-1] - ends[0] > 0.1:
            break  # else we may have been busy elsewhere when they ended
    else:
        raise AssertionError("they all come back at once")


def ends_of(streams: list[EventReader], began: float) -> list[float]:
    """The end of each as it was seen, in seconds after `began`."""
    ends: list[float] = []

    def note_ends() -> bool:
        ended = sum(stream.ended for stream in streams)
        ends.extend([time.monotonic() - began] * (ended - len(ends)))
        return ended == len(streams)

    pump(streams, note_ends)
    return ends


# The end of a responder


def test_streams_are_ended_over_the_drain_time(kafka, topic, start, note):
    """PROTOCOL 6.3."""
    responder = start(topic, "--drain", "5", "--retry", "1000")
    kafka.produce(topic, *numbered(10, keys=10))
    streams = [responder.open() for _ in range(100)]
    pump(streams, lambda: all(len(s.events) == 10 for s in streams))
    began = time.monotonic()
    responder.process.send_signal(signal.SIGTERM)
    kafka.produce(topic, *numbered(1, keys=1, start=10))  # also while it stops
    ends = ends_of(streams, began)
    assert responder.end() == 0
    note("ends over a drain of 5 s: first, middle, last", [round(ends[i], 2) for i in (0, 50, 99)])
    assert 4 < ends[-1] < 9
    assert 1.5 < ends[50] < 4.7, "evenly spread"
    for stream in streams:
        first, last = stream.retry
        assert 500 <= last <= 1500
        assert bytes(stream.body).endswith(b"retry:%d\n" % last)
    assert len({s.retry[1] for s in streams}) > 50
    assert streams[-1].events[-1].id in (encode({0: 10}), encode({0: 11}))


def test_what_waits_in_the_backlog_is_answered(lonely):
    responder = lonely("--drain", "1")
    responder.process.send_signal(signal.SIGSTOP)
    waiting = [visit(responder) for _ in range(2000)]
    responder.process.send_signal(signal.SIGTERM)
    responder.process.send_signal(signal.SIGCONT)
    pump(waiting, lambda: all(answer.ended for answer in waiting))
    assert responder.end() == 0
    # Some hundred are accepted before the signal is looked at, and are ended as streams.
    turned_away = [answer for answer in waiting if b"\n:\n" not in answer.body]
    assert len(turned_away) > 500
    for answer in turned_away:
        assert_come_back(answer)


def test_a_crowd_that_connects_before_it_sends_is_served_to_the_last(lonely, note):
    """As h2o does it: 3000 connections, and then the requests on them."""
    responder = lonely()
    began = time.monotonic()
    crowd = [fastcgi.FastCgiReader(responder.address) for _ in range(3000)]
    note("3000 connections took s", round(time.monotonic() - began, 2))
    said = fastcgi.request(fastcgi.cgi("GET", "/events", STREAM).items())
    for visitor in crowd:
        visitor.say(said)
    pump(crowd, lambda: all(visitor.retry or visitor.closed for visitor in crowd))
    assert sum(visitor.status == 200 for visitor in crowd) == 3000


def test_who_does_not_send_all_makes_room_for_those_who_wait(lonely):
    responder = lonely()
    said = fastcgi.request(fastcgi.cgi("GET", "/events", STREAM).items())
    slow = [fastcgi.FastCgiReader(responder.address, said[:-1]) for _ in range(1024)]
    quick = [fastcgi.FastCgiReader(responder.address, said) for _ in range(100)]
    pump(quick, lambda: all(visitor.retry or visitor.closed for visitor in quick))
    assert all(visitor.status == 200 for visitor in quick)
    wait_until(lambda: "too many requests arrive at once" in responder.text())
    pump(slow, lambda: any(visitor.ended for visitor in slow))
    told = next(visitor for visitor in slow if visitor.ended)
    assert (told.status, told.headers["retry-after"]) == (503, "10")
    assert json.loads(told.body)["reason"] == "busy"


def test_the_front_can_turn_to_others_while_streams_are_ended(lonely):
    responder = lonely("--drain", "60")
    streams = [responder.open() for _ in range(10)]
    responder.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not answers(responder.address))
    assert not streams[-1].ended
    responder.stop()


def test_a_second_signal_ends_it_at_once(lonely):
    responder = lonely("--drain", "60")
    streams = [responder.open() for _ in range(50)]
    responder.process.send_signal(signal.SIGINT)
    wait_until(lambda: not answers(responder.address))
    pump(streams, lambda: any(s.ended for s in streams))
    began = time.monotonic()
    assert responder.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 20


def test_a_socket_held_by_a_supervisor_keeps_requests_for_the_successor(tmp_path, lonely):
    responder = lonely("--drain", "2")
    path = str(tmp_path / "held.sock")
    holder = socket.socket(socket.AF_UNIX)
    holder.bind(path)
    holder.listen(100)

    def spawn() -> None:
        responder.spawn([PROGRAM, *responder.options], cwd=tmp_path, stdin=holder)

    responder.stop()
    responder.address = path
    spawn()
    stream = responder.open()
    responder.process.send_signal(signal.SIGTERM)
    stream.wait_end()
    assert responder.process.wait(60) == 0
    waiting = visit(responder)
    spawn()
    waiting.wait_started()
    assert waiting.status == 200 and not waiting.ended
    responder.stop()
    holder.close()


def test_a_request_that_was_half_there_is_answered_before_the_end(lonely):
    responder = lonely()
    said = fastcgi.request(fastcgi.cgi("GET", "/events", STREAM).items())
    half = fastcgi.FastCgiReader(responder.address, said[:30])
    wait_until(lambda: unix_connections(responder.pid) > 1, what="its connection")
    responder.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in responder.text())
    half.say(said[30:])
    assert_come_back(half)
    assert responder.end() == 0


def test_a_request_that_stays_half_there_does_not_keep_it_from_ending(lonely):
    responder = lonely()
    said = fastcgi.request(fastcgi.cgi("GET", "/events", STREAM).items())
    half = fastcgi.FastCgiReader(responder.address, said[:30])
    wait_until(lambda: unix_connections(responder.pid) > 1, what="its connection")
    assert responder.end(signal.SIGTERM) == 0
    half.wait(lambda: half.closed)


def test_a_responder_without_streams_ends_at_once(lonely):
    responder = lonely("--drain", "60")
    began = time.monotonic()
    responder.stop()
    assert time.monotonic() - began < 20

"""Streams that are told to select something else: ?stream=HANDLE, and a POST to it."""

import base64
import json
import os
import random
import secrets
import signal
from urllib.parse import urlencode

import pytest

from helpers import wait_until
from kafka import Record
from responder import Responder
from sse import pump
from tokens import AUDIENCE, ISSUER, SCOPE, Jwks, bearer, rsa_key

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def new_handle() -> str:
    return secrets.token_urlsafe(24)


def events_of(stream, n: int) -> list[tuple[str, bytes]]:
    return [(event.event, event.data) for event in stream.take(n)]


def tell(responder: Responder, handle: str, body: str, path: str = "/events", headers: dict | None = None):
    request = responder.send(
        "POST", f"{path}?stream={handle}", headers=FORM | (headers or {}), body=body.encode()
    )
    return request.wait_end()


def reason(answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["reason"]


def listen(responder: Responder, handle: str, query: str = "", last_event_id: str | None = None, **request):
    return responder.open(last_event_id, target=f"/events?stream={handle}{query}", **request)


def test_a_stream_that_is_told_gets_what_differs(kafka, topic, start):
    """PROTOCOL 16.1, 16.4, 16.5. Deletes for what leaves, newest records for what comes; then live."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"), Record(b"c d", b"3"))
    responder = start(topic)
    handle = new_handle()
    stream = listen(responder, handle, "&key=a&key=b")
    assert events_of(stream, 2) == [("message", b"1"), ("message", b"2")]
    assert tell(responder, handle, "key=b&key=c+d").status == 204
    assert events_of(stream, 2) == [("delete", b"YQ=="), ("message", b"3")]
    assert tell(responder, handle, "key=c%20d&key=b").status == 204
    kafka.produce(topic, Record(b"a", b"4"), Record(b"b", b"5"))
    assert events_of(stream, 1) == [("message", b"5")]
    assert tell(responder, handle, "").status == 204
    assert events_of(stream, 1) == [("message", b"4")]


def test_a_handle_is_32_to_64_characters(kafka, topic, start):
    """PROTOCOL 16.1, 16.3."""
    responder = start(topic)
    for bad in ("", "x" * 31, "x" * 65, "x" * 31 + ".", f"{'x' * 32}&stream={'x' * 32}"):
        assert reason(responder.send(target=f"/events?stream={bad}").wait_end()) == (400, "stream_invalid")
        assert reason(tell(responder, bad, "key=a")) == (400, "stream_invalid")
    assert reason(responder.send("POST", headers=FORM, body=b"key=a").wait_end()) == (400, "stream_invalid")
    assert reason(tell(responder, new_handle(), "key=a")) == (404, "stream_unknown")
    assert reason(tell(responder, new_handle(), "header:x=a")) == (400, "filter_unknown")
    assert reason(tell(responder, new_handle(), urlencode([("key", i) for i in range(257)]))) == (
        400,
        "filter_too_large",
    )
    assert reason(tell(responder, new_handle(), "key=" + "x" * 8200)) == (413, "too_large")


def test_it_is_told_ten_times_a_second(kafka, topic, start):
    """PROTOCOL 16.3."""
    responder = start(topic)
    handle = new_handle()
    listen(responder, handle)
    statuses = [tell(responder, handle, f"key={i}").status for i in range(40)]
    assert 429 in statuses
    assert set(statuses) <= {204, 429}


def test_a_second_stream_ends_the_first_which_does_not_come_back(kafka, topic, start):
    """PROTOCOL 16.2."""
    responder = start(topic)
    handle = new_handle()
    first = listen(responder, handle)
    second = listen(responder, handle)
    first.wait_end()
    assert b"retry:86400000\n" in first.body
    kafka.produce(topic, Record(b"a", b"1"))
    assert events_of(second, 1) == [("message", b"1")]


def test_what_is_told_between_two_connections_is_not_lost(kafka, topic, start):
    """PROTOCOL 16.6. It comes back with another tag than its id's: a reset, and what it was told."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    responder = start(topic)
    handle = new_handle()
    stream = listen(responder, handle, "&key=a")
    (event,) = stream.take(1)
    stream.close()
    assert tell(responder, handle, "key=b").status == 204
    back = listen(responder, handle, "&key=a", event.id)
    assert [e.event for e in back.take(2)] == ["reset", "message"]
    assert back.events[-1].data == b"2"
    again = listen(responder, handle, "&key=a", back.events[-1].id)
    kafka.produce(topic, Record(b"a", b"3"), Record(b"b", b"4"))
    assert events_of(again, 1) == [("message", b"4")]
    anew = listen(responder, handle, "&key=a")
    assert events_of(anew, 1) == [("message", b"3")]


def test_anothers_handle_is_unknown(kafka, topic, start, tmp_path):
    """PROTOCOL 16.2, 16.3. Nobody learns whether there is a stream of that handle."""
    key = rsa_key()
    jwks = Jwks(tmp_path / "jwks.json", key)
    guard = ["--jwks", str(jwks.path), "--issuer", ISSUER, "--audience", AUDIENCE, "--scope", SCOPE]
    responder = start(topic, *guard)
    handle = new_handle()
    alice, bob = (bearer(key.mint(sub=sub)) for sub in ("alice", "bob"))
    listen(responder, handle, headers=alice)
    assert reason(tell(responder, handle, "key=a", headers=bob)) == (404, "stream_unknown")
    assert reason(tell(responder, handle, "key=a")) == (401, "token_missing")
    assert tell(responder, handle, "key=a", headers=alice).status == 204


def table_of(stream) -> dict[str, str]:
    """What a client holds; each value begins with its key."""
    table = {}
    for event in stream.events:
        if event.event == "reset":
            table.clear()
        elif event.event == "delete":
            table.pop(base64.urlsafe_b64decode(event.data).decode(), None)
        elif event.event == "message" and event.data:
            table[event.data.decode().split("=")[0]] = event.data.decode()
    return table


def test_whatever_is_told_the_table_is_the_topic_through_it(kafka, topic, start):
    """PROTOCOL 16.4, 16.5. Random selections against a writer."""
    chance = random.Random(7)
    keys = [f"k{i}" for i in range(20)]
    responder = start(topic)
    handle = new_handle()
    newest: dict[str, str | None] = {}
    stream = listen(responder, handle, "&key=k0")
    selected = ["k0"]
    for i in range(60):
        written = {key: None if chance.random() < 0.2 else f"{key}={i}" for key in chance.sample(keys, 5)}
        kafka.produce(topic, *(Record(key.encode(), value and value.encode()) for key, value in written.items()))
        newest |= written
        wanted = chance.sample(keys, chance.randrange(1, 12))
        if i % 3 == 0 and tell(responder, handle, urlencode([("key", key) for key in wanted])).status == 204:
            selected = wanted
    expected = {key: newest[key] for key in selected if newest.get(key)}
    pump([stream], lambda: table_of(stream) == expected)
    assert not [event for event in stream.events if event.event == "reset"]


@pytest.fixture
def pool(start, topic, tmp_path):
    """Three responders that know each other."""
    directory = tmp_path / "peers"
    directory.mkdir(mode=0o700)
    started = [start(topic, "--peer-dir", str(directory), "--drain", "1") for _ in range(3)]
    # It listens for requests before it joins; each looks round when it has something to tell.
    wait_until(lambda: sum(path.is_socket() for path in directory.iterdir()) == 3, what="the pool")
    return started


def test_any_responder_of_the_pool_can_be_told(kafka, topic, pool):
    """PROTOCOL 16.7."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    handle = new_handle()
    stream = listen(pool[0], handle, "&key=a")
    assert events_of(stream, 1) == [("message", b"1")]
    assert tell(pool[1], handle, "key=b").status == 204
    assert events_of(stream, 2) == [("delete", b"YQ=="), ("message", b"2")]
    assert tell(pool[2], handle, "key=a&key=b").status == 204
    assert events_of(stream, 1) == [("message", b"1")]
    assert reason(tell(pool[1], new_handle(), "key=a")) == (404, "stream_unknown")


def test_a_second_stream_at_another_responder_ends_the_first(kafka, topic, pool):
    """PROTOCOL 16.2, 16.7. And neither comes back every two seconds."""
    handle = new_handle()
    first = listen(pool[0], handle)
    second = listen(pool[1], handle)
    first.wait_end()
    assert b"retry:86400000\n" in first.body
    third = listen(pool[2], handle)
    second.wait_end()
    kafka.produce(topic, Record(b"a", b"1"))
    assert events_of(third, 1) == [("message", b"1")]


def told_otherwise(kafka, topic, pool, by: Responder):
    """A stream of the first, which that one has told to select b in place of a: its handle, it, its last event."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    handle = new_handle()
    stream = listen(pool[0], handle, "&key=a")
    stream.take(1)
    assert tell(by, handle, "key=b").status == 204
    stream.take(2)
    kafka.produce(topic, Record(b"b", b"3"))
    (event,) = stream.take(1)
    return handle, stream, event


def test_who_comes_back_at_another_responder_goes_on_with_what_it_was_told(kafka, topic, pool):
    """PROTOCOL 16.6, 16.7."""
    handle, stream, event = told_otherwise(kafka, topic, pool, by=pool[1])
    back = listen(pool[1], handle, "&key=a", event.id)
    kafka.produce(topic, Record(b"a", b"4"), Record(b"b", b"5"))
    assert events_of(back, 1) == [("message", b"5")]
    stream.wait_end()


def test_a_responder_that_drains_passes_its_handles_on(kafka, topic, pool):
    """PROTOCOL 16.7."""
    handle, _, event = told_otherwise(kafka, topic, pool, by=pool[0])
    pool[0].stop()
    back = listen(pool[1], handle, "&key=a", event.id)
    kafka.produce(topic, Record(b"a", b"4"), Record(b"b", b"5"))
    assert events_of(back, 1) == [("message", b"5")]


def test_what_has_come_while_one_drains_is_passed_on_to_at_its_end(topic, start, tmp_path):
    """PROTOCOL 16.7."""
    peers = tmp_path / "peers"
    peers.mkdir(mode=0o700)
    first = start(topic, "--peer-dir", str(peers), "--drain", "60")
    handle = new_handle()
    streams = [listen(first, handle), first.open(), first.open()]  # they end one after the other
    os.kill(first.pid, signal.SIGTERM)
    wait_until(lambda: f"stopping: {len(streams)} stream(s)" in first.text())
    second = start(topic, "--peer-dir", str(peers))
    wait_until(lambda: sum(path.is_socket() for path in peers.iterdir()) == 2, what="the pool")
    assert tell(second, handle, "key=a").status == 204
    first.end(signal.SIGTERM)
    assert tell(second, handle, "key=b").status == 204


def test_one_that_dies_forgets_them(kafka, topic, pool):
    """PROTOCOL 16.7. The tag of the id then leads to a reset."""
    handle, _, event = told_otherwise(kafka, topic, pool, by=pool[2])
    pool[0].end(signal.SIGKILL)
    assert reason(tell(pool[1], handle, "key=a")) == (404, "stream_unknown")
    back = listen(pool[1], handle, "&key=a", event.id)
    assert events_of(back, 2)[0][0] == "reset"
    assert back.events[-1].data == b"1"


def test_while_a_peer_cannot_be_asked_it_is_told_to_come_back(kafka, topic, pool):
    """PROTOCOL 16.7."""
    handle = new_handle()
    listen(pool[1], handle)
    os.kill(pool[0].pid, signal.SIGSTOP)
    try:
        assert tell(pool[2], handle, "key=a").status == 204
        answer = tell(pool[2], new_handle(), "key=a")
        assert reason(answer) == (503, "busy")
        assert "retry-after" in answer.headers
    finally:
        os.kill(pool[0].pid, signal.SIGCONT)


def test_what_is_told_while_its_responder_drains_is_not_lost(kafka, topic, pool):
    """PROTOCOL 16.6, 16.7. Two remember the handle then, and only one of them is told."""
    handle, stream, event = told_otherwise(kafka, topic, pool, by=pool[0])
    os.kill(pool[0].pid, signal.SIGTERM)
    stream.wait_end()
    assert tell(pool[1], handle, "key=a").status == 204
    back = listen(pool[2], handle, "&key=b", event.id)
    # It begins with what was told, or moves there, as its responder hears of it before or after.
    assert [e.event for e in back.take(2)] in (["reset", "message"], ["delete", "message"])
    assert back.events[-1].data == b"1"


def test_who_comes_back_while_a_responder_hangs_gets_what_it_was_told_when_that_answers(kafka, topic, pool):
    """PROTOCOL 16.7."""
    handle, _, event = told_otherwise(kafka, topic, pool, by=pool[0])
    os.kill(pool[0].pid, signal.SIGSTOP)
    try:
        back = listen(pool[1], handle, "&key=a", event.id)
        assert [e.event for e in back.take(2)] == ["reset", "message"]
        assert back.events[-1].data == b"1"
    finally:
        os.kill(pool[0].pid, signal.SIGCONT)
    assert events_of(back, 2) == [("delete", b"YQ=="), ("message", b"3")]


def test_who_breaks_off_amid_a_long_move_is_reset_at_another_responder(kafka, topic, pool):
    """PROTOCOL 16.5, 16.7. Its id has one more `~`; then it is given all of what it was told."""
    keys = [f"k{i:04}" for i in range(10_000)]
    kafka.produce(topic, *(Record(key.encode(), f"{key}={'x' * 500}".encode()) for key in keys))
    handle = new_handle()
    stream = listen(pool[0], handle, "&key=k0000")
    stream.take(1)
    assert tell(pool[1], handle, "").status == 204
    amid = stream.take(100)[-1]
    stream.close()
    assert amid.id.rstrip("=").endswith("~")
    back = listen(pool[2], handle, "&key=k0000", amid.id)
    (reset,) = back.take(1)
    assert (reset.event, json.loads(reset.data)["reason"]) == ("reset", "selection")
    pump([back], lambda: len(table_of(back)) == len(keys))
    assert len(back.events) == 1 + len(keys)

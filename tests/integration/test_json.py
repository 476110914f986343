"""A topic as one JSON document: what it holds, what a client has already, what comes meanwhile."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import eventid
from helpers import SANITIZED, resident_kb, wait_until
from kafka import Record, numbered
from responder import Responder
from sse import pump
from tokens import AUDIENCE, ISSUER, SCOPE, Jwks, bearer, rsa_key

JSON = {"Accept": "application/json"}


def get(responder: Responder, target: str = "/events", **headers: str):
    """The whole answer; `_` in a header's name stands for `-`."""
    said = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return responder.send(target=target, headers=said).wait_end(timeout=60)


def document(answer) -> dict:
    assert answer.status == 200, bytes(answer.body)
    return json.loads(answer.body)


def values(answer) -> dict:
    """What a client that keeps a table would hold."""
    table: dict = {}
    for record in document(answer)["records"]:
        if record.get("deleted"):
            table.pop(record["key"], None)
        else:
            table[record["key"]] = record["value"]
    return table


def is_whole(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_a_document_holds_what_is_there_and_a_stream_goes_on_from_it(kafka, topic, start):
    """PROTOCOL 14.3, 14.4, 14.5, 14.9."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b'{"x": [1, 2]}'), Record(b"a", b"3"), Record(b"c", b"t"))
    kafka.produce(topic, Record(b"d", b"4"), Record(b"d", None))
    responder = start(topic)
    answer = get(responder)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache" and answer.headers["vary"] == "Accept"
    assert answer.headers["etag"] == f'"{document(answer)["id"]}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    records = document(answer)["records"]
    assert [(r["key"], r["offset"], r.get("value", r.get("text"))) for r in records] == [
        ("b", 1, {"x": [1, 2]}),
        ("a", 2, 3),
        ("c", 3, "t"),
    ]
    assert eventid.decode(document(answer)["id"]) == {0: 6}
    stream = responder.open(document(answer)["id"])
    kafka.produce(topic, Record(b"a", b"5"))
    assert stream.next().data == b"5"


def test_a_document_has_the_headers_that_its_topic_keeps(kafka, topic, start, tmp_path: Path):
    """PROTOCOL 14.3."""
    headers = (("trace", b"1"), ("other", b"2"), ("trace", b"\xff"))
    kafka.produce(topic, Record(b"a", b"1", headers=headers))
    said = {"topics": {topic: {"headers": ["trace"]}}, "routes": [{"path": "/events", "topic": topic}]}
    config = tmp_path / "headers.json"
    config.write_text(json.dumps(said))
    [record] = document(get(start(None, "--config", str(config))))["records"]
    assert record["headers"] == {"trace": ["1", {"base64": "/w=="}]}


def test_what_the_broker_has_dropped_stands_among_the_records(kafka, start):
    """PROTOCOL 14.6."""
    topic = kafka.log_topic()
    kafka.produce(topic, *numbered(10, keys=10))
    kafka.delete_records(topic, 4)
    gap, *records = document(get(start(topic), Last_Event_ID=eventid.encode({0: 2})))["records"]
    assert gap == {"event": "gap", "topic": topic, "partition": 0, "from": 2, "to": 4}
    assert [record["offset"] for record in records] == list(range(4, 10))


def test_the_query_and_accept_choose_the_form(topic, start):
    """PROTOCOL 1.10, 14.1, 14.2."""
    responder = start(topic)
    assert document(responder.send(target="/events?format=json").wait_end())["records"] == []
    assert document(get(responder, Accept="application/json, text/plain, */*"))["records"] == []
    for accept in ("text/event-stream, application/json", "*/*", "application/json;q=0"):
        answer = responder.send(headers={"Accept": accept}).wait_started()
        assert answer.headers["content-type"].startswith("text/event-stream"), accept
    refused = get(responder, "/events?format=xml")
    assert (refused.status, json.loads(refused.body)["reason"]) == (400, "format_invalid")


def test_a_head_says_what_a_get_would(kafka, topic, start):
    """PROTOCOL 14.8."""
    kafka.produce(topic, Record(b"a", b"1"))
    responder = start(topic)
    whole = get(responder)
    head = responder.send("HEAD", headers=JSON).wait_end()
    assert (head.status, head.headers["etag"], bytes(head.body)) == (200, whole.headers["etag"], b"")
    tag = whole.headers["etag"]
    head = responder.send("HEAD", headers=JSON | {"If-None-Match": tag}).wait_end()
    assert (head.status, head.headers["etag"]) == (304, tag)


def test_what_a_client_has_is_not_sent_again(kafka, topic, start):
    """PROTOCOL 14.10, 14.11."""
    kafka.produce(topic, Record(b"a", b"1"))
    responder = start(topic)
    tag = get(responder).headers["etag"]
    for one in (tag, f"W/{tag}", tag[:-1] + '-gzip"', f'"x", W/{tag[:-1]}-br"'):
        answer = get(responder, If_None_Match=one)
        assert (answer.status, bytes(answer.body), answer.headers["etag"]) == (304, b"", tag), one
        assert answer.headers["vary"] == "Accept" and "content-type" not in answer.headers
    for other in ("*", '"x"', tag[:-1] + '~abcdefgh"'):
        assert get(responder, If_None_Match=other).status == 200, other
    kafka.produce(topic, Record(b"a", None))
    responder.open().wait_started()
    wait_until(lambda: get(responder, If_None_Match=tag).status == 200)


def test_only_what_has_changed_since_an_id(kafka, topic, start):
    """PROTOCOL 14.12, 14.13."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    responder = start(topic)
    place = document(get(responder))["id"]
    kafka.produce(topic, Record(b"c", b"3"), Record(b"a", None), Record(b"c", b"4"))
    wait_until(lambda: document(get(responder))["records"][-1]["value"] == 4, what="what is new")
    for answer in (get(responder, Last_Event_ID=place), get(responder, f"/events?lastEventId={place}")):
        records = document(answer)["records"]
        assert [(r["key"], r.get("value"), r.get("deleted")) for r in records] == [
            ("a", None, True),
            ("c", 4, None),
        ]
    assert get(responder, Last_Event_ID=place).headers["cache-control"] == "no-store"
    bad = document(get(responder, Last_Event_ID="nonsense"))
    assert (bad["reset"], [r["key"] for r in bad["records"]]) == ("id_malformed", ["b", "c"])


def test_it_waits_until_something_passes(kafka, topic, start):
    """PROTOCOL 14.14, 14.15."""
    kafka.produce(topic, Record(b"a", b"1"))
    responder = start(topic)
    answer = get(responder, "/events?key=a")
    tag, place = answer.headers["etag"], document(answer)["id"]
    waiting = [
        responder.send(target="/events?key=a", headers=JSON | more)
        for more in (
            {"If-None-Match": tag, "Prefer": "wait=20"},
            {"Last-Event-ID": place, "Prefer": "wait=20"},
        )
    ]
    short = [
        responder.send(target="/events?key=a", headers=JSON | more)
        for more in (
            {"If-None-Match": tag, "Prefer": "wait=1"},
            {"Last-Event-ID": place, "Prefer": "wait=1"},
        )
    ]
    kafka.produce(topic, Record(b"b", b"2"))
    pump(short, lambda: all(reader.ended for reader in short))
    assert (short[0].status, short[0].headers["preference-applied"]) == (304, "wait=1")
    assert document(short[1])["records"] == []
    assert not any(reader.status for reader in waiting)
    kafka.produce(topic, Record(b"a", b"3"))
    pump(waiting, lambda: all(reader.ended for reader in waiting))
    assert [values(reader) for reader in waiting] == [{"a": 3}, {"a": 3}]
    assert waiting[0].headers["preference-applied"] == "wait=20"


def test_a_topic_that_is_not_there_is_to_be_asked_for_again(start):
    """PROTOCOL 14.16."""
    responder = start("there-is-no-such-topic")
    began = time.monotonic()
    answer = get(responder)
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert json.loads(answer.body)["reason"] == "busy"
    assert time.monotonic() - began < 12
    began = time.monotonic()
    assert get(responder).status == 503
    assert time.monotonic() - began < 5


@pytest.fixture
def by_claim(start, tmp_path: Path, topic) -> tuple[Responder, Callable[..., str]]:
    key = rsa_key()
    jwks = Jwks(tmp_path / "jwks.json", key)
    said = {
        "topics": {topic: {}},
        "routes": [{"path": "/mine", "topic": topic, "select": [{"key": "{claim:sub}"}]}],
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": str(jwks.path),
        "scope": SCOPE,
    }
    config = tmp_path / "json.json"
    config.write_text(json.dumps(said))
    return start(None, "--config", str(config)), lambda sub, **claims: key.mint(sub=sub, **claims)


def test_the_tag_of_one_selection_is_no_other_s(kafka, topic, by_claim):
    """PROTOCOL 14.9, 14.10."""
    responder, token = by_claim
    kafka.produce(topic, Record(b"ann", b"1"), Record(b"bob", b"2"))
    headers = {name: bearer(token(name)) for name in ("ann", "bob")}

    def mine(name: str, **more: str):
        return get(responder, "/mine", **headers[name], **more)

    wait_until(lambda: values(mine("bob")) == {"bob": 2}, what="the records")
    ann, bob = mine("ann"), mine("bob")
    assert ann.headers["cache-control"] == "private, no-cache"
    assert (values(ann), values(bob)) == ({"ann": 1}, {"bob": 2})
    assert eventid.decode(document(ann)["id"]) == eventid.decode(document(bob)["id"])
    assert mine("ann", If_None_Match=ann.headers["etag"]).status == 304
    assert values(mine("bob", If_None_Match=ann.headers["etag"])) == {"bob": 2}
    kafka.produce(topic, Record(b"bob", b"3"))
    wait_until(lambda: values(mine("bob")) == {"bob": 3})
    assert mine("ann", If_None_Match=ann.headers["etag"]).status == 304


# What comes meanwhile

KEYS = 50


def one(i: int) -> Record:
    """Record i of the writer: it stands at offset i, and some delete. All of them take some turns."""
    deletes = i // KEYS % 3 == i % 3
    return Record(b"%d" % (i % KEYS), None if deletes else b'{"i": %d, "pad": "%s"}' % (i, b"." * 6000))


def model(end: int) -> dict[str, int]:
    """What holds at that offset, whoever told it."""
    table = {str(i % KEYS): i for i in range(max(0, end - KEYS), end)}
    return {key: i for key, i in table.items() if one(i).value is not None}


class Writer:
    """Writes without a pause until it is stopped; `acked` records are there."""

    def __init__(self, kafka, topic: str, record: Callable[[int], Record]):
        self.acked = 0
        self.pause = threading.Lock()  # who holds it has the writer wait
        self._stopped = False
        self._run = threading.Thread(target=self._write, args=(kafka, topic, record))
        self._run.start()

    def _write(self, kafka, topic: str, record: Callable[[int], Record]) -> None:
        producer = kafka.new_producer(**{"linger.ms": 1})
        while not self._stopped:
            with self.pause:
                some = [record(self.acked + n) for n in range(20)]
                kafka.produce(topic, *some, producer=producer)
                self.acked += len(some)
            time.sleep(0)  # a lock that is taken again at once is nobody else's

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._run.join()


def test_a_stream_goes_on_where_a_document_ends_whatever_is_written(kafka, topic, start, note):
    """PROTOCOL 14.4, 14.5. A race between a writer, the document, and the stream that is opened with its id."""
    kafka.produce(topic, *map(one, range(KEYS)))
    responder = start(topic)
    races, behind = int(os.environ.get("SKF_RACES", "100")), 0
    with Writer(kafka, topic, lambda i: one(KEYS + i)) as writer:
        for _ in range(races):
            answer = get(responder)
            place = document(answer)["id"]
            end = eventid.decode(place)[0]
            offsets = [record["offset"] for record in document(answer)["records"]]
            assert offsets == sorted(set(offsets)) and all(offset < end for offset in offsets)
            table = {key: value["i"] for key, value in values(answer).items()}
            assert table == model(end)
            stream = responder.open(place)
            behind += eventid.decode(answer.headers["etag"].strip('"'))[0] < end
            with writer.pause:
                at = end
                while at < KEYS + writer.acked:
                    event = stream.next()
                    assert eventid.decode(event.id)[0] > at, "an event that came twice"
                    at = eventid.decode(event.id)[0]
                    key = str((at - 1) % KEYS)
                    table[key] = json.loads(event.data)["i"] if event.event == "message" else None
            stream.close()
            assert {key: value for key, value in table.items() if value is not None} == model(at)
    note("races", races)
    note("documents that ended behind where they began", behind)


def test_who_waits_again_and_again_gets_each_record_once(kafka, start, note):
    """PROTOCOL 14.12, 14.14."""
    topic = kafka.log_topic()
    responder = start(topic)
    races = int(os.environ.get("SKF_RACES", "100"))
    place = document(get(responder))["id"]
    got = 0
    with Writer(kafka, topic, lambda i: Record(b"k", str(i).encode())):
        for _ in range(races):
            answer = get(responder, Last_Event_ID=place, Prefer="wait=20")
            records = document(answer)["records"]
            assert [record["value"] for record in records] == list(range(got, got + len(records)))
            assert records, "it did not wait"
            got += len(records)
            place = document(answer)["id"]
            assert eventid.decode(place) == {0: got}
    note("records", got)


def test_a_slow_client_gets_every_key_and_costs_nobody_anything(kafka, topic, start, note):
    """PROTOCOL 14.4. It reads for as long as a minute would be; meanwhile everything is written anew."""
    keys = 4000
    kafka.produce(topic, *numbered(keys, keys, size=1000))
    responder = start(topic)
    quick = responder.open(target="/events?from=latest")
    get(responder)
    before = resident_kb(responder.pid)
    slow = responder.send(headers=JSON)
    slow.wait(lambda: slow.status)
    rounds = 0
    while not slow.ended:
        for _ in range(16):
            if not slow.ended:
                slow.receive(1 << 13)
        rounds += 1
        if rounds < 30:
            kafka.produce(topic, *numbered(100, keys, size=1000, start=keys + 100 * rounds))
            quick.take(100)
    if not SANITIZED:
        assert resident_kb(responder.pid) - before < 8000
    records = document(slow)["records"]
    offsets = [record["offset"] for record in records]
    assert offsets == sorted(set(offsets))
    assert len({record["key"] for record in records}) == keys
    note("records of so many keys", len(records))


def test_what_cannot_be_finished_has_no_last_bracket(kafka, topic, start):
    """PROTOCOL 14.7."""
    kafka.produce(topic, *numbered(3000, 3000, size=1000))
    responder = start(topic, "--drain", "1")
    slow = responder.send(headers=JSON)
    slow.wait(lambda: slow.body)
    responder.stop()
    slow.wait(lambda: slow.ended or slow.closed)
    assert slow.status == 200 and not is_whole(slow.body)


def test_a_token_that_is_over_ends_its_document(kafka, topic, by_claim):
    """PROTOCOL 14.7, 14.18. It is told nothing amid it; and one that waits is told that its token is over."""
    responder, token = by_claim
    kafka.produce(topic, *(Record(b"ann", b"x" * 900000) for _ in range(2)))
    headers = JSON | bearer(token("ann", ttl=3))
    slow = responder.send(target="/mine", headers=headers)
    slow.wait(lambda: slow.body)
    place = json.loads(get(responder, "/mine", **bearer(token("bob"))).body)["id"]
    headers = JSON | bearer(token("bob", ttl=3)) | {"Last-Event-ID": place, "Prefer": "wait=20"}
    waits = responder.send(target="/mine", headers=headers).wait_end()
    assert (waits.status, json.loads(waits.body)["reason"]) == (401, "token_invalid")
    said = 'Bearer error="invalid_token", error_description="the token is expired"'
    assert waits.headers["www-authenticate"] == said and "retry-after" not in waits.headers
    slow.wait(lambda: slow.ended or slow.closed)
    assert slow.status == 200 and not is_whole(slow.body) and b"challenge" not in slow.body

"""What events carry and how they are framed: envelopes, names, lines of JSON, keep-alives that are events."""

import base64
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

import eventid
from helpers import REPOSITORY, SANITIZED, Process, resident_kb, wait_until
from kafka import Record
from responder import Responder
from tokens import AUDIENCE, ISSUER, Jwks, bearer, rsa_key

NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def routed(start, tmp_path) -> Callable[..., Responder]:
    """routed(topic, {members of the topic}, {path: {members of the route}})."""

    def start_routed(topic: str, of: dict, routes: dict, *options: str, **members) -> Responder:
        said = {"topics": {topic: of}, "routes": []} | members
        for path, route in routes.items():
            said["routes"].append({"path": path, "topic": topic} | route)
        path = tmp_path / f"routed-{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(said))
        return start(None, "--config", str(path), *options)

    return start_routed


def lines(answer, n: int) -> list[dict]:
    """The first n lines that are not empty."""

    def there() -> list[bytes]:
        return [line for line in bytes(answer.body).split(b"\n")[:-1] if line]

    answer.wait(lambda: len(there()) >= n)
    return [json.loads(line) for line in there()[:n]]


def refused(answer) -> tuple[int, str]:
    answer.wait_end()
    return answer.status, json.loads(answer.body)["reason"]


# -- envelopes --


def a_text(chance: random.Random) -> bytes:
    return "".join(chance.choice('aé€😀 "\\/\n\r\t\0\x1f\x7f\u2028') for _ in range(chance.randrange(12))).encode()


def some_bytes(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 12))


def some_json(chance: random.Random, depth: int = 0) -> str:
    """As others write it: blanks where they may be, numbers in any form, names that come twice."""
    blank = chance.choice(["", " ", "\n\t", "\r "])
    kind = chance.randrange(5 if depth > 3 else 7)
    if kind < 2:
        text = chance.choice(["0", "-0", "12.50", "1E+09", "1e999", "123456789012345678901234567890", "true", "null"])
    elif kind < 5:
        text = json.dumps(a_text(chance).decode(), ensure_ascii=chance.random() < 0.5)
    elif kind == 5:
        text = "[" + ",".join(some_json(chance, depth + 1) for _ in range(chance.randrange(4))) + blank + "]"
    else:
        members = (
            json.dumps(a_text(chance).decode()) + blank + ":" + some_json(chance, depth + 1)
            for _ in range(chance.randrange(4))
        )
        text = "{" + ",".join(members) + blank + "}"
    return blank + text + blank


def a_record(chance: random.Random) -> Record:
    value = chance.choice([lambda c: some_json(c).encode(), a_text, some_bytes, lambda c: None])(chance)
    key = chance.choice([a_text, some_bytes])(chance) if value is None or chance.random() < 0.8 else None
    names = ["kept", 'al"so', "other"]
    headers = [
        (chance.choice(names), chance.choice([a_text, some_bytes, lambda c: None])(chance))
        for _ in range(chance.randrange(4))
    ]
    return Record(key, value, headers=tuple(headers), timestamp=chance.randrange(1, 1 << 40))


def exactly(text: bytes | str):
    """JSON with its numbers as they were written, and all members in their order."""
    return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=list)


def is_json(value: bytes) -> bool:
    def no_constant(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(value.decode(), parse_constant=no_constant)
    except ValueError:
        return False
    return True


def text_or_base64(bytes_or_none: bytes | None) -> object:
    if bytes_or_none is None:
        return None
    try:
        return bytes_or_none.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(bytes_or_none).decode()}


def check_envelope(text: bytes, record: Record, topic: str, offset: int) -> None:
    assert b"\n" not in text and b"\r" not in text
    got = json.loads(text.decode())
    kept = {}
    for name, value in record.headers:
        if name != "other":
            kept.setdefault(name, []).append(text_or_base64(value))
    expected = {"topic": topic, "partition": 0, "offset": offset, "timestamp": record.timestamp, "headers": kept}
    key = text_or_base64(record.key)
    if isinstance(key, dict):
        expected["keyBase64"] = key["base64"]
    elif key is not None:
        expected["key"] = key
    value = got.pop("value", None)
    assert ("value" in json.loads(text)) == (record.value is not None and is_json(record.value))
    if record.value is None:
        expected["deleted"] = True
    elif is_json(record.value):
        members = dict(exactly(text.decode()))
        assert members["value"] == exactly(record.value.decode()), value
    else:
        plain = text_or_base64(record.value)
        expected |= plain if isinstance(plain, dict) else {"text": plain}
    assert got == expected


def test_any_record_comes_back_from_its_envelope(kafka, routed, seeded):
    """PROTOCOL 13.2, 13.3, 13.4, 13.6, 13.7, 13.9, 15.1, 15.2, 15.3."""
    topic = kafka.log_topic()
    records = [a_record(seeded) for _ in range(1000)]
    offsets = kafka.produce(topic, *records)
    responder = routed(topic, {"headers": ["kept"], "filters": ['header:al"so']}, {"/all": {}})
    events = responder.open(target="/all?data=envelope").take(len(records))
    stream = responder.send(target="/all", headers=NDJSON).wait_head()
    assert stream.headers["content-type"] == "application/x-ndjson"
    lines(stream, len(records))
    assert stream.body.startswith(b"\n{")
    raw = [line for line in bytes(stream.body).split(b"\n")[:-1] if line]
    for record, offset, event, line in zip(records, offsets, events, raw, strict=True):
        check_envelope(event.data, record, topic, offset)
        prefix = b'{"event":"delete","id":"' if record.value is None else b'{"id":"'
        assert line.startswith(prefix)
        own = json.loads(line)
        assert own["id"] == event.id
        start = line.index(b'",', len(prefix)) + 2
        assert b"{" + line[start:] == event.data
        assert event.event == ("delete" if record.value is None else "message")


def test_json_beyond_the_limits_is_a_text(kafka, start):
    """PROTOCOL 13.5."""
    topic = kafka.topic(config={"max.message.bytes": "2000000"})
    values = ["[" * 64 + "]" * 64, "[" * 65 + "]" * 65, "[]" + " " * ((1 << 20) - 2), "[]" + " " * ((1 << 20) - 1)]
    producer = kafka.new_producer(**{"message.max.bytes": 2_000_000})
    kafka.produce(topic, *(Record(b"%d" % n, v.encode()) for n, v in enumerate(values)), producer=producer)
    events = start(topic).open(target="/events?data=envelope").take(4, timeout=60)
    assert ["value" in json.loads(e.data) for e in events] == [True, False, True, False]
    assert json.loads(events[1].data)["text"] == values[1] and json.loads(events[3].data)["text"] == values[3]


def test_the_client_or_the_route_says_what_events_carry(kafka, topic, routed):
    """PROTOCOL 13.1."""
    kafka.produce(topic, Record(b"k", b"1"))
    responder = routed(topic, {}, {"/plain": {}, "/whole": {"data": "envelope"}})
    assert responder.open(target="/plain").next().data == b"1"
    assert responder.open(target="/whole?data=value").next().data == b"1"
    for target in ("/whole", "/plain?data=envelope"):
        assert json.loads(responder.open(target=target).next().data)["value"] == 1
    assert refused(responder.send(target="/plain?data=all")) == (400, "data_invalid")


def test_headers_that_nobody_keeps_are_not_shown(kafka, topic, start):
    """PROTOCOL 13.2, 13.7."""
    kafka.produce(topic, Record(b"k", b"{}", headers=(("x", b"y"),)))
    got = json.loads(start(topic).open(target="/events?data=envelope").next().data)
    assert got["headers"] == {} and got["timestamp"] > time.time() * 1000 - 60_000


def test_notices_of_envelopes_name_the_topic(kafka, start):
    """PROTOCOL 13.10, 15.4."""
    topic = kafka.log_topic()
    kafka.produce(topic, *(Record(b"k", b"%d" % n) for n in range(5)))
    kafka.delete_records(topic, 3)
    responder = start(topic)
    gap = {"topic": topic, "partition": 0, "from": 1, "to": 3}
    place = eventid.encode({0: 1})
    event = responder.open(place, target="/events?data=envelope").next()
    assert (event.event, json.loads(event.data)) == ("gap", gap)
    stream = responder.send(target="/events", headers=NDJSON | {"Last-Event-ID": place})
    assert lines(stream, 1) == [{"event": "gap", "id": eventid.encode({0: 3})} | gap]
    stream = responder.send(target="/events", headers=NDJSON | {"Last-Event-ID": "nonsense"})
    reset = lines(stream, 1)[0]
    assert (reset["event"], reset["topic"], reset["reason"]) == ("reset", topic, "id_malformed")
    event = responder.open("nonsense", target="/events?data=envelope").next()
    assert json.loads(event.data) == {name: reset[name] for name in ("topic", "reason", "detail")}


# -- names --


def test_a_header_or_a_field_or_the_topic_names_an_event(kafka, topic, routed):
    """PROTOCOL 13.11."""
    kafka.produce(
        topic,
        Record(b"1", b'{"event": {"type": "created"}}', headers=(("type", b"old"), ("type", b"new"))),
        Record(b"2", b'{"event": {"type": "reset"}}', headers=(("type", b"a b"),)),
        Record(b"3", b"Hello", headers=(("type", None),)),
    )
    of = {"headers": ["type"], "filters": ["field:event.type"]}
    rules = {"/header": "header:type", "/field": "field:event.type", "/topic": "topic"}
    responder = routed(topic, of, {path: {"event": rule} for path, rule in rules.items()})
    streams = {path: responder.open(target=path) for path in rules}
    names = {path: [event.event for event in stream.take(3)] for path, stream in streams.items()}
    assert names == {
        "/header": ["new", "message", "message"],
        "/field": ["created", "message", "message"],
        "/topic": [topic] * 3,
    }
    kafka.produce(topic, Record(b"1", None, headers=(("type", b"new"),)))
    assert {stream.next().event for stream in streams.values()} == {"delete"}


# -- keep-alives --


def test_a_script_sees_the_end_of_the_replay_and_keepalives(kafka, topic, start):
    """PROTOCOL 13.12, 15.6."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    responder = start(topic, "--keepalive", "1")
    stream = responder.open(target="/events?keepalive=event")
    place = eventid.encode({0: 2})
    told = [(event.event, event.data, event.id) for event in stream.take(4)]
    assert told[2:] == [("keepalive", b"{}", place)] * 2
    assert len(stream.comments) == 1, "that of the first bytes"
    same = {"event": "keepalive", "id": place}
    assert lines(responder.send(target="/events?keepalive=event", headers=NDJSON), 4)[2:] == [same, same]
    for bad in ("5", "", "event&keepalive=event"):
        assert refused(responder.send(target=f"/events?keepalive={bad}")) == (400, "keepalive_invalid")
    plain = responder.send(target="/events", headers=NDJSON)
    lines(plain, 2)
    plain.wait(lambda: bytes(plain.body).endswith(b"}\n\n"))


def test_what_selects_and_moves_on_says_so_in_lines(kafka, topic, start):
    """PROTOCOL 15.6."""
    kafka.produce(topic, Record(b"a", b"1"))
    stream = start(topic, "--keepalive", "1").send(target="/events?key=a", headers=NDJSON)
    first = lines(stream, 1)[0]
    kafka.produce(topic, Record(b"b", b"2"))
    moved = lines(stream, 2)[1]
    assert moved["event"] == "keepalive" and eventid.decode(moved["id"].partition("~")[0]) == {0: 2}
    assert moved["id"].partition("~")[2] == first["id"].partition("~")[2]


# -- lines of JSON --


def test_a_stream_of_one_shape_goes_on_in_another(kafka, topic, start):
    """PROTOCOL 15.2, 15.8."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    responder = start(topic, "--event-id", "key")
    first = lines(responder.send(target="/events", headers=NDJSON), 1)[0]
    assert first["id"] == eventid.encode({0: 1})
    event = responder.open(first["id"]).next()
    assert event.data == b"2"
    kafka.produce(topic, Record(b"c", b"3"))
    stream = responder.send(target="/events", headers=NDJSON | {"Last-Event-ID": event.id})
    assert lines(stream, 1)[0]["value"] == 3


def test_a_challenge_is_a_line(kafka, topic, start, tmp_path):
    """PROTOCOL 15.5."""
    key = rsa_key()
    jwks = Jwks(tmp_path / "jwks.json", key)
    kafka.produce(topic, Record(b"a", b"1"))
    responder = start(topic, "--issuer", ISSUER, "--audience", AUDIENCE, "--jwks", str(jwks.path))
    token = key.mint(ttl=5)
    stream = responder.send(target="/events", headers=NDJSON | bearer(token))
    challenge = next(line for line in lines(stream, 2) if line.get("event") == "challenge")
    headers = {"content-type": "application/x-challenge-response"}
    assert challenge == {"event": "challenge", "method": "POST", "headers": headers}
    stream.wait_end(timeout=30)


def test_a_drain_ends_lines_without_a_word(kafka, topic, start):
    """PROTOCOL 15.7."""
    kafka.produce(topic, Record(b"a", b"1"))
    responder = start(topic)
    stream = responder.send(target="/events", headers=NDJSON)
    lines(stream, 1)
    had = bytes(stream.body)
    responder.stop()
    stream.wait_end()
    assert bytes(stream.body) == had and not stream.retry


def test_streams_of_all_shapes_at_once_miss_nothing(kafka, topic, start):
    """Each has its own backlog; the cache is theirs together."""
    responder = start(topic)
    targets = ["/events", "/events?data=envelope", "/events?format=ndjson", "/events?key=k3", "/events?format=ndjson&key=k3"]
    streams = [responder.send(target=target).wait_head() for target in targets]
    kafka.produce(topic, *(Record(b"k%d" % (n % 7), b"%d" % n) for n in range(2100)))
    kafka.produce(topic, Record(b"k3", b"9999"))
    for stream in streams:
        stream.wait(lambda stream=stream: b"9999" in stream.body, timeout=60)
        assert not any(word in stream.body for word in (b"reset", b"gap"))
    for stream in streams:
        stream.close()


# -- the clients that read lines --


def said_by(document: str, section: str, language: str) -> str:
    text = (REPOSITORY / document).read_text()
    section = re.search(rf"^##+ {section}\n(.*?)^##+ ", text, re.M | re.S)[1]
    [block] = re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)
    return block


def test_the_scripts_of_the_documents_read_lines_through_lighttpd(kafka, topic, front, tmp_path):
    """PROTOCOL 15.1. Each line comes at once."""
    kafka.produce(topic, Record(b"a", b"1"))
    url = front(topic).url + "/events"
    (tmp_path / "read.sh").write_text(said_by("README.md", "Lines of JSON", "bash").replace("http://localhost:8080/events", url))
    (tmp_path / "read.mjs").write_text(said_by("PROTOCOL.md", "For authors of clients", "js"))
    (tmp_path / "read.py").write_text(said_by("README.md", "Lines of JSON", "python"))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "build" / "clients" / "python")}
    said = {"stdout": subprocess.PIPE, "text": True, "cwd": tmp_path, "env": environment, "start_new_session": True}
    commands = {
        ("bash", "read.sh"): ['[null,"a",1]', '["delete","a",null]'],
        ("node", "read.mjs", url): ["record a 1", "delete a undefined"],
        ("/usr/bin/python3", "read.py", url): ["record a 1", "delete a None"],
    }
    scripts = [subprocess.Popen(command, **said) for command in commands]
    assert [script.stdout.readline().strip() for script in scripts] == [first for first, _ in commands.values()]
    kafka.produce(topic, Record(b"a", None))
    assert [script.stdout.readline().strip() for script in scripts] == [second for _, second in commands.values()]
    for script in scripts:
        os.killpg(script.pid, signal.SIGKILL)
        script.wait()
        script.stdout.close()


def test_the_script_for_lines_goes_on_after_an_outage(kafka, topic, front, tmp_path):
    kafka.produce(topic, Record(b"a", b"1"))
    server = front(topic)
    (tmp_path / "read.py").write_text(said_by("README.md", "Lines of JSON", "python"))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "build" / "clients" / "python")}
    script = Process("script", tmp_path)
    script.spawn(["/usr/bin/python3", tmp_path / "read.py", server.url + "/events"], env=environment)
    wait_until(lambda: "record a 1" in script.text())
    server.stop()
    wait_until(lambda: "refused" in script.text())
    kafka.produce(topic, Record(b"a", b"2"))
    server.start()
    wait_until(lambda: "record a 2" in script.text())
    assert script.text().count("record") == 2
    script.end()


def test_what_kept_headers_cost(kafka, routed, note):
    """Eight bytes a record, and the headers themselves."""
    topic, n = kafka.topic(), 100_000
    kafka.produce(topic, *(Record(b"%06d" % i, b"v" * 50, headers=(("region", b"eu-west-1"),)) for i in range(n)))
    used = {}
    for name, of in {"none": {}, "kept": {"headers": ["region"]}}.items():
        responder = routed(topic, of, {"/all": {}})
        stream = responder.open(target="/all")
        stream.take(n, timeout=120)
        stream.close()
        used[name] = resident_kb(responder.pid)
        responder.stop()
    each = (used["kept"] - used["none"]) * 1024 / n
    note("bytes a record for a kept header of 9", f"{each:.0f}")
    if not SANITIZED:
        assert each < 9 + 8 + 16  # malloc rounds up to 16

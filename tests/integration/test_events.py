"""A record of Kafka as the bytes of an event."""

import base64
import json
import time

import pytest

from eventid import decode, encode, with_key
from kafka import Kafka, Record


def base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw)


class Wire:
    """Shows a record as two streams see it: one that was open before, one that came after."""

    def __init__(self, kafka: Kafka, topic: str, responder):
        self.kafka, self.topic, self.responder = kafka, topic, responder

    def event(self, record: Record) -> bytes:
        """The record's bytes on the wire after the id line, which is checked."""
        here = encode({0: 0})  # a fresh stream would not be told a delete that it need not know
        before = self.responder.open(here)
        offset = self.kafka.produce(self.topic, record)[0]
        assert offset == 0
        live, replayed = before.next(), self.responder.open(here).next()
        assert live.raw == replayed.raw
        id_line, _, rest = live.raw.partition(b"\n")
        assert id_line == b"id:" + encode({0: 1}).encode()
        return rest


@pytest.fixture
def wire(kafka, topic, start) -> Wire:
    return Wire(kafka, topic, start(topic))


def test_the_bytes_of_the_first_record_are_exactly_these(kafka, topic, start):
    """PROTOCOL 2.1."""
    kafka.put(topic, "1", "Hello")
    stream = start(topic).open()
    assert stream.next().raw == b"id:AQIAAg==\ndata:Hello\n\n"


@pytest.mark.parametrize(
    "value, lines",
    [
        (b"one\ntwo", b"data:one\ndata:two\n\n"),
        (b"one\r\ntwo", b"data:one\ndata:two\n\n"),
        (b"one\rtwo", b"data:one\ndata:two\n\n"),
        (b"one\n\rtwo", b"data:one\ndata:\ndata:two\n\n"),
        (b"one\r\r\n\ntwo", b"data:one\ndata:\ndata:\ndata:two\n\n"),
        (b"one\rid:9\revent:evil", b"data:one\ndata:id:9\ndata:event:evil\n\n"),
    ],
)
def test_a_value_of_several_lines_is_one_data_line_each(wire, value, lines):
    """PROTOCOL 2.2."""
    assert wire.event(Record(b"1", value)) == lines


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_line_end_at_the_end_of_a_value_is_one_more_empty_line(wire, line_end):
    """PROTOCOL 2.3."""
    assert wire.event(Record(b"1", b"one" + line_end)) == b"data:one\ndata:\n\n"


@pytest.mark.parametrize(
    "value, lines",
    [
        (b" one", b"data:  one\n\n"),
        (b"  one", b"data:   one\n\n"),
        (b"one\n two", b"data:one\ndata:  two\n\n"),
        (b" ", b"data:  \n\n"),
        (b"\tone", b"data:\tone\n\n"),
        (b":one", b"data::one\n\n"),
    ],
)
def test_a_leading_space_reaches_the_client(wire, value, lines):
    """PROTOCOL 2.4."""
    assert wire.event(Record(b"1", value)) == lines


@pytest.mark.parametrize(
    "value, lines",
    [(b"", b"data:\n\n"), (b"\n", b"data:\ndata:\n\n"), (b"\r\n\r\n", b"data:\ndata:\ndata:\n\n")],
)
def test_an_empty_value_and_empty_lines_are_events(wire, value, lines):
    """PROTOCOL 2.5."""
    assert wire.event(Record(b"1", value)) == lines


def test_any_other_bytes_pass_as_they_are(wire):
    """PROTOCOL 2.6."""
    value = bytes(b for b in range(256) if b not in b"\r\n") + "\ufeff\u2028\u0085ü".encode()
    assert wire.event(Record(b"1", value)) == b"data:" + value + b"\n\n"


def test_a_value_of_17000_short_lines_is_one_event(wire):
    lines = [b"%d" % n for n in range(17_000)]
    expected = b"".join(b"data:" + line + b"\n" for line in lines) + b"\n"
    assert wire.event(Record(b"1", b"\n".join(lines))) == expected


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_a_value_of_nothing_but_line_ends_is_one_event(wire, line_end):
    assert wire.event(Record(b"1", line_end * 50_000)) == b"data:\n" * 50_001 + b"\n"


def test_a_value_of_900_KB_is_one_event(wire):
    value = b"0123456789abcdef" * 57_600
    assert wire.event(Record(b"1", value)) == b"data:" + value + b"\n\n"


@pytest.mark.parametrize("size", [65527, 65528, 65529, 65535, 65536, 131_072])
def test_a_value_near_the_limit_of_a_fastcgi_record_is_whole(wire, size):
    assert wire.event(Record(b"1", b"x" * size)) == b"data:" + b"x" * size + b"\n\n"


def test_a_value_as_large_as_the_broker_accepts_is_one_event(kafka, start):
    """PROTOCOL 2.6."""
    topic = kafka.topic(config={"max.message.bytes": "9000000"})
    value = b"".join(b"%d\n" % n for n in range(1_000_000))
    kafka.produce(topic, Record(b"1", value))
    event = start(topic).open().next(timeout=60)
    assert event.data == value


def test_nothing_is_written_inside_an_event(kafka, start):
    """A reader that needs several keep-alive times for one event gets it whole. PROTOCOL 2.9."""
    topic = kafka.topic(config={"max.message.bytes": "9000000"})
    value = b"x" * 8_000_000
    stream = start(topic, "--keepalive", "1").open()
    kafka.produce(topic, Record(b"1", value))
    for _ in range(15):
        stream.wait(lambda: len(stream.body) > 100, timeout=60)
        time.sleep(0.2)  # it is slow, this is the point
        stream.receive(100_000)
    assert not stream.events
    assert stream.next(timeout=60).data == value


# Deletes


@pytest.mark.parametrize("key", [b"1", b"", b"\x00\xff\n", b"k" * 200, b"k" * 5000])
def test_a_tombstone_is_a_delete_of_its_key(wire, key):
    """PROTOCOL 2.7."""
    assert wire.event(Record(key, None)) == b"event:delete\ndata:" + base64url(key) + b"\n\n"


def test_the_bytes_of_a_delete_are_exactly_these(kafka, topic, start):
    """PROTOCOL 2.7."""
    stream = start(topic).open(encode({0: 0}))
    kafka.put(topic, "1", None)
    assert stream.next().raw == b"id:AQIAAg==\nevent:delete\ndata:MQ==\n\n"


def test_a_record_without_key_and_value_is_not_sent(kafka, start):
    """PROTOCOL 2.8."""
    topic = kafka.log_topic()
    stream = start(topic).open()
    kafka.produce(topic, Record(None, None), Record(None, b"after"))
    assert stream.next().raw == b"id:" + encode({0: 2}).encode() + b"\ndata:after\n\n"


def test_a_record_without_key_is_sent(kafka, start):
    topic = kafka.log_topic()
    kafka.produce(topic, Record(None, b"one"), Record(None, b"two"))
    assert [e.data for e in start(topic).open().take(2)] == [b"one", b"two"]


# Ids


@pytest.mark.parametrize("partitions", [1, 3, 100])
def test_an_id_is_the_next_offset_of_every_partition(kafka, start, partitions):
    """PROTOCOL 2.12."""
    topic = kafka.topic(partitions)
    chosen = [p for p in (0, 1, 2, 63, 64, 99) if p < partitions]
    kafka.produce(topic, *(Record(b"%d" % p, b"%d" % p, p) for p in chosen))
    responder = start(topic)
    stream = responder.open()
    place = dict.fromkeys(range(partitions), 0)
    replayed = stream.take(len(chosen))
    for event in replayed:
        place[int(event.data)] = 1
        assert event.id == encode(place)
    assert sorted(int(event.data) for event in replayed) == chosen
    # And live: a partition that had nothing yet, then a large offset.
    kafka.produce(topic, *(Record(b"%d" % n, b"%d" % n, partitions - 1) for n in range(200)))
    for event in stream.take(200):
        place[partitions - 1] += 1
        assert event.id == encode(place)
    # The id is good for coming back.
    back = responder.open(replayed[-1].id)
    assert back.take(200)[-1].id == encode(place)


def test_an_id_passes_over_the_records_that_are_superseded(kafka, topic, start):
    kafka.produce(topic, *(Record(k, k) for k in (b"a", b"b", b"a", b"a", b"c")))
    stream = start(topic).open()
    assert [(e.data, e.id) for e in stream.take(3)] == [
        (b"b", encode({0: 2})),
        (b"a", encode({0: 4})),
        (b"c", encode({0: 5})),
    ]


def test_an_etag_is_appended_to_the_id(kafka, topic, start):
    """PROTOCOL 2.13."""
    kafka.produce(topic, Record(b"1", b"Hello", headers=(("etag", b'W/"5"!~'),)))
    raw = start(topic).open().next().raw
    assert raw == b'id:AQIAAg==/W/"5"!~\ndata:Hello\n\n'


@pytest.mark.parametrize("etag", [b"a\nb", b"a\rb", b"a\0b", b"a b", b"\xc3\xbc", b"x" * 4100])
def test_an_etag_that_an_id_cannot_hold_is_left_out(kafka, topic, start, etag):
    """PROTOCOL 2.13."""
    kafka.produce(topic, Record(b"1", b"Hello", headers=(("etag", etag),)))
    assert start(topic).open().next().raw == b"id:AQIAAg==\ndata:Hello\n\n"


def test_an_id_may_be_4096_bytes_long_with_its_etag_and_no_longer(kafka, topic, start):
    """PROTOCOL 2.13."""
    fits = b"x" * (4096 - len("AQIAAg==/"))
    kafka.produce(topic, Record(b"1", b"", headers=(("etag", fits),)))
    kafka.produce(topic, Record(b"2", b"", headers=(("etag", fits + b"x"),)))
    events = start(topic).open().take(2)
    assert len(events[0].id) == 4096
    assert events[1].id == encode({0: 2})


def test_with_event_id_key_an_id_names_the_key(kafka, start):
    """PROTOCOL 2.14."""
    topic = kafka.log_topic()
    kafka.produce(topic, Record(b"1", b"Hello"), Record(None, b"no key"))
    stream = start(topic, "--event-id", "key").open()
    assert [event.raw for event in stream.take(2)] == [
        b'id:["MQ==","AQIAAg=="]\ndata:Hello\n\n',
        b'id:[null,"AQIABA=="]\ndata:no key\n\n',
    ]
    kafka.produce(topic, Record(b"2", None))
    assert stream.next().raw == b'id:["Mg==","AQIABg=="]\nevent:delete\ndata:Mg==\n\n'


def test_with_event_id_key_a_key_that_is_too_long_is_left_out(kafka, topic, start):
    """PROTOCOL 2.14."""
    short, long = b"k" * 3000, b"k" * 3100  # 4000 and 4136 bytes in base64
    kafka.produce(topic, Record(short, b"short"), Record(long, b"long"))
    events = start(topic, "--event-id", "key").open().take(2)
    assert events[0].id == with_key(short, encode({0: 1}))
    assert events[1].id == with_key(None, encode({0: 2}))


def test_with_event_id_key_an_etag_stays_inside_the_json(kafka, topic, start):
    kafka.produce(topic, Record(b"1", b"Hello", headers=(("etag", b'"\\'),)))
    event_id = start(topic, "--event-id", "key").open().next().id
    assert json.loads(event_id) == ["MQ==", 'AQIAAg==/"\\']


def test_every_id_is_accepted_in_a_request_header(kafka, start):
    """4096 bytes, 100 partitions: what a stream says can be said back. PROTOCOL 2.15."""
    topic = kafka.topic(100)
    etag = (("etag", b"x" * 3000),)
    kafka.produce(topic, Record(b"1", b"one", 99, etag), Record(b"2", b"two", 99))
    responder = start(topic, "--event-id", "key")
    first = responder.open().next()
    assert decode(first.id)[99] == 1 and len(first.id) > 3000
    assert responder.open(first.id).next().data == b"two"

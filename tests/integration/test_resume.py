"""Coming back with the last id: nothing lost, nothing twice, and told when that cannot be."""

import base64
import json
import random
import re
import time
from urllib.parse import quote

import pytest

from eventid import decode, encode, with_key
from helpers import wait_until
from kafka import Record, numbered
from sse import Event

# How to say it


@pytest.fixture
def ten(kafka, topic, start):
    """A responder whose topic holds the values 0 to 9."""
    kafka.produce(topic, *numbered(10, keys=10))
    return start(topic)


def assert_resumed_at(stream, number: int) -> None:
    events = stream.take(10 - number)
    assert [event.text for event in events] == [str(n) for n in range(number, 10)]


def assert_full_replay(stream) -> None:
    assert_resumed_at(stream, 0)


def test_a_stream_resumes_after_the_id_of_its_header(ten):
    """PROTOCOL 3.6."""
    assert_resumed_at(ten.open(encode({0: 7})), 7)


@pytest.mark.parametrize(
    "name",
    [
        "lastEventId",
        "last-event-id",
        "last_event_id",
        "lastEventID",
        "LastEventId",
        "Last-Event-ID",
        "lasteventid",
        "evs_last_event_id",
    ],
)
def test_a_stream_resumes_after_the_id_of_its_query(ten, name):
    """PROTOCOL 3.6."""
    place = encode({0: 7})
    assert_resumed_at(ten.open(target=f"/events?{name}={place}"), 7)
    assert_resumed_at(ten.open(target=f"/events?a=b&{name}={quote(place, safe='')}&c"), 7)
    everything_encoded = "".join(f"%{ord(letter):02x}" for letter in place)
    assert_resumed_at(ten.open(target=f"/events?{name}={everything_encoded}"), 7)


def test_of_several_ids_in_the_query_the_last_one_counts(ten):
    """PROTOCOL 3.6."""
    old, new = (encode({0: place}) for place in (2, 7))
    for names in (("lastEventId", "lastEventId"), ("last-event-id", "lastEventId")):
        target = f"/events?{names[0]}={old}&a=b&{names[1]}={new}"
        assert_resumed_at(ten.open(target=target), 7)


def test_the_header_wins_over_the_query(ten):
    """PROTOCOL 3.6."""
    target = f"/events?lastEventId={encode({0: 2})}"
    assert_resumed_at(ten.open(encode({0: 7}), target=target), 7)


def test_the_header_wins_even_if_it_is_wrong(ten):
    stream = ten.open("wrong", target=f"/events?lastEventId={encode({0: 7})}")
    assert stream.next().event == "reset"


def test_an_empty_header_leaves_it_to_the_query(ten):
    """PROTOCOL 3.6."""
    assert_resumed_at(ten.open("", target=f"/events?lastEventId={encode({0: 7})}"), 7)


@pytest.mark.parametrize("target", ["/events", "/events?lastEventId=", "/events?other=AQIADg=="])
def test_no_id_is_a_fresh_stream(ten, target):
    assert_full_replay(ten.open("", target=target))


@pytest.mark.parametrize("form", ["progress", "key"])
def test_both_forms_of_an_id_are_accepted_whichever_is_configured(kafka, topic, start, form):
    """PROTOCOL 3.8."""
    kafka.produce(topic, *numbered(10, keys=10))
    responder = start(topic, "--event-id", form)
    place = encode({0: 7})
    for event_id in (place, with_key(b"k6", place), with_key(None, place)):
        assert_resumed_at(responder.open(event_id), 7)
        assert_resumed_at(responder.open(target=f"/events?lastEventId={quote(event_id)}"), 7)


def test_an_id_with_an_etag_is_accepted(ten):
    place = encode({0: 7}) + '/W/"5"'
    assert_resumed_at(ten.open(place), 7)
    assert_resumed_at(ten.open('["azY=",' + json.dumps(place) + "]"), 7)


@pytest.mark.parametrize("place", [{0: -1}, {0: -2}, {}, {0: 0}])
def test_a_partition_that_an_id_leaves_open_starts_at_its_beginning(ten, place):
    """PROTOCOL 3.9."""
    stream = ten.open(encode(place))
    assert_full_replay(stream)
    assert all(event.event == "message" for event in stream.events)


def test_an_id_that_omits_a_partition_resumes_the_others(kafka, start):
    """PROTOCOL 3.9."""
    topic = kafka.topic(2)
    kafka.produce(topic, *(Record(b"%d" % n, b"%d" % n, n % 2) for n in range(10)))
    stream = start(topic).open(encode({1: 4}))
    assert sorted(event.text for event in stream.take(6)) == ["0", "2", "4", "6", "8", "9"]


def test_an_id_at_the_end_waits_for_what_comes(kafka, topic, ten):
    stream = ten.open(encode({0: 10}))
    kafka.put(topic, "live", "live")
    assert stream.next().raw == f"id:{encode({0: 11})}\ndata:live\n\n".encode()


# What is given


def test_a_resumed_stream_gets_the_newest_of_each_key_and_the_deletes(kafka, topic, start):
    """PROTOCOL 3.7."""
    responder = start(topic)
    first = responder.open()
    for key in ("a", "b", "c"):
        kafka.put(topic, key, "old")
    place = first.take(3)[-1].id
    for key, value in [("a", "1"), ("a", "2"), ("b", None), ("d", "3"), ("d", None), ("a", "4")]:
        kafka.put(topic, key, value)
    first.take_until(b"4")  # the responder has read them all
    events = responder.open(place).take(3)
    assert [(event.event, event.text) for event in events] == [
        ("delete", "Yg=="),
        ("delete", "ZA=="),
        ("message", "4"),
    ]
    assert [decode(event.id)[0] for event in events] == [6, 8, 9]


def test_an_id_of_another_responder_is_as_good(kafka, topic, start):
    """PROTOCOL 3.8."""
    kafka.produce(topic, *numbered(10, keys=10))
    one, two = start(topic), start(topic)
    assert_resumed_at(two.open(one.open().take(7)[-1].id), 7)


def test_an_id_that_is_ahead_of_this_responders_cache_waits(kafka, topic, start):
    """The other responder of the pool may be a moment behind: that is no reason for a reset.
    PROTOCOL 3.10."""
    one, two = start(topic), start(topic)
    ahead, behind = one.open(), two.open()
    for n in range(200):
        kafka.put(topic, "k", str(n))
        moved = two.open(ahead.next().id)
        kafka.put(topic, "next", str(n))
        assert (event := moved.next()).event == "message" and event.text == str(n), event
        assert ahead.next().text == str(n)
        moved.close()
    assert behind.take_until(b"199")


# Resets


def assert_reset(stream, place: str) -> str:
    """Returns the reason, a code, and the same in words."""
    event = stream.next()
    reason, detail = (json.loads(event.data)[name] for name in ("reason", "detail"))
    data = f'{{"reason":"{reason}","detail":"{detail}"}}'
    assert event.raw == f"id:{place}\nevent:reset\ndata:{data}\n\n".encode()
    return f"{reason}: {detail}"


@pytest.mark.parametrize(
    "event_id",
    [
        "wrong",
        "AQIAAg==x",
        "AQIA",  # ends inside
        "AQIAgA==",  # ends inside a number
        "AgIAAg==",  # not our first byte
        "AQ==",
        "AQQAAgAC",  # partition 0 twice
        "AQIAAgI=",  # one number too many
        "AQEAAg==",  # minus one partitions
        "AQIBAg==",  # partition -1
        "AQIABQ==",  # offset -3
        "AQIA" + "_" * 16,  # a number of more than 64 bits
        "Af______AQ==",
        "+///",
        "[]",
        '["MQ=="]',
        '["MQ==",null]',
        '["MQ==","wrong"]',
        '["MQ==","AQIAAg==",1]',
        '{"a":1}',
        '["MQ==","AQIAAg=="',
        "[" * 1000,
        "\u00e4\u00f6",
        "x" * 5000,
    ],
)
def test_a_malformed_id_is_a_reset_and_a_full_replay(ten, event_id):
    """PROTOCOL 3.11."""
    stream = ten.open(event_id)
    reason = assert_reset(stream, encode({0: 0}))
    assert event_id not in reason
    assert_full_replay(stream)


def test_a_partition_that_the_topic_lacks_is_a_reset(ten):
    """PROTOCOL 3.11."""
    stream = ten.open(encode({0: 7, 1: 3}))
    assert_reset(stream, encode({0: 0}))
    assert_full_replay(stream)


def test_an_id_beyond_the_end_is_a_reset(ten):
    """PROTOCOL 3.11."""
    stream = ten.open(encode({0: 11}))
    assert_reset(stream, encode({0: 0}))
    assert_full_replay(stream)


def test_the_reasons_differ(ten):
    """PROTOCOL 3.11."""
    wrong = ("wrong", encode({0: 7, 1: 3}), encode({0: 11}))
    assert len({assert_reset(ten.open(event_id), encode({0: 0})) for event_id in wrong}) == 3


def test_a_reset_before_kafka_has_answered_comes_in_its_time(kafka, topic, start):
    """The first bytes come at once, the judgement when the cache is there."""
    kafka.produce(topic, *numbered(10, keys=10))
    kafka.stop()
    try:
        responder = start(topic)
        wrong, right = responder.open("wrong"), responder.open(encode({0: 7}))
    finally:
        kafka.start()
    assert wrong.next(timeout=60).event == "reset"
    assert_full_replay(wrong)
    assert_resumed_at(right, 7)


def test_a_client_that_missed_a_dropped_delete_is_reset(kafka, start):
    """PROTOCOL 3.12."""
    topic = kafka.topic(config={"delete.retention.ms": "6000"})
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    responder = start(topic)
    missed = responder.open().take(2)[-1].id
    kafka.put(topic, "a", None)
    assert responder.open(missed).next().event == "delete", "kept for six seconds"

    def reset() -> bool:
        kafka.put(topic, "c", "3")
        return responder.open(missed).next().event == "reset"

    wait_until(reset)
    stream = responder.open(missed)
    assert_reset(stream, encode({0: 0}))
    assert [event.text for event in stream.take(2)] == ["2", "3"]
    # Who has seen the delete is not concerned.
    seen = responder.open(encode({0: 3}))
    assert seen.next().text == "3"


def test_a_slow_reader_that_missed_a_dropped_delete_is_reset(kafka, start):
    """PROTOCOL 3.14."""
    topic = kafka.topic(config={"delete.retention.ms": "1000", "max.message.bytes": "9000000"})
    responder = start(topic)
    stalled = responder.open()
    kafka.put(topic, "a", "1")
    missed = stalled.next().id
    kafka.produce(topic, Record(b"large", b"x" * 5_000_000))
    stalled.wait(lambda: len(stalled.body) > 1000)  # and reads no further
    kafka.put(topic, "a", None)
    # More than may wait for a slow reader, so that it has to go on with the newest of each key.
    kafka.produce(topic, *numbered(10_000, keys=200, size=2000))
    wait_until(lambda: responder.open(missed).next().event == "reset")
    kafka.put(topic, "end", "end")
    events = stalled.take_until(b"end", timeout=60)
    assert [event.event for event in events].count("reset") == 1
    reset = [event.event for event in events].index("reset")
    assert len({event.data.split()[0] for event in events[reset:]}) == 203, "all there is"


def test_a_hole_of_kafka_that_may_have_been_a_delete_is_a_reset(kafka, start):
    """After a start: a hole in the offsets that follows an old record."""
    old = int(time.time() * 1000) - 3_600_000
    for retention, judged in (("60000", "reset"), ("86400000", "message")):
        topic = kafka.topic(config={"delete.retention.ms": retention})
        producer = kafka.new_producer(transactional_id=f"by {topic}")
        producer.init_transactions(60)
        producer.begin_transaction()
        kafka.produce(topic, Record(b"a", b"0", timestamp=old), producer=producer)
        producer.commit_transaction(60)  # takes the offset 1: a hole, as a cleaned delete is
        wait_until(lambda: kafka.end(topic) == 2, what="the transaction's marker")
        kafka.put(topic, "b", "2")
        kafka.put(topic, "c", "3")
        responder = start(topic)
        assert responder.open(encode({0: 1})).next().event == judged
        assert responder.open(encode({0: 3})).next().raw == b"id:AQIACA==\ndata:3\n\n"


# Topics that are not compacted: gaps


def assert_gap(event: Event, start: int) -> int:
    """Returns where it goes on."""
    to = json.loads(event.data)["to"]
    data = f'{{"partition":0,"from":{start},"to":{to}}}'
    assert event.raw == f"id:{encode({0: to})}\nevent:gap\ndata:{data}\n\n".encode()
    assert to > start
    return to


def test_what_a_bounded_cache_has_dropped_is_told_as_a_gap(kafka, start):
    """PROTOCOL 3.15."""
    topic = kafka.log_topic()
    kafka.produce(topic, *numbered(5000, keys=1, size=1000))
    responder = start(topic, "--cache-bytes", "1000000")
    events = responder.open(encode({0: 100})).take_until(b"4999 ".ljust(1000, b"."))
    to = assert_gap(events[0], 100)
    assert [int(event.data.split()[0]) for event in events[1:]] == list(range(to, 5000))
    assert 200 <= 5000 - to <= 1000, "about a megabyte"
    # And a place that is still there is no gap.
    assert responder.open(encode({0: to})).next().event == "message"


def test_a_fresh_stream_gets_what_a_bounded_cache_holds(kafka, start):
    topic = kafka.log_topic()
    kafka.produce(topic, *numbered(5000, keys=1, size=1000))
    stream = start(topic, "--cache-bytes", "1000000").open()
    events = stream.take_until(b"4999 ".ljust(1000, b"."))
    numbers = [int(event.data.split()[0]) for event in events if event.event == "message"]
    assert numbers == list(range(5000 - len(numbers), 5000))
    assert len(numbers) >= 200


def test_a_slow_reader_of_a_bounded_cache_is_told_its_gap(kafka, start):
    topic = kafka.log_topic()
    stream = start(topic, "--cache-bytes", "1000000").open()
    kafka.produce(topic, *numbered(20_000, keys=1, size=1000))
    place, gaps = 0, 0
    for event in stream.take_until(b"19999 ".ljust(1000, b"."), timeout=60):
        if event.event == "gap":
            place = assert_gap(event, place)
            gaps += 1
        else:
            assert int(event.data.split()[0]) == place
            place += 1
            assert event.id == encode({0: place})
    assert gaps >= 1


def test_holes_made_by_kafka_are_no_gap(kafka, start):
    """PROTOCOL 3.15."""
    topic = kafka.log_topic()
    producer = kafka.new_producer(transactional_id=f"by {topic}")
    producer.init_transactions(60)
    offsets = []
    for _ in range(3):
        producer.begin_transaction()
        kafka.produce(topic, Record(None, b"aborted"), producer=producer)
        producer.abort_transaction(60)
        offsets.append(kafka.put(topic, None, "record"))
    assert offsets[0] > 0 and offsets[2] > 4
    stream = start(topic).open(encode({0: 0}))
    assert [event.raw for event in stream.take(3)] == [
        f"id:{encode({0: offset + 1})}\ndata:record\n\n".encode() for offset in offsets
    ]


# Chance


class Model:
    """The topic as it should be, by partition."""

    def __init__(self, partitions: int):
        self.log: list[list[tuple[bytes, bytes | None]]] = [[] for _ in range(partitions)]

    def newest(self) -> dict[tuple[int, bytes], bytes]:
        table = {}
        for partition, log in enumerate(self.log):
            for key, value in log:
                table[partition, key] = value
        return {key: value for key, value in table.items() if value is not None}


class Client:
    """A client with a table, that leaves at any byte and comes back with its last id."""

    def __init__(self, model: Model, responders: list, chance: random.Random):
        self.model, self.responders, self.chance = model, responders, chance
        self.table: dict[tuple[int, bytes], bytes] = {}
        self.place = dict.fromkeys(range(len(model.log)), 0)
        self.last_id: str | None = None

    def visit(self, most: int) -> None:
        """Reads at most so many bytes of a new stream, wherever that ends."""
        stream = self.chance.choice(self.responders).open(self.last_id)
        cut = len(stream.body) + self.chance.randrange(most)
        try:
            while len(stream.body) < cut:
                stream.sock.settimeout(0.05)
                stream.receive(min(cut - len(stream.body), 4096))
        except TimeoutError:
            pass  # it has everything that there is
        for event in stream.events:
            self.on_event(event)
        stream.close()

    def on_event(self, event: Event) -> None:
        assert event.event in ("message", "delete"), f"there is no reason for {event}"
        now = decode(event.id)
        behind = [p for p in self.place if now[p] < self.place[p]]
        assert not behind, f"back in {behind}: {event} after {self.last_id}"
        # The event is the last record that its id has passed in its partition.
        value = event.data if event.event == "message" else None
        name = base64.urlsafe_b64decode(event.data) if value is None else value
        partition = int(re.match(rb"\d+", name)[0])
        assert now[partition] > self.place[partition], f"twice: {event}"
        key, expected = self.model.log[partition][now[partition] - 1]
        assert value == expected and (value or name == key), f"{event} is not at {now}"
        if value is None:
            self.table.pop((partition, key), None)
        else:
            self.table[partition, key] = value
        self.place, self.last_id = now, event.id


@pytest.mark.parametrize("round_", range(4))
def test_clients_that_leave_at_any_byte_end_with_the_right_table(kafka, start, seeded, round_):
    partitions = seeded.choice([1, 2, 3, 8])
    topic = kafka.topic(partitions)
    form = seeded.choice(["progress", "key"])
    responders = [start(topic, "--event-id", form) for _ in range(2)]
    model = Model(partitions)
    clients = [Client(model, responders, seeded) for _ in range(5)]
    for _ in range(40):
        records = random_records(model, seeded)
        kafka.produce(topic, *records)
        for client in seeded.sample(clients, 2):
            client.visit(seeded.choice([20, 500, 5000, 50_000]))
    for client in clients:
        wait_until(lambda: client.visit(1 << 20) or client.table == model.newest())


def random_records(model: Model, chance: random.Random) -> list[Record]:
    """Updates and deletes; each also appended to the model, where its offset is its index."""
    records = []
    for _ in range(chance.choice([1, 5, 100])):
        partition = chance.randrange(len(model.log))
        key = b"%d/%d" % (partition, chance.randrange(chance.choice([3, 30])))
        value = None
        if chance.random() < 0.7:
            # Its partition and a number of its own, then any size and lines.
            filling = b"x" * chance.choice([0, 10, 3000]) + b"\n" * chance.randrange(3)
            value = b"%d %d %s" % (partition, len(model.log[partition]), filling)
        model.log[partition].append((key, value))
        records.append(Record(key, value, partition))
    return records

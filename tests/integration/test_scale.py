"""Many streams, and one that does not read."""

import fcntl
import sys
import termios
import threading
import time

from eventid import decode
from helpers import SANITIZED, cpu_seconds, descriptors, resident_kb, unix_connections, wait_until
from kafka import Record, numbered
from sse import EventReader, HttpReader, pump


def test_2000_streams_are_opened_get_one_message_and_are_closed(kafka, topic, front, note):
    server = front(topic)
    pids = [server.process.pid, *server.responders()]
    first = HttpReader(server.http).wait_started()
    # The two listen for the front and for handles, and each has connected to the other.
    wait_until(lambda: sorted(map(unix_connections, server.responders())) == [4, 5], what="the pool")
    files = open_files(server) - 3  # its two connections have three ends here
    first.close()
    memory = []
    for turn in range(3):
        began = time.monotonic()
        streams = [HttpReader(server.http) for _ in range(2000)]
        pump(streams, lambda: all(stream.retry for stream in streams), timeout=120)
        note(f"2000 streams opened, s (turn {turn})", round(time.monotonic() - began, 2))
        assert open_files(server) > files + 3 * 2000 - 100  # some more may have been open before
        appended = time.monotonic()
        kafka.put(topic, "k", f"to all {turn}")
        pump(streams, lambda: all(has_got(stream, f"to all {turn}") for stream in streams), 120)
        slowest = max(stream.events[-1].at for stream in streams)
        note("one message to all, ms", round((slowest - appended) * 1000))
        for stream in streams:
            stream.close()
        wait_until(lambda: open_files(server) <= files, what=f"{files} files open")
        memory.append(sum(resident_kb(pid) for pid in pids))
    note("resident KB after each turn", memory)
    if not SANITIZED:
        assert memory[2] < memory[0] + 4000, "a kilobyte for each of 4000 streams"


def has_got(stream: EventReader, text: str) -> bool:
    return bool(stream.events) and stream.events[-1].text == text


def open_files(server) -> int:
    return descriptors(server.process.pid) + sum(map(unix_connections, server.responders()))


def test_a_client_that_does_not_read_harms_nobody(kafka, topic, start, note):
    """PROTOCOL 3.14."""
    responder = start(topic)
    stalled = responder.open()
    others = [responder.open() for _ in range(3)]
    load(kafka, topic, others, first=0)
    memory, cpu = resident_kb(responder.pid), cpu_seconds(responder.pid)
    for turn in range(1, 4):
        load(kafka, topic, others, first=turn * 10_000)
    grown = resident_kb(responder.pid) - memory
    note("60 MB later the responder has grown by KB", grown)
    note("CPU for it, s", round(cpu_seconds(responder.pid) - cpu, 2))
    if not SANITIZED:
        assert grown < 10_000

    # It goes on where it was, with the newest record of each key.
    stalled.take_until(b"39999 ".ljust(2000, b"."), timeout=120)
    assert len(stalled.body) < 3_000_000, "what it missed was not queued for it"
    table = {int(event.data.split()[0]) % 200: event.data for event in stalled.events}
    newest = numbered(200, keys=200, size=2000, start=39_800)
    assert table == {n: record.value for n, record in enumerate(newest)}
    for stream in (stalled, *others):
        assert_forward(stream)


def load(kafka, topic: str, readers: list[EventReader], first: int) -> None:
    """20 MB of updates of 200 keys, until each reader has the last one."""
    records = list(numbered(10_000, keys=200, size=2000, start=first))
    thread = threading.Thread(target=kafka.produce, args=(topic, *records))
    thread.start()
    last = records[-1].value
    pump(readers, lambda: all(r.events and r.events[-1].data == last for r in readers), timeout=120)
    thread.join()


def assert_forward(stream: EventReader) -> None:
    """Each event is newer than the one before it."""
    offsets = [decode(event.id)[0] for event in stream.events]
    numbers = [int(event.data.split()[0]) for event in stream.events]
    assert all(a < b for a, b in zip(offsets, offsets[1:]))
    assert [offset - 1 for offset in offsets] == numbers


def test_a_client_that_stops_inside_a_large_event_gets_the_rest_of_it(kafka, start):
    topic = kafka.topic(config={"max.message.bytes": "9000000"})
    responder = start(topic)
    stalled, other = responder.open(), responder.open()
    large = b"x" * 5_000_000
    kafka.produce(topic, Record(b"large", large))
    stalled.wait(lambda: len(stalled.body) > 1000)
    for n in range(3):
        kafka.produce(topic, Record(b"large", b"%d" % n), Record(b"small", b"%d" % n))
    other.take_until(b"2", timeout=120)
    events = stalled.take_until(b"2", timeout=120)
    assert events[0].data == large
    assert len(events) <= 6
    assert stalled.next().data == b"2"


def test_a_thousand_clients_that_stop_inside_a_large_event_cost_its_bytes_once(kafka, start, note):
    """Half of them have waited for it, half get it from the cache."""
    topic = kafka.topic(config={"max.message.bytes": "9000000"})
    responder = start(topic)
    other = responder.open()
    stalled = [responder.open() for _ in range(500)]
    large = b"x" * 1_000_000
    pump(stalled, lambda: all(stream.retry for stream in stalled))
    memory = resident_kb(responder.pid)
    kafka.produce(topic, Record(b"large", large))
    other.take_until(large)
    stalled += [responder.open() for _ in range(500)]
    wait_until(lambda: all(unread(stream) > 20_000 for stream in stalled), what="all have some of it")
    load(kafka, topic, [other], first=0)
    grown = resident_kb(responder.pid) - memory
    note("a thousand that stopped inside a megabyte: KB more", grown)
    if not SANITIZED:
        assert grown < 40_000, "copies would be a gigabyte"
    for stream in (stalled[0], stalled[499], stalled[500], stalled[999]):
        assert stream.next().data == large


def unread(stream: EventReader) -> int:
    return int.from_bytes(fcntl.ioctl(stream.sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_streams_that_are_idle_cost_no_cpu(kafka, topic, start, note):
    responder = start(topic)
    streams = [responder.open() for _ in range(500)]
    kafka.put(topic, "k", "v")
    pump(streams, lambda: all(stream.events for stream in streams))
    before = cpu_seconds(responder.pid)
    time.sleep(2)
    used = cpu_seconds(responder.pid) - before
    note("CPU of 500 idle streams in 2 s", round(used, 2))
    assert used < 0.5

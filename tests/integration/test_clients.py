"""The client libraries of others, all of them at once through one story over lighttpd: those of Python
and Node, and by tests/clients/run those of other languages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventid import encode
from helpers import wait_until
from kafka import Kafka, Record
from libraries import Client, Library, Said, chosen, copy_programs
from lighttpd import Lighttpd, make_certificates
from pool import HeldResponder
from sse import HttpReader, pump

OPTIONS = ["--keepalive", "1", "--retry", "200", "--drain", "1"]
ETAG = "e" * 3990
LARGE, HUGE = "0123456789" * 7000, "0123456789" * 100_000


class Story:
    """What is produced and done, and what a client has to hear of it."""

    def __init__(self, kafka: Kafka, topic: str, directory: Path):
        self.kafka = kafka
        self.topic = topic
        self.producer = kafka.new_producer(message_max_bytes=2 << 20)
        self.directory = directory
        self.expected: list[Said] = []
        self.ends: list[int] = []
        self.clients: list[Client] = []
        self.responder = HeldResponder(kafka.brokers, topic, directory, *OPTIONS)
        self.front = Lighttpd(kafka.brokers, topic, directory, [self.responder])

    def put(self, key: str, value: str | None, etag: str = "") -> None:
        headers = (("etag", etag.encode()),) if etag else ()
        record = Record(key.encode(), None if value is None else value.encode(), 0, headers)
        offset = self.kafka.produce(self.topic, record, producer=self.producer)[0]
        event_id = encode({0: offset + 1}) + (f"/{etag}" if etag else "")
        said = ("message", value) if value is not None else ("delete", "YQ==")
        self.expected.append(Said(event_id, *said))

    def wait_all(self) -> None:
        """Until the newest value has come to everybody who can still hear it."""
        value = self.expected[-1].data
        for client in self.clients:
            wait_until(
                lambda client=client: client.has_said(value) or client.has_ended,
                timeout=120,
                what=f"{value!r} at {client.name}, which said {list(map(str, client.said()))}",
            )

    def run(self) -> None:
        self.responder.start()
        self.front.start()
        # Malformed, and still in the URL when they come back with their ids.
        target = "/events?lastEventId=garbage"
        self.expected.append(self.reset_of(target))
        for key, value in (("a", "1"), ("b", "2"), ("c", "\u00fc\u20ac\U0001f600"), ("d", "4")):
            self.put(key, value)
        url = self.front.url + target
        self.clients = [Client(library, url, self.directory) for library in chosen()]
        self.wait_all()
        self.put("b", "live")
        self.wait_all()
        self.put("a", None)
        for value in ("l1\nl2\n l3\n", "", LARGE, HUGE, "behind all that"):
            self.put("b", value)
        self.wait_all()
        self.restart()
        self.put("b", "after a restart")
        self.wait_all()
        self.be_silent()
        self.put("b", "after a silence")
        self.wait_all()
        self.put("b", "with a long id", ETAG)
        self.wait_all()
        self.restart()
        self.put("b", "the last")
        self.wait_all()

    def reset_of(self, target: str) -> Said:
        """As our own reader gets it."""
        reader = HttpReader(self.front.http, target)
        event = reader.next()
        reader.close()
        assert event.event == "reset"
        return Said(event.id, event.event, event.text)

    def restart(self) -> None:
        """Of the responder: its streams end, one by one, and come back to the next one."""
        self.ends.append(len(self.expected))
        self.responder.take_over()

    def be_silent(self) -> None:
        """For some keep-alives."""
        witness = HttpReader(self.front.http)
        pump([witness], lambda: len(witness.comments) > 3)
        witness.close()

    def end(self) -> None:
        for client in self.clients:
            client.end(9)
        self.front.stop()
        self.responder.stop()


@pytest.fixture(scope="module")
def story(kafka, tmp_path_factory) -> Iterator[Story]:
    make_certificates()
    copy_programs()
    topic = kafka.topic(config={"max.message.bytes": str(2 << 20)})
    story = Story(kafka, topic, tmp_path_factory.mktemp("clients"))
    try:
        story.run()
    finally:
        story.end()
    return story


@pytest.mark.parametrize("library", chosen(), ids=str)
def test_a_library_hands_out_each_event_once_and_nothing_else(story: Story, library: Library):
    client = next(client for client in story.clients if client.library == library)
    print(client.errors()[-2000:])
    expected, said = library.expected(story.expected, story.ends), client.said()
    assert [(s.id, s.type) for s in said] == [(s.id, s.type) for s in expected]
    for got, wanted in zip(said, expected):
        assert library.has_read(got.data, wanted.data), f"{got} instead of {wanted}"


"""Things go wrong under many clients and traffic, and afterwards nothing is lost, nothing was said
twice, and nothing is left behind."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drill import LESS, Drill, Traffic
from helpers import Process, answers, wait_until
from kafka import Kafka
from lighttpd import make_certificates
from pool import Front, HeldResponder
from responder import Responder
from table import Table


@pytest.fixture
def drill(kafka: Kafka, tmp_path: Path) -> Iterator[Callable[..., Drill]]:
    """drill(topic, streams): a pool of two behind lighttpd, all to be started, and their clients."""
    prepared = []
    make_certificates()

    def prepare(topic: str, streams: int = 200, size: int = 0, kind=Responder) -> Drill:
        pool = [kind(kafka.brokers, topic, tmp_path, "--event-id", "key") for _ in range(2)]
        front = Front(kafka.brokers, topic, tmp_path, pool)
        tables = [Table(front.http) for _ in range(streams // LESS)]
        prepared.append(Drill(Traffic(kafka, topic, len(tables), size), pool, front, tables))
        return prepared[-1]

    yield prepare
    if not answers(("127.0.0.1", kafka.port)):
        kafka.start()
    for drill in prepared:
        drill.traffic.end()
        for server in (*drill.pool, drill.front):
            if server in Process.running:
                server.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_1_and_2_the_broker_goes_and_comes(drill, kafka, topic, note, how):
    drill = drill(topic)
    drill.traffic.write(200)
    drill.open()
    drill.fault(getattr(kafka, how), kafka.start)
    note(how, drill.settle())


def test_3_the_broker_is_absent_at_the_start(drill, kafka, topic, note):
    drill = drill(topic)
    drill.traffic.write(200)
    kafka.stop()
    drill.open(to_nothing=True)
    drill.fault(kafka.start)
    note("absent", drill.settle())


def test_4_the_topic_is_late(drill, kafka, note):
    topic = kafka.new_name()
    drill = drill(topic)
    drill.open(to_nothing=True)
    drill.fault(lambda: kafka.topic(name=topic))
    note("late", drill.settle())


def test_5_the_topic_is_made_again(drill, kafka, topic, note):
    drill = drill(topic)
    drill.traffic.write(500)  # the new one does not get that long before it is noticed
    drill.open()
    traffic = drill.traffic
    drill.fault(
        traffic.end,
        lambda: kafka.delete_topic(topic),
        lambda: kafka.topic(name=topic),
        traffic.begin_anew,
    )
    note("made again", drill.settle(resets=1))


def test_6_partitions_are_added(drill, kafka, topic, note):
    drill = drill(topic)
    drill.traffic.write(200)
    drill.open()
    drill.fault(lambda: kafka.add_partitions(topic, 4))
    drill.traffic.partitions = 4
    drill.flow()
    note("added", drill.settle())


def test_7_a_responder_is_killed_under_a_thousand_streams(drill, topic, note):
    drill = drill(topic, 1000)
    drill.traffic.write(200)
    drill.open()
    for responder in drill.pool:  # the second one under all of the streams
        drill.fault(lambda: responder.end(signal.SIGKILL))
        drill.fault(responder.start, lambda: drill.wait_until_asked(responder))
    note("killed", drill.settle())


def test_10_one_stream_in_ten_reads_a_kilobyte_a_second(drill, topic, note):
    drill = drill(topic, 50, size=8000)
    traffic, tables = drill.traffic, drill.tables
    traffic.write(50)
    drill.open()
    slow, fast = tables[::10], [table for n, table in enumerate(tables) if n % 10]
    for table in slow:
        drill.crowd.slow_down(table, 1000)
    drill.meanwhile(traffic.end)
    late = []
    for _ in range(20):  # together more than all buffers on their way hold
        drill.meanwhile(lambda: traffic.write(100))
        late.append(drill.crowd.run(lambda: all(table.rows == traffic.rows for table in fast)))
    note("the others had 0.8 MB after s", [round(seconds, 2) for seconds in late])
    assert not any(table.rows == traffic.rows for table in slow)
    drill.crowd.let_go(slow)
    note("slow", drill.settle())
    got = [max(table.events for table in tables) for tables in (slow, fast)]
    note("events that they got, and the others", got)
    assert got[0] < got[1]


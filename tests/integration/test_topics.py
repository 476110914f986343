"""Several topics of one responder: each is served as if it were alone."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import PROGRAM, SANITIZED, resident_kb, wait_for, wait_until
from kafka import numbered
from responder import Responder
from secured import SecuredKafka
from sse import pump
from test_faults import own_kafka  # noqa: F401
from test_health import ask, metrics
from test_rights import PASSWORD, secured, troubles  # noqa: F401

RAW = {"path": "/raw/{topic}", "topic": "{topic}"}


@pytest.fixture
def serve(start, tmp_path) -> Callable[..., Responder]:
    """serve(topics): a responder that has each of them at /raw/TOPIC; members are of its file.
    topics: their names, or what the file says of each."""

    def start_serving(topics, *options: str, brokers: str | None = None, **members) -> Responder:
        path = tmp_path / f"topics-{len(list(tmp_path.iterdir()))}.json"
        topics = topics if isinstance(topics, dict) else {name: {} for name in topics}
        said = {"topics": topics, "routes": [RAW]} | members
        path.write_text(json.dumps(said))
        return start(None, "--config", str(path), *options, **({"brokers": brokers} if brokers else {}))

    return start_serving


def health(responder: Responder, query: str = "") -> tuple[int, dict[str, list[str]]]:
    """The status, and what is wrong with each topic."""
    answer = ask(responder, f"/health/ready{query}")
    said = json.loads(answer.body)
    return answer.status, {one["topic"]: one["reasons"] for one in said["responders"]}


def lines_about(responder: Responder, topic: str) -> list[str]:
    return [line for line in responder.text().splitlines() if f"topic {topic} " in line]


def test_each_path_has_the_records_of_its_topic_alone(kafka, serve):
    """PROTOCOL 9.9."""
    """PROTOCOL 9.9."""
    topics = [kafka.topic(), kafka.log_topic(2), kafka.topic()]
    routes = [{"path": "/first", "topic": topics[0]}, RAW]
    for n, topic in enumerate(topics):
        for i in range(3):
            kafka.put(topic, f"k{i % 2}", f"{n}-{i}")
    responder = serve(topics, routes=routes)
    streams = [responder.open(target=f"/raw/{topic}") for topic in topics]
    assert [event.text for event in streams[0].take(2)] == ["0-1", "0-2"]
    assert [event.text for event in streams[1].take(3)] == ["1-0", "1-1", "1-2"]
    assert [event.text for event in streams[2].take(2)] == ["2-1", "2-2"]
    first = responder.open(target="/first")
    assert [event.id for event in first.take(2)] == [event.id for event in streams[0].events]
    for n, topic in enumerate(topics):
        kafka.put(topic, "live", f"live {n}")
    assert [stream.next().text for stream in streams] == ["live 0", "live 1", "live 2"]
    resumed = responder.open(streams[1].events[1].id, target=f"/raw/{topics[1]}")
    assert [event.text for event in resumed.take(2)] == ["1-2", "live 1"]
    elsewhere = responder.open(streams[1].events[1].id, target=f"/raw/{topics[2]}")
    reset, *events = elsewhere.take(4)
    assert json.loads(reset.data)["reason"] == "partition_unknown"
    assert [event.text for event in events] == ["2-1", "2-2", "live 2"]
    assert health(responder) == (200, {topic: [] for topic in topics})
    said = ask(responder, "/metrics").body.decode()
    for topic, count in zip(topics, (2, 2, 2)):
        assert re.search(rf'^sse_kafka_fanout_streams{{.*,topic="{topic}"}} {count}$', said, re.M)
        assert re.search(rf'^sse_kafka_fanout_records_total{{.*,topic="{topic}"}} 4$', said, re.M)
    counted = metrics(responder)
    assert counted['route_streams,route="/first"'] == 1
    assert counted['route_streams,route="/raw/{topic}"'] == 5
    assert len(re.findall("kafka: topic ", responder.text())) == 3


def test_a_topic_that_is_missing_or_made_again_is_so_for_its_own_streams_alone(kafka, serve):
    """PROTOCOL 9.8."""
    """PROTOCOL 9.8."""
    well, again, late = kafka.topic(), kafka.topic(), kafka.new_name()
    kafka.produce(again, *numbered(5, keys=5))
    responder = serve([well, again, late], "--keepalive", "1")
    streams = {topic: responder.open(target=f"/raw/{topic}") for topic in (well, again, late)}
    streams[again].take(5)
    wait_for((503, {well: [], again: [], late: ["topic_missing"]}), lambda: health(responder))
    assert health(responder, f"?topic={well}")[0] == 200
    assert health(responder, f"?topic={late}") == (503, {late: ["topic_missing"]})
    sent = 0

    def goes_on() -> None:
        """Nothing is lost, repeated or reset on the topic that is well."""
        nonlocal sent
        kafka.put(well, f"k{sent}", str(sent))
        assert streams[well].next(timeout=5).text == str(sent)
        sent += 1

    goes_on()
    kafka.delete_topic(again)
    goes_on()
    missing = (503, {well: [], again: ["topic_missing"], late: ["topic_missing"]})
    wait_for(missing, lambda: health(responder), timeout=60)
    goes_on()
    assert not streams[late].events and streams[late].retry
    kafka.topic(name=again)
    kafka.produce(again, *numbered(3, keys=3, start=100))
    reset, *events = streams[again].take(4, timeout=60)
    assert reset.event == "reset" and json.loads(reset.data)["reason"] == "topic_new"
    assert [event.text for event in events] == ["100", "101", "102"]
    goes_on()
    kafka.topic(name=late)
    kafka.put(late, "a", "here")
    assert streams[late].next(timeout=60).text == "here"
    goes_on()
    wait_for((200, {well: [], again: [], late: []}), lambda: health(responder))
    assert [event.event for event in streams[well].events] == ["message"] * sent
    assert len(lines_about(responder, late)) == 2, "it is missing, it is there"
    assert not [line for line in lines_about(responder, well) if "warn" in line or "error" in line]


def test_topics_that_may_not_be_read_hold_up_no_other(secured: SecuredKafka, serve):  # noqa: F811
    """PROTOCOL 9.8."""
    """PROTOCOL 9.8."""
    may, hidden, unread = (secured.topic() for _ in range(3))
    for topic in (may, hidden, unread):
        secured.put(topic, "a", topic)
    secured.allow(may, "READ", "DESCRIBE_CONFIGS")
    secured.allow(unread, "DESCRIBE", "DESCRIBE_CONFIGS")
    topics = [may, hidden, unread]
    responder = serve(topics, *secured.options(PASSWORD), brokers=secured.secured)
    streams = {topic: responder.open(target=f"/raw/{topic}") for topic in topics}
    assert streams[may].next().text == may
    refused = {may: [], hidden: ["kafka_refused"], unread: ["kafka_refused"]}
    wait_for((503, refused), lambda: health(responder), timeout=20)
    assert health(responder, f"?topic={may}")[0] == 200
    secured.put(may, "b", "live")
    assert streams[may].next().text == "live"
    named = sorted(troubles(responder))
    assert len(named) == 2 and hidden in named[0] and unread in named[1]
    assert "DESCRIBE" in named[0] and "READ" in named[1]
    secured.allow(hidden, "READ", "DESCRIBE_CONFIGS")
    secured.allow(unread, "READ")
    for topic in (hidden, unread):
        assert streams[topic].next(timeout=30).text == topic
    wait_for((200, {topic: [] for topic in topics}), lambda: health(responder))


def test_brokers_that_come_back_are_told_once_and_all_topics_go_on(own_kafka, serve):  # noqa: F811
    topics = [own_kafka.topic() for _ in range(3)]
    responder = serve(topics, brokers=own_kafka.brokers)
    streams = {topic: responder.open(target=f"/raw/{topic}") for topic in topics}
    wait_for((200, {topic: [] for topic in topics}), lambda: health(responder))
    own_kafka.stop()
    away = (503, {topic: ["kafka_away"] for topic in topics})
    wait_for(away, lambda: health(responder), timeout=30)
    own_kafka.start()
    for topic in topics:
        own_kafka.put(topic, "a", topic)
        assert streams[topic].next(timeout=60).text == topic
    wait_for((200, {topic: [] for topic in topics}), lambda: health(responder))
    text = responder.text()
    assert text.count("kafka: no broker answers") == text.count("kafka: connected") == 1
    assert " is there" not in text


def test_a_drain_ends_the_streams_of_all_topics(kafka, serve):
    topics = [kafka.topic() for _ in range(3)]
    responder = serve(topics, "--drain", "1")
    streams = [responder.open(target=f"/raw/{topic}") for topic in topics for _ in range(2)]
    responder.process.send_signal(signal.SIGTERM)
    for stream in streams:
        assert stream.wait_end().ended and len(stream.retry) == 2
    wait_until(lambda: responder.process.poll() is not None)
    assert "6 stream(s) are ended" in responder.text()


def test_limits_are_for_all_topics_together(kafka, serve):
    topics = [kafka.topic() for _ in range(2)]
    responder = serve(topics, "--max-streams", "3")
    streams = [responder.open(target=f"/raw/{topics[n % 2]}") for n in range(3)]
    for topic in topics:
        turned_away = responder.send(target=f"/raw/{topic}").wait_end()
        assert turned_away.status == 503
    streams[0].close()
    wait_for(2, lambda: metrics(responder)["streams"])
    assert responder.open(target=f"/raw/{topics[1]}").status == 200


def test_each_topic_has_its_share_of_the_cache(kafka, serve):
    small, large = kafka.log_topic(), kafka.log_topic()
    shares = {small: {"cache-bytes": 500_000}, large: {}}
    responder = serve(shares, **{"cache-bytes": 20_000_000})
    for topic in (small, large):
        kafka.produce(topic, *numbered(2000, keys=1, size=1000))
    wait_for((200, {small: [], large: []}), lambda: health(responder))
    said = ask(responder, "/metrics").body.decode()

    def cached(topic: str) -> int:
        pattern = rf'^sse_kafka_fanout_cache_bytes{{.*,topic="{topic}"}} (\d+)$'
        return int(re.search(pattern, said, re.M)[1])

    assert 100_000 < cached(small) <= 500_000
    assert cached(large) > 2_000_000


def test_a_cgi_program_reads_the_topic_of_its_path_alone(kafka, tmp_path):
    asked, other = kafka.topic(), kafka.topic()
    for topic in (asked, other):
        kafka.put(topic, "a", topic)
    said = {"brokers": kafka.brokers, "topics": {other: {}, asked: {}}, "routes": [RAW]}
    config = tmp_path / "cgi.json"
    config.write_text(json.dumps(said))
    log = tmp_path / "cgi.log"

    def program(path: str) -> subprocess.Popen:
        environment = os.environ | {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SKF_CONFIG": str(config),
            "REQUEST_METHOD": "GET",
            "REQUEST_URI": path,
        }
        return subprocess.Popen(
            [PROGRAM], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=log.open("w"), text=True,
        )  # fmt: skip

    with program(f"/raw/{asked}?topic={other}") as running:
        wait_until(lambda: running.stdout.readline() == f"data:{asked}\n")
        running.terminate()
    text = log.read_text()
    assert f"kafka: topic {asked}: 1 partition(s)" in text and other not in text
    with program("/raw/nothing") as running:
        assert "topic_unknown" in running.stdout.read()
    assert "kafka:" not in log.read_text()


PARTITIONS, MANY = 10, 100


def test_a_hundred_topics_one_deleted_one_made_again_one_never_there(kafka, serve, note):
    topics = [kafka.topic(PARTITIONS) for _ in range(MANY - 1)]
    never = kafka.new_name()
    deleted, again, *well = topics
    one = serve(topics[2:3])
    wait_until(lambda: health(one)[0] == 200)
    alone = resident_kb(one.pid)
    responder = serve([*topics, never], "--keepalive", "1")
    for topic in topics:
        kafka.put(topic, "a", topic, partition=3)
    streams = {topic: responder.open(target=f"/raw/{topic}") for topic in [*topics, never]}
    pump(streams.values(), lambda: all(streams[topic].events for topic in topics), timeout=60)
    expected = {topic: [] for topic in topics} | {never: ["topic_missing"]}
    wait_for((503, expected), lambda: health(responder), timeout=60)
    resident = resident_kb(responder.pid)
    note("resident KB with one topic, with a hundred of ten partitions", (alone, resident))
    kafka.delete_topic(deleted)
    kafka.delete_topic(again)
    expected[deleted] = expected[again] = ["topic_missing"]
    wait_for((503, expected), lambda: health(responder), timeout=60)
    kafka.topic(PARTITIONS, name=again)
    kafka.put(again, "b", "new")
    reset, event = (streams[again].take(3, timeout=60))[1:]
    assert reset.event == "reset" and event.text == "new"
    expected[again] = []
    wait_for((503, expected), lambda: health(responder), timeout=60)
    for topic in well:
        kafka.put(topic, "c", "live")
    pump(streams.values(), lambda: all(len(streams[topic].events) == 2 for topic in well), 60)
    assert all(stream.event != "reset" for topic in well for stream in streams[topic].events)
    grown = resident_kb(responder.pid) - resident
    note("grown by KB, one of them deleted, one made again", grown)
    for topic in (deleted, never):
        assert sum("does not exist" in line for line in lines_about(responder, topic)) == 1
        assert streams[topic].comments
    if not SANITIZED:
        assert resident - alone < MANY * 300, "300 KB for each topic"
        assert grown < 20_000

"""Through lighttpd with the repository's own lighttpd.conf, as a user has it."""

import gzip
import os
import signal
import time

import pytest

from clients import CurlReader, SseCat
from eventid import encode
from helpers import REPOSITORY, answers, listening_addresses, unix_connections, wait_until
from kafka import numbered
from sse import EVENT_STREAM, HttpReader, pump

WAYS = {
    "http": ("http", ["--http1.1"], "HTTP/1.1"),
    "https": ("https", ["--http1.1"], "HTTP/1.1"),
    "http2": ("https", ["--http2"], "HTTP/2"),
}


def curl(server, way: str, *options: str, target: str = "/events") -> CurlReader:
    scheme, http, _ = WAYS[way]
    url = server.url if scheme == "http" else server.https_url
    return CurlReader(url + target, *http, *options)


@pytest.mark.parametrize("way", WAYS)
def test_hello_world_typed_into_kcat_arrives_in_curl(kafka, topic, front, note, way):
    kafka.kcat(topic, "1", "old news")
    kafka.kcat(topic, "1", "Hello, world Sat Nov 22")
    server = front(topic)
    stream = curl(server, way)
    assert stream.next().text == "Hello, world Sat Nov 22"
    kafka.kcat(topic, "2", "Hello again")
    assert stream.next().text == "Hello again"
    assert (stream.http, stream.status) == (WAYS[way][2], 200)
    assert stream.headers["content-type"] == EVENT_STREAM
    delays = []
    for n in range(50):
        kafka.put(topic, "3", str(n))
        appended = time.monotonic()
        delays.append((stream.next().at - appended) * 1000)
    delays.sort()
    note("delay from the append, ms p50/max", f"{delays[25]:.1f}/{delays[-1]:.1f}")
    stream.close()


@pytest.mark.parametrize("way", WAYS)
def test_large_values_and_a_long_replay_are_whole(kafka, topic, front, way):
    kafka.produce(topic, *numbered(200, keys=200, size=50_000))
    kafka.put(topic, "lines", "\n".join(str(n) for n in range(17_000)))
    stream = curl(front(topic), way)
    events = stream.take(201, timeout=60)
    assert [event.data for event in events[:200]] == [r.value for r in numbered(200, 200, 50_000)]
    assert len(events[200].data.split(b"\n")) == 17_000
    stream.close()


def test_each_event_is_a_chunk_of_its_own_and_comes_at_once(kafka, topic, front):
    stream = HttpReader(front(topic).http).wait_started()
    for n in range(5):
        kafka.put(topic, "k", str(n))
        event = stream.next()
        assert stream.chunks[-1][1] == event.raw


def test_the_pool_has_two_responders_and_streams_are_spread(kafka, topic, front):
    server = front(topic)
    pids = server.pool()
    before = {pid: unix_connections(pid) for pid in pids}
    streams = [HttpReader(server.http).wait_started() for _ in range(10)]
    for pid in pids:
        assert unix_connections(pid) - before[pid] == 10 // len(pids)
    kafka.put(topic, "k", "to all")
    assert {stream.next().text for stream in streams} == {"to all"}


def test_responders_that_were_started_otherwise_are_served_from(kafka, topic, front, start):
    server = front(topic, responders=[start(topic), start(topic)])
    assert not server.responders()
    kafka.put(topic, "k", "v")
    streams = [HttpReader(server.http) for _ in range(4)]
    assert [stream.next().text for stream in streams] == ["v"] * 4


@pytest.mark.of_the_front
def test_all_ports_are_of_the_loopback_in_both_families(topic, front):
    server = front(topic)
    for port in (server.http[1], server.https[1]):
        assert answers(("127.0.0.1", port)) and answers(("::1", port))
        assert listening_addresses(port) == {"0100007F", "0" * 24 + "01000000"}


# Requests


@pytest.mark.of_the_front
def test_the_page_is_served(topic, front):
    server = front(topic)
    for target in ("/", "/index.html"):
        page = HttpReader(server.http, target).wait_end()
        assert page.status == 200 and b"Go</button>" in page.body
        assert page.headers["content-type"].startswith("text/html")


@pytest.mark.of_the_front
def test_what_the_page_is_made_of_is_compressed_and_events_are_not(topic, front):
    server = front(topic)
    asked = {"Accept-Encoding": "gzip, deflate, br"}
    for file in ("index.html", "style.css", "fanout.js"):
        answer = HttpReader(server.http, f"/{file}", headers=asked).wait_end()
        assert answer.headers["content-encoding"] == "gzip", file
        assert gzip.decompress(answer.body) == (REPOSITORY / "htdocs" / file).read_bytes()
    stream = HttpReader(server.http, headers=asked).wait_started()
    assert "content-encoding" not in stream.headers
    stream.close()


@pytest.mark.of_the_front
@pytest.mark.parametrize("target", ["/eventsfoo", "/events/", "/nothing", "/lighttpd.conf"])
def test_other_paths_are_not_found(topic, front, target):
    assert HttpReader(front(topic).http, target).wait_end().status == 404


def test_requests_that_are_no_get_have_their_answers(topic, front):
    server = front(topic)
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    renewal = {"Content-Type": "application/x-challenge-response"}
    assert HttpReader(server.http, method="HEAD").wait_end().status == 200
    assert HttpReader(server.http, method="OPTIONS", headers=preflight).wait_end().status == 204
    assert HttpReader(server.http, method="POST", headers=renewal).wait_end().status == 405
    assert HttpReader(server.http, method="POST", body=b"x=1").wait_end().status == 415
    assert HttpReader(server.http, method="PUT").wait_end().status == 405
    # curl -d '' as the README has it, curl -X POST as it must not have it
    for options, status in ((["-d", ""], 400), (["-X", "POST"], 411)):
        answer = curl(server, "http", *options)
        answer.wait(lambda: answer.closed)
        assert answer.status == status


def test_a_long_last_event_id_passes(kafka, topic, front):
    kafka.produce(topic, *numbered(10, keys=10))
    server = front(topic)
    headers = {"Last-Event-ID": f"{encode({0: 7})}/{'x' * 4000}", "X-Token": "x" * 20_000}
    assert HttpReader(server.http, headers=headers).next().text == "7"
    large = HttpReader(server.http, headers={"Last-Event-ID": "x" * 40_000})
    large.wait_head()
    assert large.status in (400, 413, 431)


@pytest.mark.parametrize("size, statuses", [(60_000, (405, 413)), (100_000, (413,))])
def test_a_body_has_a_limit(topic, front, size, statuses):
    headers = {"Content-Type": "application/x-challenge-response"}
    answer = HttpReader(front(topic).http, method="POST", headers=headers, body=b"x" * size)
    assert answer.wait_head().status in statuses


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_leaves_gives_everything_back(topic, front, way):
    server = front(topic)
    pids = server.pool()
    before = sum(map(unix_connections, pids))
    streams = [curl(server, way).wait_started() for _ in range(6)]
    assert sum(map(unix_connections, pids)) == before + 6
    for stream in streams:
        stream.close()
    wait_until(lambda: sum(map(unix_connections, pids)) == before, what="their connections")


# Logs


@pytest.mark.of_the_front
def test_no_query_is_in_any_log_whatever_happens(topic, front):
    server = front(topic)
    secrets = ("/events?access_token=TOPSECRET", "/events?other=TOPSECRET&x")
    streams = [HttpReader(server.http, target) for target in secrets * 4]
    pump(streams, lambda: all(stream.retry for stream in streams))
    streams.pop().close()
    for target in ("/nothing?access_token=TOPSECRET", "/index.html?TOPSECRET"):
        HttpReader(server.http, target).wait_end()
    HttpReader(server.http, secrets[0], method="POST", body=b"x").wait_end()
    for pid in server.responders():
        os.kill(pid, signal.SIGKILL)
    pump(streams, lambda: all(stream.closed or stream.ended for stream in streams))
    for target in secrets * 4:  # while they are down, and when they are back
        HttpReader(server.http, target).wait_head().close()
    wait_until(lambda: HttpReader(server.http, secrets[0]).wait_head().status == 200)
    server.stop()
    logs = server.all_logs()
    assert "/events" in logs and "GET" in logs, "there is a log at all"
    assert "TOPSECRET" not in logs


# Things that go away


def test_a_killed_responder_is_replaced_and_clients_come_back(kafka, topic, front, tmp_path):
    kafka.produce(topic, *numbered(10, keys=10))
    server = front(topic)
    client = SseCat(server.url + "/events", tmp_path)
    wait_until(lambda: client.lines() == [str(n) for n in range(10)])
    for pid in server.responders():
        os.kill(pid, signal.SIGKILL)
    kafka.put(topic, "a", "meanwhile")
    # It may have met the standby, which says to come back in 10 to 30 s.
    wait_until(lambda: client.lines()[10:] == ["meanwhile"], timeout=100)
    wait_until(lambda: len(server.responders()) >= 2)
    client.end()


def test_lighttpd_stopped_and_started_under_an_eventsource(kafka, topic, front, tmp_path, note):
    """The seed's reliability section, with a client that is not ours."""
    kafka.produce(topic, *numbered(10, keys=10))
    server = front(topic)
    client = SseCat(server.https_url + "/events", tmp_path)
    wait_until(lambda: client.lines() == [str(n) for n in range(10)])
    server.stop()
    kafka.put(topic, "a", "while it was away")
    kafka.put(topic, "k3", None)
    began = time.monotonic()
    server.start()
    wait_until(lambda: client.lines()[10:] == ["while it was away"])
    note("back with what was missed after s", round(time.monotonic() - began, 1))
    kafka.put(topic, "b", "live")
    wait_until(lambda: client.lines()[10:] == ["while it was away", "live"])
    client.end()


def test_the_end_of_lighttpd_leaves_nothing_running(topic, front):
    server = front(topic)
    streams = [HttpReader(server.http).wait_started() for _ in range(10)]
    server.stop()  # and looks for its responders
    assert not answers(server.http)
    pump(streams, lambda: all(stream.closed or stream.ended for stream in streams))

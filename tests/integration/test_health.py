"""Health and metrics: who may ask, and whether the answers are true."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from helpers import free_port, wait_for, wait_until
from kafka import Record, numbered
from tokens import ISSUER, Jwks, in_url, renew, rsa_key

ADMIN = {"SKF_ADMIN": "1"}
PATHS = ["/health/live", "/health/ready", "/metrics"]
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def peers(tmp_path):
    directory = tmp_path / "peers"
    directory.mkdir(mode=0o700)
    return directory


def ask(responder, path: str, method: str = "GET"):
    return responder.send(method, path, params=ADMIN).wait_end()


def readiness(responder) -> dict:
    answer = ask(responder, "/health/ready")
    said = json.loads(answer.body)
    assert answer.status == (200 if said["ready"] else 503)
    assert answer.headers["content-type"] == "application/json"
    return said


def reasons(responder) -> list[str]:
    (only,) = readiness(responder)["responders"]
    assert only["ready"] == (not only["reasons"])
    return only["reasons"]


def metrics(responder) -> dict[str, float]:
    """Family and label -> the sum over the pool; and the text format is kept."""
    answer = ask(responder, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parsed(answer.body.decode())


def parsed(text: str) -> dict[str, float]:
    values: dict[str, float] = {}
    announced = ""
    for line in text.splitlines():
        if line.startswith("# "):
            match = re.fullmatch(r"# (HELP|TYPE) (sse_kafka_fanout_\w+) (.+)", line)
            assert match, line
            assert match[1] == "HELP" or match[3] in ("counter", "gauge", "histogram")
            announced = match[2]
            continue
        labels = (
            r'responder="[\w.:#-]+",pool="(?:open|guarded)"(?:,topic="[\w.-]+")?'
            r'(,(?:reason|outcome|partition|shape)="\w+"|,le="(?:[\d.]+|\+Inf)"|,(?:issuer|route)="[^"]+"|,pid="\d+",version="[\d.]+")?'
        )
        match = re.fullmatch(r"(\w+)\{" + labels + r"\} (\d+(?:\.\d{3})?)", line)
        assert match and re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", match[1]) == announced, line
        key = match[1].removeprefix("sse_kafka_fanout_") + (match[2] or "")
        values[key] = values.get(key, 0) + float(match[3])
    return values


@pytest.mark.parametrize("path", PATHS)
def test_only_the_front_can_let_somebody_ask(topic, start, path):
    """PROTOCOL 10.1."""
    responder = start(topic)
    assert responder.send("GET", path).wait_end().status == 404
    assert responder.send("GET", path, headers={"Skf-Admin": "1"}).wait_end().status == 404
    for value in ("", "0", "yes", "11"):
        assert responder.send("GET", path, params={"SKF_ADMIN": value}).wait_end().status == 404
    assert ask(responder, path).status in (200, 503)
    head = ask(responder, path, "HEAD")
    assert head.status in (200, 503) and not head.body
    assert ask(responder, path, "POST").status == 405
    assert ask(responder, path + "/").status == 404
    assert ask(responder, path + "?x").status in (200, 503)


def test_the_guard_is_not_for_those_who_may_ask(start, tmp_path):
    """PROTOCOL 10.1."""
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    responder = start("events", *keys.options(), brokers=f"127.0.0.1:{free_port()}")
    assert ask(responder, "/health/live").status == 200
    assert responder.send("GET", "/events", params=ADMIN).wait_end().status == 404


def test_ready_is_who_has_read_the_topic(kafka, start):
    """PROTOCOL 10.2, 10.3."""
    topic = kafka.new_name()
    responder = start(topic)
    wait_until(lambda: reasons(responder) == ["topic_missing"])
    assert json.loads(ask(responder, "/health/live").body) == {"live": True}
    kafka.topic(name=topic)
    wait_until(lambda: not reasons(responder))
    assert readiness(responder)["scope"] == "responder"
    kafka.stop()
    try:
        wait_until(lambda: reasons(responder) == ["kafka_away"])
    finally:
        kafka.start()
    wait_until(lambda: not reasons(responder), timeout=60)


def test_a_compacted_topic_that_does_not_fit_in_is_told(kafka, topic, start):
    responder = start(topic, "--cache-bytes", str(1 << 16))
    wait_until(lambda: not reasons(responder))
    stream = responder.open()
    kafka.produce(topic, *numbered(2000, keys=2000))
    stream.take_until(b"1999")
    wait_until(lambda: reasons(responder) == ["cache_full"])
    wait_until(lambda: f"are not enough for topic {topic}: " in responder.text())
    assert "--cache-bytes" in responder.text()
    late = responder.open()
    assert late.next().event == "gap", "never a silent hole"
    late.take_until(b"1999")
    assert metrics(responder)["gaps_total"] == 1
    assert metrics(responder)["cache_bytes"] <= 1 << 16


def test_how_long_live_records_take_is_told(kafka, topic, start):
    """From their timestamps, which may be wrong; of what was there before a stream, nothing."""
    kafka.put(topic, "old", "old")
    responder = start(topic)
    stream = responder.open()
    stream.take_until(b"old")
    assert metrics(responder)["append_to_written_seconds_count"] == 0
    now = time.time()
    for timestamp in (now - 20, now + 600, 1):
        record = Record(b"k", str(timestamp).encode(), timestamp=int(timestamp * 1000))
        kafka.produce(topic, record)
        stream.take_until(str(timestamp).encode())
    wait_until(lambda: metrics(responder)["append_to_written_seconds_count"] == 3)
    said = metrics(responder)
    buckets = [said[f'append_to_written_seconds_bucket,le="{le}"'] for le in ("0.005", "10", "60", "+Inf")]
    assert buckets == [1, 1, 2, 3]
    assert 3620 <= said["append_to_written_seconds_sum"] <= 3660


def test_streams_are_told_by_shape(topic, start):
    responder = start(topic)
    wait_until(lambda: not reasons(responder))
    streams = [responder.open(), responder.open(target="/events?data=envelope")]
    streams.append(responder.send(headers={"Accept": "application/x-ndjson"}).wait_head())
    for _ in range(2):
        document = responder.send(headers={"Accept": "application/json"}).wait_end()
        assert document.status == 200
    said = metrics(responder)
    shapes = ("sse", "envelope", "ndjson", "json")
    assert [said[f'shape_streams,shape="{shape}"'] for shape in shapes] == [1, 1, 1, 0]
    opened = [said[f'shape_streams_opened_total,shape="{shape}"'] for shape in shapes]
    assert opened == [1, 1, 1, 2]
    assert not any(stream.ended for stream in streams)


def test_broken_keys_are_told(topic, start, tmp_path):
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    responder = start(topic, *keys.options())
    wait_until(lambda: not reasons(responder))
    good = keys.path.read_text()
    keys.path.write_text("{")
    wait_until(lambda: reasons(responder) == ["keys_broken"])
    [one] = readiness(responder)["responders"]
    assert one["details"]["keys_broken"].endswith(f": issuer {ISSUER}")
    keys.path.write_text(good)
    wait_until(lambda: not reasons(responder))


def test_one_answers_for_the_pool(topic, start, peers, tmp_path):
    """Also an open one for a guarded one, when both have the directory. PROTOCOL 10.4."""
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    pool = [start(topic, "--peer-dir", str(peers)) for _ in range(2)]
    pool.append(start(topic, *keys.options("--peer-dir", str(peers))))
    # Each listens before it joins.
    wait_for({r.pid: [] for r in pool}, lambda: reasons_by_pid(pool[0]))
    said = readiness(pool[0])
    assert (said["scope"], said["ready"]) == ("pool", True)
    assert sorted(one["pool"] for one in said["responders"]) == ["guarded", "open", "open"]
    streams = [pool[1].open(), pool[2].open(target=in_url(rsa_key().mint()))]
    wait_until(lambda: metrics(pool[0])["streams"] == len(streams))
    pool[1].end(signal.SIGKILL)
    assert reasons_by_pid(pool[0]).keys() == {pool[0].pid, pool[2].pid}
    assert metrics(pool[0])["streams"] == 1
    # Who comes next clears up after the dead.
    pool.append(start(topic, "--peer-dir", str(peers)))
    living = {pool[i].pid: [] for i in (0, 2, 3)}
    wait_for({f"metrics-{pid}" for pid in living}, lambda: metrics_files(peers))
    wait_for(living, lambda: reasons_by_pid(pool[0]))
    os.kill(pool[3].pid, signal.SIGSTOP)
    wait_for(living | {pool[3].pid: ["silent"]}, lambda: reasons_by_pid(pool[0]))
    assert not readiness(pool[0])["ready"]
    os.kill(pool[3].pid, signal.SIGCONT)
    wait_for(living, lambda: reasons_by_pid(pool[0]))


def reasons_by_pid(responder) -> dict[int, list[str]]:
    """Of the whole pool, as this one knows it."""
    return {one["pid"]: one["reasons"] for one in readiness(responder)["responders"]}


def metrics_files(directory: Path) -> set[str]:
    """Without the random part of their names."""
    names = {path.name for path in directory.iterdir() if path.name.startswith("metrics")}
    return {name.rpartition("-")[0] for name in names}


def test_two_topics_in_one_directory_can_be_told_apart(kafka, topic, start, peers):
    """PROTOCOL 10.5."""
    missing = kafka.new_name()
    good, bad = (start(name, "--peer-dir", str(peers)) for name in (topic, missing))

    def health(query: str = "") -> tuple[int, dict[str, list[str]]]:
        answer = ask(good, f"/health/ready{query}")
        said = json.loads(answer.body)["responders"]
        return answer.status, {one["topic"]: one["reasons"] for one in said}

    wait_for((503, {topic: [], missing: ["topic_missing"]}), health)
    assert health(f"?topic={topic}") == (200, {topic: []})
    assert health(f"?topic={missing}") == (503, {missing: ["topic_missing"]})
    assert health("?topic=another") == (503, {})
    assert json.loads(ask(good, "/health/ready?topic=another").body)["reasons"] == ["topic_unknown"]
    text = ask(bad, "/metrics").body.decode()
    for name, value in ((topic, 1), (missing, 0)):
        assert re.search(rf'^sse_kafka_fanout_ready{{.*,topic="{name}"}} {value}$', text, re.M)


def test_who_stops_leaves_the_pool(topic, start, peers):
    pool = [start(topic, "--peer-dir", str(peers), "--drain", "60") for _ in range(2)]
    wait_until(lambda: readiness(pool[0])["ready"])
    streams = [pool[1].open() for _ in range(2)]
    pool[1].process.send_signal(signal.SIGTERM)
    wait_until(lambda: ["draining"] in [r["reasons"] for r in readiness(pool[0])["responders"]])
    wait_until(lambda: readiness(pool[0])["ready"], what="a pool that can do without it")
    assert pool[1].end(signal.SIGTERM) == 0
    assert len(readiness(pool[0])["responders"]) == 1
    assert len(list(peers.iterdir())) == 2  # the socket and the metrics of the other
    assert any(stream.wait_end().ended for stream in streams)


def test_what_happens_is_counted(kafka, topic, start, tmp_path):
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    os.utime(keys.path, (1700000000, 1700000000.25))
    responder = start(topic, *keys.options("--max-streams-per-address", "2"))
    before = metrics(responder)
    assert before["streams"] == before["streams_opened_total"] == before["records_total"] == 0
    kafka.produce(topic, *numbered(5, keys=5))
    token = in_url(rsa_key().mint())
    streams = [responder.open(target=token) for _ in range(2)]
    for stream in streams:
        stream.take(5)
    responder.send(target=token, headers=STREAM).wait_end()
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    for target in ("/events", in_url(rsa_key().mint(scope="other")), "/nothing"):
        responder.send(target=target, params=elsewhere).wait_end()
    reset = responder.open("nonsense", target=token, params=elsewhere)
    assert reset.next().event == "reset"
    streams[0].close()
    responder.open(target=in_url(rsa_key().mint(4)), params=elsewhere).wait_end()
    good = rsa_key().mint(600)
    assert renew(responder, good) == 204
    assert renew(responder, rsa_key().mint(-1)) == renew(responder, None) == 401
    assert renew(responder, good, selector=rsa_key().mint(sub="bob")) == 403
    wanted = {
        "ready": 1,
        "streams": 2,
        "streams_opened_total": 4,
        'streams_ended_total,reason="client"': 1,
        'streams_ended_total,reason="token"': 1,
        'requests_refused_total,reason="address_streams"': 1,
        'requests_refused_total,reason="token"': 3,
        'requests_refused_total,reason="forbidden"': 2,
        'requests_refused_total,reason="other"': 1,
        "records_total": 5,
        'lag_records,partition="0"': 0,
        'trouble,reason="kafka_away"': 0,
        'renewals_total,outcome="accepted"': 1,
        'renewals_total,outcome="token"': 2,
        'renewals_total,outcome="forbidden"': 1,
        "challenges_total": 1,  # of the token that lived for a second
        f'jwks_changed_timestamp_seconds,issuer="{ISSUER}"': 1700000000.25,
        f'jwks_broken,issuer="{ISSUER}"': 0,
        "sent_events_total": 2 * 5 + 1 + 5 + 5,  # two streams, a reset with a replay, a replay
        "cache_keys": 5,
        'resets_total,reason="id_malformed"': 1,
        "cache_records": 5,
    }

    def counted() -> dict[str, int]:
        after = metrics(responder)
        return {name: after.get(name) for name in wanted}

    wait_for(wanted, counted)
    after = metrics(responder)
    assert after["sent_bytes_total"] > sum(len(stream.body) for stream in streams)
    assert 0 < after["loop_busy_seconds_total"] + after["loop_turns_total"]
    assert after["loop_longest_turn_seconds"] < 60


def test_the_lag_is_told_by_partition(kafka, start, peers):
    topic = kafka.topic(partitions=3)
    pool = [start(topic, "--peer-dir", str(peers)) for _ in range(2)]
    wait_until(lambda: readiness(pool[0])["ready"])
    lags = [f'lag_records,partition="{number}"' for number in range(3)]
    assert [metrics(pool[0])[lag] for lag in lags] == [0, 0, 0]
    assert 'lag_records,partition="3"' not in metrics(pool[0])

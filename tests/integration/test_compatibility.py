"""What 0.1 had, written down: whoever has it goes on with it."""

import re
import subprocess

import pytest

from helpers import PROGRAM, wait_until
from kafka import Record, numbered
from test_health import metrics
from tokens import Jwks, rsa_key

# As 0.1.0 has sent them, of a topic of three partitions that holds 300 records, one, and one with an etag; and
# in the form of --event-id key, with Zilla's "historical" and "live", without padding, and of one partition.
IDS = {
    "AQYA1AQCAAQA": {"298", "299", "v", "etag"},
    "AQYA2AQCAAQA": {"v", "etag"},
    "AQYA2AQCAgQA": {"etag"},
    "AQYA2AQCAgQC/v1": set(),
    '["ZQ==","AQYA2AQCAgQC/v1"]': set(),
    '[null,"AQYA1gQCAgQC"]': {"299"},
    "AQYA2AQCAQQD": {"v", "etag"},
    "AQIA1gQ=": {"299", "v", "etag"},
    "AQIA1gQ": {"299", "v", "etag"},
}
OPTIONS = """allow-demo-key audience brokers cache-bytes challenge compact config cors drain event-id
    flush-interval help issuer jwks keepalive leeway listen log-format log-level max-opens-per-minute
    max-stream-age max-streams max-streams-per-address max-streams-per-subject path peer-dir retry scope
    scope-claim standby topic version"""
METRICS = """cache_bytes cache_keys cache_records challenges_total conflations_total consumer_stuck_total
    gaps_total jwks_changed_timestamp_seconds lag_records loop_busy_seconds_total loop_long_turns_total
    loop_longest_turn_seconds loop_turns_total ready records_total renewals_total requests_refused_total
    resets_total sent_bytes_total sent_events_total streams streams_ended_total streams_opened_total
    trouble"""
REASONS = """cache_full catching_up consumer_stuck kafka_away keys_broken loop_slow topic_missing draining
    silent"""


@pytest.fixture
def topic(kafka) -> str:
    topic = kafka.topic(partitions=3)
    kafka.produce(topic, *(r._replace(partition=0) for r in numbered(300, keys=300)))
    kafka.put(topic, "k1", "v", partition=1)
    kafka.produce(topic, Record(b"e", b"etag", partition=2, headers=(("etag", b"v1"),)))
    return topic


@pytest.mark.parametrize("form", ["progress", "key"])
def test_ids_of_0_1_resume(kafka, topic, start, form):
    """PROTOCOL 8.1."""
    responder = start(topic, "--event-id", form)
    for event_id, missed in IDS.items():
        stream = responder.open(event_id)
        got = {event.text for event in stream.take(len(missed))}
        assert got == missed, event_id
        stream.close()
    # Nothing else follows: the next one is the same for all of them.
    streams = [responder.open(event_id) for event_id in IDS]
    for stream, missed in zip(streams, IDS.values()):
        stream.take(len(missed))
    kafka.put(topic, "k1", "v", partition=1)
    assert [stream.next().text for stream in streams] == ["v"] * len(IDS)


def test_names_of_0_1_are_there(topic, start, tmp_path):
    """PROTOCOL 8.2."""
    said = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    assert set(OPTIONS.split()) <= set(re.findall(r"--([a-z-]+)", said))
    responder = start(topic, *Jwks(tmp_path / "jwks.json", rsa_key()).options())

    def families() -> set[str]:
        return {name.partition(",")[0] for name in metrics(responder)}

    wait_until(lambda: not set(METRICS.split()) - families(), what="the metrics")
    told = metrics(responder)
    assert {f'trouble,reason="{reason}"' for reason in REASONS.split()} <= set(told)

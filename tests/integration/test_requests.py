"""The request, as section 1 of the contract has it, over FastCGI and without a front."""

import json
import re
import struct
import time

import pytest

import fastcgi
from helpers import REPOSITORY, cpu_seconds, free_port, unix_connections, wait_until
from sse import EVENT_STREAM, EventReader

RENEWAL = "application/x-challenge-response"



def reasons_of_protocol() -> set[tuple[str, int]]:
    """PROTOCOL 7.1: the codes of problem documents, each with its status."""
    text = (REPOSITORY / "PROTOCOL.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", text, re.M)
    return {(code, int(status)) for code, statuses in rows for status in statuses.split(",")}


REASONS = reasons_of_protocol()


@pytest.fixture
def responder(start):
    """One without a Kafka: requests are answered all the same."""
    return start("events", brokers=f"127.0.0.1:{free_port()}")


def assert_refused(answer: EventReader, *statuses: int) -> None:
    answer.wait_end()
    assert answer.status in statuses, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    assert (problem["reason"], answer.status) in REASONS
    assert len(answer.body) < 1000


def test_the_reasons_are_those_of_the_sources():
    """PROTOCOL 7.1."""
    source = (REPOSITORY / "fcgi" / "front" / "refusal.h").read_text()
    rows = re.findall(r"X\(\w+, (\d{3}), \"(\w+)\"", source)
    assert len(rows) > 20 and {(code, int(status)) for status, code in rows} == REASONS


# GET and HEAD


def test_a_get_has_its_headers_and_first_bytes_before_kafka_has_answered(responder):
    """PROTOCOL 1.1, 1.16, 1.18, 1.20, 1.22."""
    stream = responder.send().wait_started()
    assert stream.status == 200
    assert stream.headers["content-type"] == EVENT_STREAM
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["incremental"] == "?1"
    assert words(stream, "access-control-expose-headers") == {
        "retry-after",
        "www-authenticate",
        "etag",
        "preference-applied",
    }
    assert stream.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in stream.headers
    stream.wait(lambda: stream.comments)
    assert bytes(stream.body) == b"retry:%d\n:\n" % stream.retry[0]


@pytest.mark.parametrize("options, retry", [([], 2000), (["--retry", "10000"], 10000)])
def test_the_time_to_retry_is_drawn_for_each_stream(start, options, retry):
    """PROTOCOL 1.17."""
    responder = start("events", *options, brokers=f"127.0.0.1:{free_port()}")
    drawn = [responder.open().retry[0] for _ in range(40)]
    assert retry * 0.5 <= min(drawn) < retry * 0.8
    assert retry * 1.2 < max(drawn) <= retry * 1.5


def test_accept_is_not_demanded(responder):
    """PROTOCOL 1.10."""
    for accept in ("*/*", "text/html", ""):
        assert responder.open(headers={"Accept": accept}).status == 200


def test_a_query_is_no_part_of_the_path(responder):
    """PROTOCOL 1.8."""
    assert responder.open(target="/events?one=1&two=%00&?").status == 200
    assert responder.open(target="/events?").status == 200


def test_head_has_the_headers_of_a_get_and_no_body(responder):
    """PROTOCOL 1.2."""
    head = responder.send("HEAD").wait_end()
    assert head.status == 200
    assert head.headers == responder.open().headers
    assert head.body == b""


def test_a_silent_stream_gets_a_comment_each_keep_alive_time(start, note):
    """PROTOCOL 2.10."""
    responder = start("events", "--keepalive", "1", brokers=f"127.0.0.1:{free_port()}")
    began = time.monotonic()
    stream = responder.open()
    stream.wait(lambda: len(stream.comments) >= 4)
    took = stream.comments[3] - began
    note("three keep-alives of 1 s took s", round(took, 2))
    assert bytes(stream.body) == b"retry:%d\n" % stream.retry[0] + b":\n" * len(stream.comments)
    assert took > 2.5


def test_a_responder_may_serve_another_path(start):
    responder = start("events", "--path", "/live/feed", brokers=f"127.0.0.1:{free_port()}")
    assert responder.open(target="/live/feed").status == 200
    assert_refused(responder.send(target="/events"), 404)


# Other methods


@pytest.mark.parametrize(
    "content_type, body",
    [
        (RENEWAL, b""),
        (RENEWAL, b"a small body"),
        ("Application/X-Challenge-Response", b""),
        (RENEWAL + "; charset=utf-8", b""),
        (f"  {RENEWAL} ;a=b", b""),
    ],
)
def test_a_renewal_without_keys_is_not_allowed(responder, content_type, body):
    """PROTOCOL 1.5."""
    answer = responder.send("POST", headers={"Content-Type": content_type}, body=body)
    assert_refused(answer, 405)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "", RENEWAL + "x", "x" + RENEWAL, f"text/plain; {RENEWAL}", f"a, {RENEWAL}"],
)
def test_a_post_of_another_type_is_not_supported(responder, content_type):
    """PROTOCOL 1.4."""
    answer = responder.send("POST", headers={"Content-Type": content_type}, body=b"x=1")
    assert_refused(answer, 415)


def test_a_post_without_a_type_is_not_supported(responder):
    """PROTOCOL 1.4."""
    assert_refused(responder.send("POST", body=b"x=1"), 415)


def test_a_preflight_is_answered_with_what_a_page_may_send(responder):
    """PROTOCOL 1.6, 1.21."""
    answer = responder.send(
        "OPTIONS",
        headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"},
    ).wait_end()
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert words(answer, "access-control-allow-methods") == {"get", "head", "post", "options"}
    assert words(answer, "access-control-allow-headers") == {
        "authorization",
        "content-type",
        "last-event-id",
        "cache-control",
        "if-none-match",
        "prefer",
        "traceparent",
        "tracestate",
        "baggage",
        "x-requested-with",
        "pragma",
    }
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://a.example"}])
def test_options_that_are_no_preflight_are_answered_with_allow(responder, headers):
    """PROTOCOL 1.6."""
    answer = responder.send("OPTIONS", headers=headers).wait_end()
    assert answer.status == 204
    assert words(answer, "allow") >= {"get", "head", "options"}


def words(answer: EventReader, header: str) -> set[str]:
    return {word.strip().lower() for word in answer.headers[header].split(",")}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "get", "GETS", "TRACE"])
def test_any_other_method_is_not_allowed(responder, method):
    """PROTOCOL 1.7."""
    answer = responder.send(method)
    assert_refused(answer, 405)
    assert words(answer, "allow") >= {"get", "head", "options"}


@pytest.mark.parametrize(
    "target",
    ["/", "/eventsfoo", "/events/", "/Events", "/%65vents", "//events", "/events%3f", "/metrics"],
)
def test_any_other_path_is_not_found(responder, target):
    """PROTOCOL 1.8."""
    assert_refused(responder.send(target=target), 404)


def test_a_path_that_the_front_sees_differently_is_refused(responder):
    """PROTOCOL 1.9."""
    assert_refused(responder.send(params={"SCRIPT_NAME": "/other"}), 400, 404)
    assert_refused(responder.send(params={"PATH_INFO": "/more"}), 400, 404)
    split = {"SCRIPT_NAME": "", "PATH_INFO": "/events"}
    assert responder.open(params=split).status == 200


def test_a_reason_never_repeats_the_request(responder):
    """PROTOCOL 1.14."""
    answer = responder.send("PUT", target="/secret?access_token=secret")
    assert_refused(answer, 404, 405)
    assert b"secret" not in answer.body and "secret" not in str(answer.headers)
    assert "secret" not in responder.text()


# CORS


@pytest.fixture
def two_origins(start):
    origins = "https://a.example,http://b.example:8080"
    return start("events", "--cors", origins, brokers=f"127.0.0.1:{free_port()}")


@pytest.mark.parametrize("origin", ["https://a.example", "http://b.example:8080"])
def test_a_listed_origin_is_echoed(two_origins, origin):
    """PROTOCOL 1.19."""
    stream = two_origins.open(headers={"Origin": origin})
    assert stream.headers["access-control-allow-origin"] == origin
    assert "origin" in words(stream, "vary")
    assert "access-control-allow-credentials" not in stream.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://a.example", "https://a.example:8080", "null"]
)
def test_another_origin_is_forbidden(two_origins, origin):
    """PROTOCOL 1.19."""
    answer = two_origins.send(headers={"Origin": origin}).wait_end()
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_pages_own_origin_is_always_allowed(two_origins):
    """PROTOCOL 1.19."""
    assert two_origins.open(headers={"Origin": "http://localhost:8080"}).status == 200
    https = {"HTTPS": "on", "REQUEST_SCHEME": "https", "HTTP_HOST": "localhost:9090"}
    own = {"Origin": "https://localhost:9090"}
    assert two_origins.open(headers=own, params=https).status == 200


def test_a_client_without_an_origin_is_served(two_origins):
    assert two_origins.open().status == 200


# What FastCGI may bring


@pytest.mark.parametrize(
    "name", ["REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "CONTENT_TYPE", "HTTP_AUTHORIZATION"]
)
def test_a_parameter_that_decides_something_must_not_come_twice(responder, name):
    """PROTOCOL 1.12."""
    params = fastcgi.cgi("GET", "/events", {"Content-Type": "a/b", "Authorization": "Basic eA=="})
    pairs = list(params.items())
    assert_refused(responder.say(fastcgi.request([*pairs, (name, params[name])])), 400)


@pytest.mark.parametrize("size", [20_000, 60_000, 70_000, 200_000, 900_000])
def test_a_head_that_is_too_large_gets_an_answer(responder, size):
    """PROTOCOL 1.11."""
    said = fastcgi.request(fastcgi.cgi("GET", "/events", {"X-Large": "x" * size}).items())
    answer = responder.say(said)
    answer.wait(lambda: answer.ended or answer.retry)
    assert answer.status in ((200,) if size < 40_000 else (200, 400, 413, 414, 431)), answer
    assert size < 100_000 or answer.status != 200


@pytest.mark.parametrize("size", [70_000, 900_000])
def test_a_body_that_is_too_large_gets_an_answer(responder, size):
    """PROTOCOL 1.11."""
    answer = responder.send("POST", headers={"Content-Type": RENEWAL}, body=b"x" * size)
    assert_refused(answer, 400, 405, 413)


def test_a_request_without_end_is_closed(responder):
    flood = responder.say(fastcgi.begin())
    for _ in range(400):  # 26 MB of parameters
        flood.say(fastcgi.record(fastcgi.PARAMS, fastcgi.pair("A", "x" * 65000)))
    flood.wait(lambda: flood.closed)
    assert responder.open().status == 200


def pairs_of(*pairs: bytes) -> bytes:
    return fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, b"".join(pairs))


BROKEN = {
    "not FastCGI": b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "version 2": fastcgi.record(fastcgi.BEGIN_REQUEST, b"\0\1\0\0\0\0\0\0", version=2),
    "request id 0": fastcgi.begin(request_id=0),
    "PARAMS first": fastcgi.stream(fastcgi.PARAMS, b""),
    "STDIN first": fastcgi.stream(fastcgi.STDIN, b""),
    "a short BEGIN": fastcgi.record(fastcgi.BEGIN_REQUEST, b"\0\1"),
    "two ids": fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, b"", request_id=2),
    "a name of 2 GB": pairs_of(struct.pack(">IB", 0xFFFFFFFE, 1) + b"xx"),
    "a name of all bits": pairs_of(struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF)),
    "a value past the end": pairs_of(b"\1\x7fAx"),
    "half a length": pairs_of(b"\1\x80\0"),
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_broken_framing_is_closed_and_hurts_nobody(responder, said):
    """PROTOCOL 1.13."""
    other = responder.open()
    broken = responder.say(said + fastcgi.stream(fastcgi.STDIN, b""))
    broken.wait(lambda: broken.closed)
    assert broken.status in (0, 400)
    assert responder.open().status == 200
    assert not other.closed


def test_another_role_than_responder_is_not_served(responder):
    said = fastcgi.begin(role=fastcgi.AUTHORIZER) + fastcgi.stream(fastcgi.PARAMS, b"")
    answer = responder.say(said + fastcgi.stream(fastcgi.STDIN, b""))
    answer.wait(lambda: answer.ended or answer.closed)
    assert answer.status == 0


def test_a_head_may_come_byte_by_byte(responder):
    said = fastcgi.request(fastcgi.cgi("GET", "/events", {}).items())
    stream = responder.say(b"")
    for byte in said:
        stream.say(bytes([byte]))
    assert stream.wait_started().status == 200


def test_a_slow_head_delays_nobody_and_costs_nothing(responder):
    said = fastcgi.request(fastcgi.cgi("GET", "/events", {}).items())
    slow = [responder.say(said[:cut]) for cut in range(0, len(said), 10)]
    before = cpu_seconds(responder.pid)
    began = time.monotonic()
    while time.monotonic() < began + 1:
        opened = responder.open()
        opened.close()
        time.sleep(0.05)
    assert cpu_seconds(responder.pid) - before < 0.5
    for cut, stream in zip(range(0, len(said), 10), slow):
        stream.say(said[cut:])
        assert stream.wait_started().status == 200


def test_a_head_that_never_comes_is_closed_in_the_end(responder, note):
    began = time.monotonic()
    half = responder.say(fastcgi.begin() + b"\1")
    half.wait(lambda: half.closed, timeout=60)
    note("half a head was closed after s", round(time.monotonic() - began, 1))


@pytest.mark.parametrize("request_id", [7, 256, 65535])
def test_every_record_carries_the_id_of_its_request(responder, request_id):
    stream = responder.send(request_id=request_id).wait_started()
    stream.say(fastcgi.record(fastcgi.ABORT_REQUEST, request_id=request_id))
    assert stream.wait_end().request_id == request_id


def test_keep_conn_is_not_honoured(responder):
    said = fastcgi.request(fastcgi.cgi("HEAD", "/events", {}).items(), flags=fastcgi.KEEP_CONN)
    answer = responder.say(said).wait_end()
    answer.wait(lambda: answer.closed)


# The end of a stream


def test_an_idle_stream_whose_client_has_left_is_ended_at_once(responder, note):
    stream = responder.open()
    began = time.monotonic()
    stream.hang_up()
    stream.wait_end()
    note("END_REQUEST after ms", round((time.monotonic() - began) * 1000, 1))
    assert (stream.app_status, stream.protocol_status) == (0, 0)
    stream.wait(lambda: stream.closed)


def test_an_abort_ends_a_stream(responder):
    stream = responder.open()
    stream.say(fastcgi.record(fastcgi.ABORT_REQUEST))
    stream.wait_end()
    stream.wait(lambda: stream.closed)


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_an_abort_whose_first_bytes_came_with_the_request_ends_a_stream(responder, cut):
    said = fastcgi.request(fastcgi.cgi("GET", "/events", {}).items())
    abort = fastcgi.record(fastcgi.ABORT_REQUEST)
    stream = responder.say(said + abort[:cut]).wait_started()
    stream.say(abort[cut:])
    stream.wait_end()


def test_a_second_request_on_a_streams_connection_ends_it(responder):
    stream = responder.open()
    stream.say(fastcgi.request(fastcgi.cgi("GET", "/events", {}).items(), request_id=2))
    stream.wait(lambda: stream.closed)
    assert responder.open().status == 200


def test_every_way_of_leaving_gives_the_descriptor_back(responder):
    before = 1  # its listening socket
    said = fastcgi.request(fastcgi.cgi("GET", "/events", {}).items())
    for cut in (0, 4, 20, 100, len(said)):
        responder.say(said[:cut]).close()
    streams = [responder.open() for _ in range(20)]
    assert unix_connections(responder.pid) >= before + 20
    for stream in streams[:10]:
        stream.close()
    for stream in streams[10:]:
        stream.hang_up()
        stream.wait_end()
    wait_until(lambda: unix_connections(responder.pid) == before)

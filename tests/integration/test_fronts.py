"""The web servers of fcgi/examples in front of a pool. The repository's own lighttpd.conf is seen in
test_front.py and test_front_faults.py."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients import CurlReader
from eventid import encode
from fronts import ABSENT, FRONTS, OTHER_PATHS, Front, Place
from helpers import (
    ABSENT_REASON,
    PATIENCE_S,
    PROGRAM,
    REPOSITORY,
    Process,
    descriptors,
    listening_addresses,
    wait_until,
)
from kafka import Record, numbered
from lighttpd import CA, make_certificates
from responder import assert_no_sanitizer_report
from sse import EVENT_STREAM, HttpReader, pump
from tokens import RENEWAL, Jwks, in_url, rsa_key

HTDOCS = REPOSITORY / "htdocs"
WAYS = ("--http1.1", "--http2")
WITH_HTTP2 = [
    name for name in FRONTS if name not in ABSENT and FRONTS[name].speaks["--http2"] == "HTTP/2"
]
STREAM = ["-H", "Accept: text/event-stream"]


class Member(Process):
    """A responder of the pool, or the standby, on a socket that is made for it as by systemd."""

    def __init__(self, number: str, place: Place, *options: str):
        super().__init__(f"responder-{number}", place.directory)
        self.path = place.run / f"{number}.sock"
        self.options = options

    def start(self) -> "Member":
        self.path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.path))
            listening.listen(4096)
            self.path.chmod(0o666)  # a group of the tests' own is not needed
            self.spawn([PROGRAM, *self.options], stdin=listening)
        return self

    def stop(self) -> None:
        status = self.end()
        assert_no_sanitizer_report(self.text())
        assert status == 0, f"{self.name} ended with {status}: {self.text()[-2000:]}"


class Pool:
    def __init__(self, place: Place, options: list[str]):
        self.responders = [Member(number, place, *options, "--drain", "0") for number in "12"]
        self.standby = Member("standby", place, "--standby")

    def start(self) -> "Pool":
        for member in (*self.responders, self.standby):
            member.start()
        return self

    def stop(self) -> None:
        for responder in self.responders:
            responder.stop()

    def signal(self, how: int) -> None:
        for responder in self.responders:
            responder.process.send_signal(how)


@pytest.fixture(scope="module")
def all_places() -> Iterator[Path]:
    """Not pytest's own directory, which no other user may enter."""
    make_certificates()
    with tempfile.TemporaryDirectory(prefix="skf-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def place(all_places: Path) -> Place:
    return Place(all_places)


@pytest.fixture
def pool(kafka, topic, place) -> Callable[..., Pool]:
    """pool(*options): one that demands tokens."""
    keys = Jwks(place.directory / "jwks.json", rsa_key())
    peers = place.new("peers")
    peers.chmod(0o700)
    shared = ["-b", kafka.brokers, "-t", topic, "--peer-dir", str(peers)]
    return lambda *options: Pool(place, shared + keys.options(*options)).start()


@pytest.fixture(params=FRONTS)
def kind(request) -> type[Front]:
    if request.param in ABSENT:
        pytest.skip(f"{request.param}: {ABSENT_REASON}")
    return FRONTS[request.param]


def curl(front: Front, way: str, *options: str, target: str = "/events", token: str = ""):
    if token:
        options += ("-H", f"Authorization: Bearer {token}")
    return CurlReader(front.url + target, way, "-m", "120", *options)


def ask(front: Front, way: str, *options: str, **request: str) -> CurlReader:
    """The whole answer."""
    answer = curl(front, way, *options, **request)
    answer.wait(lambda: answer.closed)
    return answer


def admin(front: Front, path: str) -> HttpReader:
    return HttpReader(front.admin, path).wait_end()


def open_streams(front: Front) -> int:
    """In the whole pool, as a responder tells the operator."""
    said = admin(front, "/metrics").body.decode()
    return sum(map(int, re.findall(r"^sse_kafka_fanout_streams\{.*\} (\d+)$", said, re.M)))


def opened(front: Front) -> int:
    """Streams, and documents, since the start."""
    said = admin(front, "/metrics").body.decode()
    return sum(map(int, re.findall(r"^sse_kafka_fanout_streams_opened_total\{.*\} (\d+)$", said, re.M)))


def token(**claims: str) -> str:
    return rsa_key().mint(600, **claims)


# Streams


def test_an_event_arrives_before_the_next_is_produced(kafka, topic, pool, place, kind):
    kafka.produce(topic, *numbered(3, keys=3))
    pool()
    front = kind(place).start()
    streams = [curl(front, way, token=token()) for way in WAYS]
    for stream, way in zip(streams, WAYS):
        assert [event.text for event in stream.take(3)] == ["0", "1", "2"]
        assert (stream.http, stream.status) == (kind.speaks[way], 200)
        assert stream.headers["content-type"] == EVENT_STREAM
        assert stream.headers["cache-control"] == "no-store, no-transform"
    for n in range(10):
        kafka.put(topic, "k", str(n))
        assert [stream.next().text for stream in streams] == [str(n)] * 2


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_leaves_gives_everything_back(pool, place, kind, way):
    """At once, or with a keep-alive, as the example says."""
    pool("--keepalive", "3600" if kind.notices_at_once[way] else "1")
    front = kind(place).start()
    streams = [curl(front, way, token=token()).wait_started() for _ in range(3)]
    wait_until(lambda: open_streams(front) == 3)
    for stream in streams:
        stream.close()
    wait_until(lambda: open_streams(front) == 0, what="their end")


@pytest.mark.of_the_front
@pytest.mark.parametrize("name", WITH_HTTP2)
def test_a_browser_has_as_many_streams_as_the_example_says(pool, place, name):
    kind = FRONTS[name]
    pool()
    front = kind(place).start()
    script = REPOSITORY / "tests" / "integration" / "h2-streams.js"
    browser = Process("browser", place.directory)
    browser.spawn(["node", script, front.url + in_url(token()), CA, kind.streams_of_a_browser])

    def said() -> list[dict]:
        return [json.loads(line) for line in browser.text().splitlines()]

    wait_until(lambda: {"open": kind.streams_of_a_browser} in said(), what="its streams")
    assert said()[0] == {"allowed": kind.streams_of_a_browser}
    wait_until(lambda: open_streams(front) == kind.streams_of_a_browser)
    browser.end()


@pytest.mark.of_the_front
def test_the_example_says_how_many_streams_a_browser_has(kind):
    """With tokens one fewer where they are few: a renewal needs a place."""
    most = kind.streams_of_a_browser
    assert f"{most} streams" in kind.text_of_example()
    assert most > 10 or f"{most - 1} with tokens" in kind.text_of_example()


# More than any front works on at a time for one browser that closes them again.
OPEN_AND_CLOSE = """
const [url, done] = arguments;
const opened = () => new Promise((resolve) => {
  const source = new EventSource(url);
  source.onopen = () => resolve(source.close());
});
(async () => {
  for (let n = 0; n < 20; n++) await opened();
  done((await fetch('/index.html')).status);
})();
"""


@pytest.mark.of_the_front
def test_streams_that_a_browser_has_closed_do_not_hold_it_up(pool, place, kind, driver):
    """With no keep-alive that would end them."""
    pool("--keepalive", "3600")
    front = kind(place).start()
    driver.get(front.url)
    driver.set_script_timeout(PATIENCE_S)
    assert driver.execute_async_script(OPEN_AND_CLOSE, in_url(token())) == 200


def test_silence_beyond_the_fronts_limits_is_bridged_by_keep_alives(kafka, topic, pool, place):
    """All fronts at once, for this takes time; and the limits are there: without keep-alives they
    end the streams."""
    members = pool("--keepalive", "1")
    kinds = [FRONTS[name] for name in FRONTS if name not in ABSENT]
    fronts = [kind(place, kind.timeouts).start() for kind in kinds]
    both = [(front, way) for front in fronts for way in WAYS]
    streams = [curl(front, way, token=token()) for front, way in both]
    pump(streams, lambda: all(len(stream.comments) > 9 for stream in streams), 40)
    kafka.put(topic, "k", "after all that")
    for stream in streams:
        assert stream.next().text == "after all that"
    members.signal(signal.SIGSTOP)
    pump(streams, lambda: all(stream.closed for stream in streams), 40)
    members.signal(signal.SIGCONT)


@pytest.mark.of_the_front
def test_its_configuration_is_no_reason_for_a_warning(pool, place, kind):
    pool()
    front = kind(place).start()
    said = Process.text(front)  # HAProxy may warn that it was told to end
    front.end()
    assert "warn" not in said.lower()


# Requests


@pytest.mark.parametrize("way", WAYS)
def test_tokens_pass_and_refusals_are_left_as_they_are(pool, place, kind, way):
    pool()
    front = kind(place).start()
    for target, headers in (("/events", token()), (in_url(token()), "")):
        stream = curl(front, way, *STREAM, target=target, token=headers).wait_started()
        assert stream.status == 200 and stream.headers["referrer-policy"] == "no-referrer"
        stream.close()
    none, bad, weak = (
        ask(front, way, *STREAM, token=each) for each in ("", "x.y.z", token(scope="other"))
    )
    assert (none.status, bad.status, weak.status) == (401, 401, 403)
    assert none.headers["www-authenticate"] == "Bearer"
    assert 'error="invalid_token"' in bad.headers["www-authenticate"]
    for refused in (none, bad, weak):
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["access-control-allow-origin"] == "*"
        assert json.loads(refused.body)["status"] == refused.status
    renewal = ["-d", kind.body_of_renewal, "-H", f"Content-Type: {RENEWAL}"]
    assert ask(front, way, *renewal, target=in_url(token()), token=token()).status == 204
    assert ask(front, way, "-d", "x=1", "-H", "Content-Type: text/plain").status == 415
    assert ask(front, way, "-d", "x=1", token=token()).status in (400, 405)  # 405: CGI tells no stream
    assert ask(front, way, "-X", "PUT").status == 405
    preflight = ["-H", "Origin: https://a.example", "-H", "Access-Control-Request-Method: POST"]
    assert ask(front, way, "-X", "OPTIONS", *preflight).status == 204


@pytest.mark.parametrize("way", WAYS)
def test_long_tokens_and_event_ids_pass(kafka, topic, pool, place, kind, way):
    kafka.produce(topic, *numbered(10, keys=10))
    pool()
    front = kind(place).start()
    large = token(pad="x" * kind.largest_pad)
    event_id = f"Last-Event-ID: {encode({0: 7})}/{'x' * 4000}"
    stream = curl(front, way, "-H", event_id, target=in_url(large))
    assert stream.next().text == "7"
    stream.close()
    renewal = ["-d", kind.body_of_renewal, "-H", f"Content-Type: {RENEWAL}"]
    assert ask(front, way, *renewal, target=in_url(large), token=large).status == 204


def test_ids_of_as_many_partitions_as_the_example_says_pass(pool, place, kind):
    """Those of topics that have had billions of records in each; longer ones are never left out."""
    pool()
    front = kind(place).start()
    for way in WAYS:
        for partitions in (kind.most_partitions, 2000):
            event_id = encode(dict.fromkeys(range(partitions), 2**34 - 1))
            stream = curl(front, way, "-H", f"Last-Event-ID: {event_id}", token=token())
            stream.wait_head()
            if partitions > kind.most_partitions:
                assert stream.status == 400
            else:
                reason = json.loads(stream.next().data)["reason"]
                assert reason in ("id_beyond_end", "partition_unknown")  # it is both
            stream.close()


@pytest.mark.of_the_front
def test_the_page_is_served_and_nothing_else(pool, place, kind):
    pool()
    front = kind(place).start()
    assert ask(front, "--http2", target="/").body == (HTDOCS / "index.html").read_bytes()
    for file in sorted(file.name for file in HTDOCS.iterdir()):
        answer = ask(front, "--http2", target=f"/{file}")
        assert answer.status == 200
        assert answer.body == (HTDOCS / file).read_bytes()
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
        assert "content-encoding" not in answer.headers
        compressed = ask(front, "--http2", "--compressed", target=f"/{file}")
        assert compressed.body == (HTDOCS / file).read_bytes()
        if file.endswith((".js", ".css", ".html")):
            assert ("content-encoding" in compressed.headers) == kind.compresses_page, file
    for target in ("/eventsfoo", "/events/", "/events/foo", "/events-standby", "/nothing"):
        assert ask(front, "--http2", target=target).status == 404, target


@pytest.mark.of_the_front
@pytest.mark.parametrize("way", WAYS)
def test_no_other_path_becomes_that_of_the_events(pool, place, kind, way):
    """Whoever allows or forbids paths before us must be able to rely on it."""
    pool()
    front = kind(place).start()
    curl(front, way, token=token()).wait_started().close()
    in_query = f"?access_token={token()}"
    for target in OTHER_PATHS:
        answer = ask(front, way, "--path-as-is", "-m", "5", target=target + in_query)
        assert answer.status in (400, 404), target


@pytest.mark.parametrize("way", WAYS)
def test_a_head_that_is_refused_undecoded_is_answered(pool, place, kind, way):
    """By the web server, or by a responder that has not looked at the method yet."""
    front = kind(place).start()
    pool()
    answer = ask(front, way, "--head", target="/events/a%00")
    assert answer.status in (400, 403, 404), answer


def test_health_and_metrics_are_for_loopback_alone(pool, place, kind):
    pool()
    front = kind(place).start()
    assert listening_addresses(front.admin[1]) == {"0100007F"}
    wait_until(lambda: admin(front, "/health/ready").status == 200)
    assert len(json.loads(admin(front, "/health/ready").body)["responders"]) == 2
    assert admin(front, "/health/live").status == 200
    assert b"sse_kafka_fanout_streams" in admin(front, "/metrics").body
    for path in ("/", "/events", "/health", "/index.html"):
        assert admin(front, path).status in (403, 404)
    for path in ("/health/ready", "/metrics"):
        assert ask(front, "--http2", "-H", "Skf-Admin: 1", target=path).status == 404


def test_a_pool_without_keys_is_refused_where_a_guard_is_demanded(kafka, topic, place, kind):
    """With the line of the example that says so."""
    Pool(place, ["-b", kafka.brokers, "-t", topic]).start()
    front = kind(place).start()
    open_to_all = curl(front, "--http2").wait_started()
    assert open_to_all.status == 200
    open_to_all.close()
    front.end(signal.SIGKILL)  # some wait for their streams
    front = kind(place, {r"#([^\n]*SKF_REQUIRE_GUARD)": r"\1"}).start()
    for way in WAYS:
        assert ask(front, way, *STREAM, token=token()).status == 500


# The pool away


def is_told_to_come_back(answer: CurlReader) -> bool:
    """200, so that EventSource does not give up, and nothing but a time."""
    assert (answer.status, answer.ended) == (200, True), answer
    assert answer.headers["content-type"] == EVENT_STREAM
    retry = re.fullmatch(rb"retry:(\d+)\n", answer.body)
    return bool(retry) and 10_000 <= int(retry[1]) <= 30_000


@pytest.mark.parametrize("way", WAYS)
def test_while_the_pool_is_away_every_client_hears_what_it_understands(pool, place, kind, way):
    """PROTOCOL 6.1, 6.2."""
    members = pool()
    front = kind(place).start()
    curl(front, way, token=token()).wait_started().close()
    members.stop()
    if not kind.has_pool:
        assert ask(front, way, *STREAM, target=in_url(token())).status in (502, 503)
    else:
        renewal = ["-d", kind.body_of_renewal, "-H", f"Content-Type: {RENEWAL}"]
        preflight = ["-H", "Origin: https://a.example", "-H", "Access-Control-Request-Method: POST"]
        for _ in range(3):
            assert is_told_to_come_back(ask(front, way, *STREAM, target=in_url(token())))
            for options in ([], renewal, [*renewal, *STREAM]):
                answer = ask(front, way, *options, target=in_url(token()), token=token())
                assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
                assert answer.headers["access-control-allow-origin"] == "*"
            assert ask(front, way, "-X", "OPTIONS", *preflight).status == 204
    for responder in members.responders:
        responder.start()

    def is_served() -> bool:
        """Not by the standby: that ends its answer."""
        stream = curl(front, way, *STREAM, token=token()).wait_head()
        stream.wait(lambda: stream.comments or stream.closed)
        stream.close()
        return bool(stream.comments)

    wait_until(is_served, what="the pool is found again")


def test_the_responders_are_full_before_the_front_is(pool, place, kind):
    """A hundredth of the example's room, and of that which the package's file gives to a responder."""
    most = json.loads((REPOSITORY / "fcgi" / "config.json").read_text())["max-streams"] // 100
    pool("--max-streams", str(most))
    front = kind(place, kind.few).start()
    room = most * (2 if kind.has_pool else 1)
    streams = [curl(front, "--http1.1", *STREAM, token=token()) for _ in range(room)]
    pump(streams, lambda: all(stream.comments for stream in streams))
    for way in WAYS:
        assert is_told_to_come_back(ask(front, way, *STREAM, token=token()))
        assert ask(front, way, target="/index.html").status == 200
    assert admin(front, "/health/live").status == 200


def test_a_responder_can_be_asked_past_a_front_that_is_full(pool, place):
    """By the man page's command."""
    page = (REPOSITORY / "fcgi" / "sse-kafka-fanout.8").read_text()
    command = re.search(r"^SKF_ADMIN=1 .*? /run/sse\\-kafka\\-fanout/1.sock$", page, re.M | re.S)[0]
    members = pool()
    kind = FRONTS["lighttpd-external.conf"]
    front = kind(place, kind.few).start()
    idle = [socket.create_connection(front.https) for _ in range(100)]
    wait_until(lambda: descriptors(front.process.pid) > 82, what="it is full")
    waits = HttpReader(front.admin, "/health/live")
    command = command.replace("\\e", "\\").replace("\\-", "-")
    command = command.replace("/run/sse-kafka-fanout/1.sock", str(members.responders[0].path))
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert json.loads(said.stdout.partition("\n\n")[2])["scope"] == "pool"
    assert not waits.status
    for connection in idle:
        connection.close()
    assert waits.wait_end().status == 200


@pytest.mark.parametrize("name", [name for name in FRONTS if FRONTS[name].has_pool])
def test_the_other_responder_serves_while_one_is_away(pool, place, name):
    members = pool()
    front = FRONTS[name](place).start()
    members.responders[0].stop()
    streams = [curl(front, way, *STREAM, token=token()) for way in WAYS * 5]
    pump(streams, lambda: all(stream.comments for stream in streams))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in FRONTS if FRONTS[name].has_pool])
def test_a_stream_can_be_told_what_to_select(kafka, topic, pool, place, name, way):
    """PROTOCOL 16.3, 16.7. Whichever responder the web server chooses."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    pool()
    front = FRONTS[name](place).start()
    target = f"/events?stream={secrets.token_urlsafe(24)}"
    stream = curl(front, way, *STREAM, target=f"{target}&key=a", token=token())
    assert stream.next().text == "1"
    for select, expected in (("key=b", ["YQ==", "2"]), ("key=a", ["Yg==", "1"]), ("key=a&key=b", ["2"])):
        assert ask(front, way, "-d", select, target=target, token=token()).status == 204
        assert [event.text for event in stream.take(len(expected))] == expected
    stream.close()


# Logs


@pytest.mark.of_the_front
def test_no_query_is_in_any_log_whatever_happens(pool, place, kind):
    members = pool()
    front = kind(place).start()
    secret = "TOPSECRET"
    questions = ("events?access_token=", "events?other=", "events%3Faccess_token=", "events;a=")
    targets = [f"/{question}{secret}" for question in (*questions, "nothing?a=", "?")]
    referer = ["-H", f"Referer: https://localhost/?access_token={secret}"]

    def ask_all() -> None:
        for way in WAYS:
            for target in targets:
                ask(front, way, *STREAM, *referer, target=target)
            ask(front, way, "-d", "x" * 100_000, *referer, target=targets[0])

    ask_all()
    target = f"/events?other={secret}"
    streams = [curl(front, way, *referer, target=target, token=token()) for way in WAYS]
    pump(streams, lambda: all(stream.retry for stream in streams))
    members.signal(signal.SIGKILL)
    pump(streams, lambda: all(stream.closed for stream in streams))
    ask_all()
    members.standby.end()
    ask_all()
    front.end()
    logs = front.text()
    assert "GET" in logs and "POST" in logs, "there is a log at all"
    assert secret not in logs


# Documents


def test_a_document_passes_whole_and_its_tag_comes_back(kafka, topic, pool, place, kind):
    """PROTOCOL 14.10, 14.11. Whatever the front makes of it; and a stream is never compressed."""
    kafka.produce(topic, *(Record(b"%d" % n, b'{"n": %d, "pad": "%s"}' % (n, b"." * 1000)) for n in range(3000)))
    pool()
    front = kind(place).start()
    json_too = ["-H", "Accept: application/json"]
    for way in WAYS:
        for compressed in ([], ["--compressed"]):
            options = [way, *json_too, *compressed]
            whole = ask(front, *options, token=token())
            assert [r["value"]["n"] for r in json.loads(whole.body)["records"]] == list(range(3000))
            assert whole.headers["content-type"] == "application/json"
            assert whole.headers["cache-control"] == "private, no-cache"
            assert bool(compressed and kind.compresses) == ("content-encoding" in whole.headers)
            same = ask(front, *options, "-H", f"If-None-Match: {whole.headers['etag']}", token=token())
            assert (same.status, bytes(same.body)) == (304, b"")
            head = ask(front, *options, "-I", token=token())
            assert (head.status, head.headers["etag"].strip('W/"')) == (200, json.loads(whole.body)["id"])
        stream = curl(front, way, *STREAM, "--compressed", token=token()).wait_started()
        assert "content-encoding" not in stream.headers
        stream.close()


def test_a_part_of_a_document_is_the_whole(kafka, topic, pool, place, kind):
    """PROTOCOL 14.17. Two documents of one tag may differ: nobody is to put parts of both together."""
    kafka.put(topic, "k", "1")
    pool()
    front = kind(place).start()
    for way in WAYS:
        answer = ask(front, way, "-H", "Accept: application/json", "-H", "Range: bytes=3-9", token=token())
        assert answer.status == 200
        assert [r["value"] for r in json.loads(answer.body)["records"]] == [1]


def test_a_silent_answer_is_waited_for(kafka, topic, pool, place, kind):
    """PROTOCOL 14.14. For as long as may be asked for."""
    pool()
    front = kind(place).start()
    waiting = ["-H", "Accept: application/json", "-H", "Last-Event-ID: " + encode({0: 0}), "-H"]
    both = [curl(front, way, *waiting, "Prefer: wait=25", token=token()) for way in WAYS]
    over = [curl(front, way, *waiting, "Prefer: wait=25", token=token(), target="/events?key=x") for way in WAYS]
    kafka.put(topic, "k", "1")
    pump(both, lambda: all(reader.closed for reader in both))
    assert [[r["value"] for r in json.loads(one.body)["records"]] for one in both] == [[1], [1]]
    pump(over, lambda: all(reader.closed for reader in over), 40)
    assert [json.loads(one.body).get("records") for one in over] == [[], []]


@pytest.mark.skipif("nginx.conf" in ABSENT, reason=ABSENT_REASON)
def test_thousands_who_ask_at_once_are_a_few_to_the_responders(kafka, topic, place, note):
    """While something is written; and each gets a document of that second."""
    kafka.produce(topic, *numbered(100, keys=100, size=1000))
    Pool(place, ["-b", kafka.brokers, "-t", topic]).start()
    front = FRONTS["nginx.conf"](place)
    front.add_documents(place)
    front.start()
    asked = int(os.environ.get("SKF_HERD", "1000"))
    options = ["-H", "Host: json.example.com", "-H", "Last-Event-ID: x", "-H", "Prefer: wait=9"]
    first = ask(front, "--http1.1", *options, target="/events.json?x=1")
    assert len(json.loads(first.body)["records"]) == 100
    began = opened(front)
    herd = subprocess.Popen(
        ["curl", "-sZ", "--parallel-max", "100", "--cacert", str(CA), *options, "-o", "/dev/null"]
        + ["-w", "%{http_code}\n", f"{front.url}/events.json?[1-{asked}]"],
        stdout=subprocess.PIPE,
    )
    written = 100
    while herd.poll() is None:
        kafka.produce(topic, *numbered(10, keys=100, size=1000, start=written))
        written += 10
    assert herd.stdout.read().split() == [b"200"] * asked
    note(f"documents for {asked} requests", opened(front) - began)
    assert opened(front) - began <= 20

    def newest() -> bool:
        body = json.loads(ask(front, "--http1.1", *options, target="/events.json").body)
        return body["records"][-1]["offset"] == written - 1

    wait_until(newest, what="a document of now")
    head = ask(front, "--http1.1", "-I", *options, target="/events.json")
    same = ["-H", f"If-None-Match: {head.headers['etag']}"]
    wait_until(lambda: ask(front, "--http1.1", *options, *same, target="/events.json").status == 304)

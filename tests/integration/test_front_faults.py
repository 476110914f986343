"""The pool away, replaced, restarted behind lighttpd; lighttpd restarted before the pool."""

import os
import re
import signal
import socket
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from clients import CurlReader, SseCat
from helpers import PROGRAM, REPOSITORY, listening_addresses, wait_for, wait_until
from kafka import numbered
from lighttpd import POOLS, Lighttpd, replaced
from sse import EVENT_STREAM, HttpReader, pump
from tokens import RENEWAL, SCOPE, in_url, key_of_file

ACCEPT = {"Accept": "text/event-stream"}
STREAM = ["-H", "Accept: text/event-stream"]
PORTS = {
    "http": ("http", "http", "127.0.0.1", "--http1.1"),
    "http, IPv6": ("http", "http", "[::1]", "--http1.1"),
    "https": ("https", "https", "localhost", "--http1.1"),
    "https, HTTP/2": ("https", "https", "localhost", "--http2"),
    "guarded": ("https", "guarded", "localhost", "--http1.1"),
    "guarded, HTTP/2": ("https", "guarded", "localhost", "--http2"),
    "guarded, IPv6": ("https", "guarded", "[::1]", "--http2"),
}


def ask(server: Lighttpd, port: str, *options: str, target: str = "/events") -> CurlReader:
    """The whole answer, as curl has it."""
    scheme, name, host, version = PORTS[port]
    url = f"{scheme}://{host}:{getattr(server, name)[1]}{target}"
    answer = CurlReader(url, version, "-m", "50", *options)
    answer.wait(lambda: answer.closed)
    return answer


def token() -> str:
    key = key_of_file(REPOSITORY / "certs" / "private.pem", "example", "RS256")
    return key.mint(60, scope=SCOPE)


def is_told_to_come_back(answer: CurlReader | HttpReader) -> bool:
    """200, so that EventSource does not give up, and nothing but a time."""
    assert (answer.status, answer.ended) == (200, True)
    assert answer.headers["content-type"] == EVENT_STREAM
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "content-security-policy" not in answer.headers
    retry = re.fullmatch(rb"retry:(\d+)\n", answer.body)
    return bool(retry) and 10_000 <= int(retry[1]) <= 30_000


@pytest.fixture
def kept(topic, front) -> Lighttpd:
    """lighttpd with pools that outlive it, as ./run has them."""
    return front(topic, kept=True)


@pytest.fixture
def pool_away(kept) -> Lighttpd:
    for name in POOLS:
        kept.keepers[name].stop()
    return kept


# Full


def divide(file: Path, pattern: str, by: int) -> None:
    """The numbers after it."""
    number = lambda match: f"{match[1]}{int(match[2]) // by}"
    text, count = re.subn(rf"({pattern} +=? *)(\d+)", number, file.read_text())
    assert count, f"there is no {pattern} any more"
    file.write_text(text)


def test_all_responders_are_full_before_lighttpd_is(topic, front):
    """With a fiftieth of the room that they have."""
    server = front(topic)
    server.stop()
    divide(server.root / "lighttpd.conf", r"server\.max-(?:fds|connections)", 50)
    divide(server.root / "fcgi" / "start-responder.sh", "--max-streams", 50)
    server.start()
    streams = [HttpReader(server.http, headers=ACCEPT) for _ in range(80)]
    url = server.guarded_url + in_url(token())
    streams += [CurlReader(url, "--http1.1", *STREAM) for _ in range(80)]
    pump(streams, lambda: all(stream.comments for stream in streams))
    assert is_told_to_come_back(HttpReader(server.http, headers=ACCEPT).wait_end())
    assert is_told_to_come_back(ask(server, "guarded", *STREAM, target=in_url(token())))
    for address in (server.http, server.admin):
        target = "/index.html" if address == server.http else "/health/live"
        assert HttpReader(address, target).wait_end().status == 200
    for stream in streams:
        stream.close()


# The pool is away


@pytest.mark.parametrize("port", PORTS)
def test_while_the_pool_is_away_every_client_hears_what_it_understands(pool_away, port):
    def told(*options: str, target: str = in_url(token())) -> CurlReader:
        return ask(pool_away, port, *options, target=target)

    waits = set()
    for options in ([], ["-H", "Last-Event-ID: AQIAAg=="], ["-H", "Origin: https://a.example"]):
        answer = told(*STREAM, *options)
        assert is_told_to_come_back(answer)
        waits |= {*answer.retry}
    assert len(waits) > 1, "not all at the same moment"
    renewal = ["-d", "", "-H", f"Content-Type: {RENEWAL}", "-H", f"Authorization: Bearer {token()}"]
    for options in ([], ["-I"], renewal, [*renewal, *STREAM]):
        answer = told(*options)
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
        assert answer.headers["access-control-allow-origin"] == "*"
    preflight = ["-H", "Origin: https://a.example", "-H", "Access-Control-Request-Method: POST"]
    answer = told("-X", "OPTIONS", *preflight)
    assert answer.status == 204
    assert "authorization" in answer.headers["access-control-allow-headers"]


class FullQueue:
    """A socket at which a responder listens that is stuck, and whose queue has no room."""

    def __init__(self, directory: Path):
        self.address = str(directory / "full.sock")
        self.sockets = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        self.sockets[0].bind(self.address)
        self.sockets[0].listen(0)
        self.sockets[1].connect(self.address)


def test_a_pool_whose_queue_is_full_counts_as_away(topic, front, tmp_path):
    """lighttpd's own status is 500 then."""
    server = front(topic, responders=[FullQueue(tmp_path)])
    assert is_told_to_come_back(ask(server, "http", *STREAM))
    assert ask(server, "http").status == 503


def test_who_waits_at_a_responder_that_dies_is_told_to_come_back(topic, front, tmp_path):
    server = front(topic, kept=True)
    keepers = [server.keepers[name] for name in ("open-1", "open-2")]
    for pid in [pid for keeper in keepers for pid in keeper.responders()]:
        os.kill(pid, signal.SIGSTOP)
    answers = [HttpReader(server.http, headers=ACCEPT) for _ in range(4)]
    wait_until(lambda: waiting_at(server.run / "open-1.sock") == 2, what="they wait")
    for keeper in keepers:
        keeper.end(signal.SIGKILL)
    pump(answers, lambda: all(answer.ended for answer in answers))
    assert all(map(is_told_to_come_back, answers))


def waiting_at(path: Path) -> int:
    """Connections to a Unix socket that nobody has accepted, as the kernel lists them."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(f" {path}") and line.split()[5] == "02" for line in lines)


@pytest.mark.parametrize("port", ["http", "https, HTTP/2", "guarded", "guarded, HTTP/2"])
@pytest.mark.parametrize("state", ["kept", "pool_away"])
def test_the_standby_is_no_url_of_its_own(request, state, port):
    server = request.getfixturevalue(state)
    spoofed = ["-H", "Redirect-Status: 503", "-H", "REDIRECT_STATUS: 503"]
    renewal = ["-d", "", "-H", f"Content-Type: {RENEWAL}"]
    for options in ([], STREAM, [*STREAM, *spoofed], renewal):
        for target in ("/events-standby", "/events-standby?a=b", "/events/../events-standby"):
            answer = ask(server, port, "--path-as-is", *options, target=target)
            assert answer.status == 404, (options, target)
            assert answer.headers["content-type"] == "application/problem+json", "the standby's own"


def test_what_a_live_responder_answers_is_left_as_it_is(kept):
    """Also where lighttpd would say the same of its own."""
    wrong = ["-H", "Authorization: Bearer x.y.z", *STREAM]
    renewal = ["-d", "", "-H", f"Content-Type: {RENEWAL}"]
    for port, status, options in (
        ("guarded", 401, STREAM),
        ("guarded, HTTP/2", 401, wrong),
        ("guarded", 401, renewal),
        ("https, HTTP/2", 405, renewal),
        ("http", 400, ["-d", "x=1"]),
        ("http", 415, ["-d", "x=1", "-H", "Content-Type: text/plain"]),
        ("http", 405, ["-X", "PUT"]),
    ):
        assert ask(kept, port, *options).status == status
    kept.stop()
    assert "/events-standby" not in kept.all_logs()


def test_a_503_of_a_live_responder_is_left_as_it_is(topic, start, front):
    server = front(topic, responders=[start(topic, "--max-streams", "1")])
    stream = HttpReader(server.http).wait_started()
    answer = ask(server, "http")
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert is_told_to_come_back(ask(server, "http", *STREAM))
    stream.close()
    server.stop()
    assert "/events-standby" not in server.all_logs()


def test_what_lighttpd_refuses_by_itself_stays_refused(kept):
    """The error handler hears of that, too. (Over HTTP/2 lighttpd resets the stream instead.)"""
    answer = ask(kept, "http", "-d", "x" * 100_000, *STREAM)
    assert answer.status == 413


def test_a_pool_of_lighttpds_own_has_its_standby_too(topic, front):
    server = front(topic)
    assert ask(server, "http", target="/events-standby").status == 404
    program = server.root / "build" / PROGRAM.name
    program.unlink()  # so that nothing can be started again
    for pid in server.responders():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.responders())
    assert is_told_to_come_back(ask(server, "http", *STREAM))
    program.symlink_to(PROGRAM)
    wait_until(lambda: len(server.responders()) == 2, what="lighttpd has started it again")


# The pool comes back


def test_an_eventsource_that_met_the_standby_goes_on_by_itself(kafka, topic, kept, tmp_path):
    kafka.produce(topic, *numbered(5, keys=5))
    client = SseCat(kept.url + "/events", tmp_path)
    wait_until(lambda: client.lines() == [str(n) for n in range(5)])
    for name in POOLS:
        kept.keepers[name].stop()
    wait_until(lambda: "/events-standby" in kept.all_logs(), what="it met the standby")
    kafka.put(topic, "new", "meanwhile")
    for name in POOLS:
        kept.keepers[name].start()
    wait_until(lambda: client.lines()[5:] == ["meanwhile"], timeout=100)
    kafka.put(topic, "newer", "live")
    wait_until(lambda: client.lines()[5:] == ["meanwhile", "live"])


def test_who_comes_while_killed_responders_are_replaced_waits_for_the_next(kept):
    """The socket outlives the responder: nobody is refused, and the standby is not asked."""
    keepers = [kept.keepers[name] for name in ("open-1", "open-2")]
    before = [pid for keeper in keepers for pid in keeper.responders()]
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    streams = [HttpReader(kept.http, headers=ACCEPT) for _ in range(10)]
    pump(streams, lambda: all(stream.comments for stream in streams))
    for keeper in keepers:
        wait_until(lambda: keeper.responders() and not {*keeper.responders()} & {*before})
        assert "another" in keeper.text()
    assert "/events-standby" not in kept.all_logs()


def test_while_their_options_are_wrong_clients_are_told_to_come_back(kept):
    script = kept.root / "fcgi" / "start-responder.sh"
    good = script.read_text()
    keepers = [kept.keepers[name] for name in ("open-1", "open-2")]
    for keeper in keepers:
        keeper.stop()
    script.write_text(replaced(good, r'"\$\{TOPIC:-events\}"', "no/topic"))
    for keeper in keepers:
        keeper.start()
    for _ in range(6):
        answer = HttpReader(kept.http, headers=ACCEPT).wait_end(timeout=10)
        assert answer.status == 200 and answer.retry[0] >= 10_000
    assert "topic: must be" in keepers[0].text()
    script.write_text(good)
    wait_until(lambda: HttpReader(kept.http, method="HEAD").wait_end().status == 200, timeout=30)
    assert "/events-standby" not in kept.all_logs()


def test_another_responder_takes_over_while_the_one_before_drains(kafka, topic, kept):
    keepers = [kept.keepers[name] for name in ("open-1", "open-2")]
    streams = [HttpReader(kept.http).wait_started() for _ in range(20)]
    for keeper in keepers:
        (before,) = keeper.responders()
        os.kill(before, signal.SIGSTOP)  # it drains no sooner than we have seen both
        keeper.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(keeper.responders()) == 2, what="both")
        os.kill(before, signal.SIGCONT)
        wait_until(lambda: before not in keeper.responders(), what="the end of the first")
    pump(streams, lambda: all(stream.ended for stream in streams))
    assert all(len(stream.retry) == 2 for stream in streams), "told when to come back"
    assert all(1000 <= stream.retry[1] <= 3000 for stream in streams)
    kafka.put(topic, "k", "from the next")
    assert HttpReader(kept.http).next().text == "from the next"


def test_who_is_told_twice_to_stop_does_not_wait_for_its_streams(kept):
    keeper = kept.keepers["open-1"]
    keeper.stop()
    script = kept.root / "fcgi" / "start-responder.sh"
    script.write_text(replaced(script.read_text(), r"--drain 1\b", "--drain 60"))
    keeper.start()
    streams = [HttpReader(kept.http).wait_started() for _ in range(40)]
    keeper.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "20 stream(s) are ended" in keeper.text(), what="it drains")
    keeper.stop()
    assert "stopping at once" in keeper.text()
    pump(streams, lambda: sum(stream.ended or stream.closed for stream in streams) == 20)


# Restarts without an outage


class Clients:
    """Some that come back by themselves, and newcomers all the time, while records are produced."""

    def __init__(self, kafka, topic: str, server: Lighttpd, directory: Path):
        urls = [server.url, server.https_url] * 3
        directories = [directory / f"client-{n}" for n in range(len(urls))]
        for one in directories:
            one.mkdir()
        self.kafka, self.topic, self.server = kafka, topic, server
        self.clients = [SseCat(url + "/events", d) for url, d in zip(urls, directories)]
        self.sent = 0
        self.newcomers: list[tuple[float, HttpReader]] = []
        self._end = Event()
        self._threads = [Thread(target=self._produce), Thread(target=self._visit)]

    def _produce(self) -> None:
        while not self._end.wait(0.02):
            self.kafka.produce(self.topic, *numbered(1, keys=1 << 30, start=self.sent))
            self.sent += 1

    def _visit(self) -> None:
        while not self._end.wait(0.02):
            began = time.monotonic()
            answer = HttpReader(self.server.http, headers=ACCEPT).wait_head()
            self.newcomers.append((time.monotonic() - began, answer))
            answer.close()

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        wait_until(lambda: all(client.lines() for client in self.clients))
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_until_all_have_all(self) -> None:
        want = [str(n) for n in range(self.sent)]
        for client in self.clients:
            wait_until(lambda: len(client.lines()) >= len(want), 100, f"{client.name} has all")
            assert client.lines() == want, "nothing lost, nothing twice, in order"


def test_the_pool_is_restarted_one_by_one_and_nobody_misses_anything(
    kafka, topic, kept, tmp_path, note
):
    with Clients(kafka, topic, kept, tmp_path) as clients:
        for name in ("open-1", "open-2"):
            keeper = kept.keepers[name]
            (before,) = keeper.responders()
            keeper.process.send_signal(signal.SIGHUP)
            wait_until(lambda: before not in keeper.responders(), what="the end of the first")
    clients.wait_until_all_have_all()
    waits = [wait for wait, answer in clients.newcomers]
    note("newcomers during the restart, and the longest wait in s", (len(waits), max(waits)))
    assert all(answer.status == 200 for _, answer in clients.newcomers)
    assert max(waits) < 5


def test_lighttpd_is_restarted_and_nobody_misses_anything(kafka, topic, kept, tmp_path, note):
    with Clients(kafka, topic, kept, tmp_path) as clients:
        pids = [kept.keepers[name].responders() for name in POOLS]
        kept.process.send_signal(signal.SIGUSR1)
        old = "graceful shutdown started"
        wait_until(lambda: old in kept.all_logs(), what="lighttpd begins")
        # The old process ends when its time is up, and its streams with it.
        wait_until(lambda: "server stopped" in kept.all_logs())
    clients.wait_until_all_have_all()
    assert pids == [kept.keepers[name].responders() for name in POOLS]
    waits = [wait for wait, answer in clients.newcomers]
    note("newcomers during the restart, and the longest wait in s", (len(waits), max(waits)))
    assert all(answer.status == 200 for _, answer in clients.newcomers)
    assert max(waits) < 5
    assert "/events-standby" not in kept.all_logs()


# For the operator

ADMIN = ("/health/live", "/health/ready", "/metrics")


def test_health_and_counters_are_on_a_listener_of_their_own(kept):
    def status(target: str) -> int:
        return HttpReader(kept.admin, target).wait_end().status

    wait_until(lambda: status("/health/ready") == 200, what="all have read the topic")
    wait_for([200] * 3, lambda: [status(target) for target in ADMIN])
    for target in (
        "/",
        "/index.html",
        "/events",
        "/events-standby",
        "/health",
        "/health/live/",
        "/metrics/x",
        "/demo-key.json",
    ):
        assert status(target) in (403, 404), target
    assert listening_addresses(kept.admin[1]) == {"0100007F"}


@pytest.mark.parametrize("port", PORTS)
def test_no_other_port_tells_of_health_whatever_a_client_says(kept, port):
    for target in (*ADMIN, "/%6detrics", "//metrics", "/events/../metrics", "/x/../health/ready"):
        for options in (["-H", "SKF_ADMIN: 1"], ["-H", "SKF-Admin: 1", "-H", "HTTP_SKF_ADMIN: 1"]):
            assert ask(kept, port, "--path-as-is", *options, target=target).status == 404, target
    answer = ask(kept, port, "-H", "SKF-Admin: 1", "-m", "1", target="/events")
    assert b"sse_" not in answer.body

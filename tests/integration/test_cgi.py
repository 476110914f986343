"""The program as plain CGI, with the example configurations of lighttpd and Apache: one process a
stream. What it answers is tested elsewhere; here, that the way there and back is whole."""

import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fronts import CONTROLS, DOTS, ENCODED_DOTS, OTHER_PATHS, SLASHES
from helpers import PROGRAM, REPOSITORY, Process, answers, free_port, wait_until
from kafka import Record, numbered
from lighttpd import SEARCH_PATH, replaced
from responder import assert_no_sanitizer_report
from sse import EVENT_STREAM, HttpReader
from test_subscribe import FORM
from tokens import CHALLENGE, RENEWAL, Jwks, bearer, in_url, leaked, rsa_key

PROGRAMS = REPOSITORY / "fcgi"
EXAMPLES = PROGRAMS / "examples"
STREAM = {"Accept": "text/event-stream"}


class CgiFront(Process):
    """A web server that starts the program for each request."""

    user = "root"
    # What the example has to say for these routes of ROUTES.
    with_routes: dict[str, str] = {}
    # Of PATHS, what it does not pass as it is.
    folds: list[str] = []

    def __init__(self, directory: Path, **config: Any):
        super().__init__(type(self).__name__.lower(), directory)
        self.address = ("127.0.0.1", free_port())
        self.access_log = directory / "access.log"
        self.program = directory / f"skf-cgi-{os.getpid()}"
        shutil.copy(PROGRAM, self.program)
        self.config = directory / "cgi.json"
        said = {name: value for name, value in config.items() if value is not None}
        self.config.write_text(json.dumps({"keepalive": 1} | said))
        for name in directory.iterdir():
            if os.geteuid() == 0:
                shutil.chown(name, self.user)

    def example(self, name: str) -> str:
        text = (EXAMPLES / name).read_text()
        if "routes" in json.loads(self.config.read_text()):
            for pattern, by in self.with_routes.items():
                text = replaced(text, pattern, by)
        text = replaced(text, r"/usr/sbin/sse-kafka-fanout", str(self.program))
        return replaced(text, r"/etc/sse-kafka-fanout/cgi\.json\b", str(self.config))

    def run(self, *command: str) -> "CgiFront":
        self.spawn([shutil.which(command[0], path=SEARCH_PATH), *command[1:]])
        self.wait_until_up(lambda: answers(self.address))
        return self

    def get(self, target: str = "/events", headers: dict | None = None, **more: Any) -> HttpReader:
        return HttpReader(self.address, target, STREAM | (headers or {}), **more)

    def open(self, target: str = "/events", headers: dict | None = None) -> HttpReader:
        stream = self.get(target, headers).wait_started()
        assert stream.status == 200
        return stream

    def programs(self) -> list[int]:
        """Those that run now."""
        names = Path("/proc").glob("[0-9]*/comm")
        return [int(comm.parent.name) for comm in names if self._is_ours(comm)]

    def _is_ours(self, comm: Path) -> bool:
        try:
            return comm.read_text() == f"{self.program.name}\n"
        except OSError:
            return False  # it has ended

    def stop(self) -> None:
        assert self.end(signal.SIGTERM) in (0, 1)
        wait_until(lambda: not self.programs(), what="the end of the programs")


class Lighttpd(CgiFront):
    with_routes = {
        r"\(events\)\(": "(mine|orders|prices)(",
        r'\("/events" => ("[^"]*")\)': r'("/mine" => \1, "/orders" => \1, "/prices" => \1)',
        r'(\$HTTP\["url"\] =~ "\^/)events(\(/[^\n]*%m /)events( [^\n]*\n)': "".join(
            rf"\g<1>{path}\g<2>{path}\g<3>" for path in ("mine", "orders", "prices")
        ),
    }
    folds = SLASHES + DOTS + ENCODED_DOTS + CONTROLS

    def start(self) -> CgiFront:
        file = self.directory / "lighttpd.conf"
        file.write_text(
            f'server.port = {self.address[1]}\nserver.bind = "127.0.0.1"\n'
            f'server.document-root = "{self.directory}"\nserver.modules = ("mod_accesslog")\n'
            f'accesslog.filename = "{self.access_log}"\n' + self.example("cgi-lighttpd.conf")
        )
        return self.run("lighttpd", "-D", "-f", str(file))


class Apache(CgiFront):
    user = "www-data"
    with_routes = {"Define SKF_PATHS events": "Define SKF_PATHS mine|orders|prices"}
    folds = SLASHES + DOTS

    def start(self) -> CgiFront:
        file = self.directory / "apache.conf"
        modules = ["mpm_event", "authz_core", "cgid", "env", "setenvif", "alias"]
        loads = [f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in modules]
        frame = [
            f"ServerRoot {self.directory}",
            f"DefaultRuntimeDir {self.directory}",
            "ServerName localhost",
            f"Listen 127.0.0.1:{self.address[1]}",
            f"PidFile {self.directory}/apache.pid",
            f"ScriptSock {self.directory}/cgid.sock",
            f"Define APACHE_LOG_DIR {self.directory}",
            "User www-data",
            "Group www-data",
            # As another user than root a sanitizer may not look for leaks.
            "SetEnv ASAN_OPTIONS detect_leaks=0",
        ]
        log = f"CustomLog {self.access_log} plain"
        example = replaced(self.example("cgi-apache.conf"), "/usr/share/sse-kafka-fanout", str(PROGRAMS))
        file.write_text("\n".join([*loads, *frame, example, log, ""]))
        return self.run("apache2", "-DFOREGROUND", "-f", str(file))

    def text(self) -> str:
        errors = self.directory / "error.log"
        return super().text() + (errors.read_text(errors="replace") if errors.exists() else "")


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that another user can reach, too."""
    path = Path(tempfile.mkdtemp(prefix="skf-cgi-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=[Lighttpd, Apache], ids=["lighttpd", "apache"])
def front(request, kafka, topic, directory):
    """front(**config): started; its example leaves no token in a log."""
    started = []

    def start(**config: Any) -> CgiFront:
        config = {"brokers": kafka.brokers, "topic": topic} | config
        server = request.param(directory, **config)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if server in Process.running:
            server.stop()
        assert_no_sanitizer_report(server.text())
        assert not leaked(server.access_log.read_text())


def guarded(directory: Path, **config: Any) -> dict:
    keys = Jwks(directory / "jwks.json", rsa_key())
    options = keys.options()
    names = [name.removeprefix("--") for name in options[::2]]
    return dict(zip(names, options[1::2])) | config


def test_the_history_and_each_event_come_through(front, kafka, topic):
    kafka.produce(topic, *numbered(3, keys=3))
    server = front()
    stream = server.open()
    assert stream.headers["content-type"] == EVENT_STREAM
    assert [event.data for event in stream.take(3)] == [b"0", b"1", b"2"]
    wait_until(lambda: len(server.programs()) == 1)
    for number in range(3, 6):
        kafka.produce(topic, *numbered(1, keys=9, start=number))
        assert stream.next().data == str(number).encode(), "before the next one is sent"
    resumed = server.open(headers={"Last-Event-ID": stream.events[3].id})
    assert [event.data for event in resumed.take(2)] == [b"4", b"5"]
    assert len(server.programs()) == 2


def test_a_document_comes_whole(front, kafka, topic):
    """PROTOCOL 14.10, 14.15. Each from a process that has read the topic for it."""
    kafka.produce(topic, *numbered(300, keys=300, size=1000))
    server = front()
    document = {"Accept": "application/json"}
    whole = server.get(headers=document).wait_end()
    assert len(json.loads(whole.body)["records"]) == 300
    same = document | {"If-None-Match": whole.headers["etag"]}
    assert server.get(headers=same).wait_end().status == 304
    since = document | {"Last-Event-ID": json.loads(whole.body)["id"], "Prefer": "wait=1"}
    assert json.loads(server.get(headers=since).wait_end().body)["records"] == []
    wait_until(lambda: not server.programs())


def test_who_is_refused_hears_it_at_once(front):
    server = front()
    assert server.get("/events/more").wait_end().status == 404
    assert server.get(method="PUT").wait_end().status == 405
    head = server.get(method="HEAD").wait_head()
    assert head.status == 200 and head.headers["content-type"] == EVENT_STREAM
    wait_until(lambda: not server.programs())


@pytest.mark.of_the_front
def test_no_other_path_becomes_that_of_the_events(front):
    server = front()
    server.open().close()
    for target in OTHER_PATHS:
        assert server.get(target).wait_end().status in (400, 404), target


ROUTES = ["/mine", "/orders/{customer}", "/prices/{symbol*}"]
PATHS = ["/mine", "/orders/a%2Fb", "/orders/a;b", "/orders/a+b", "/orders/a%20b", "/orders/a%3Fb"]
PATHS += ["/orders/%41", "/orders/%C3%A4", "/prices/a/b", "/prices/a/", "/prices/a%2Fb/c"]
PATHS += [*SLASHES, *DOTS, *ENCODED_DOTS, *CONTROLS]
SECRET = "TOPSECRET"


def test_routes_are_reached_by_their_own_paths(front, kafka, topic, directory):
    """PROTOCOL 1.8, 1.9, 9.1, 9.2; and no log has more of them than they begin with."""
    routes = [{"path": path, "topic": topic} for path in ROUTES]
    server = front(topic=None, topics={topic: {}}, routes=routes)
    kafka.produce(topic, *numbered(1, keys=1))
    for target in ("/mine", f"/orders/{SECRET}?x={SECRET}", f"/prices/a/{SECRET}"):
        assert server.open(target).next().data == b"0"
    for target in PATHS:
        answer = server.get(target, method="HEAD").wait_head()
        refused = (400,) if target in CONTROLS else (404,)
        assert answer.status in (refused if target in server.folds else (200,)), target
    for target in ("/mine/", "/mine;x", "//mine", "/%6dine", "/x/../mine", "/orders/", f"/order/{SECRET}"):
        assert server.get(target).wait_end().status == 404, target
    for target in (f"/orders/%zz{SECRET}", f"/orders/%00{SECRET}"):
        assert server.get(target).wait_end().status in (400, 404), target
    # A stream is logged when its program has ended.
    wait_until(lambda: server.access_log.read_text().count("GET /orders HTTP") >= 2, what="the log")
    assert SECRET not in server.access_log.read_text()
    assert SECRET not in server.text()


def test_a_client_that_has_left_ends_its_process(front):
    server = front()
    streams = [server.open() for _ in range(2)]
    wait_until(lambda: len(server.programs()) == 2)
    streams[0].close()
    wait_until(lambda: len(server.programs()) == 1)
    server.end(signal.SIGTERM)
    wait_until(lambda: not server.programs(), what="the end with the front")


def test_a_query_is_no_command_line(front, kafka, topic):
    kafka.produce(topic, *numbered(1, keys=1))
    server = front()
    queries = ["-X+a%3Db", "-F+/etc/passwd", "--version", "--help", "-b+evil:9092+-t+x"]
    streams = [server.open(f"/events?{query}") for query in [*queries, "--standby"]]
    for stream in streams:
        assert stream.next().data == b"0"
    assert len(server.programs()) == len(streams)
    for pid in server.programs():
        (name, *rest) = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert name.decode().endswith(server.program.name) and not rest


def test_the_token_leaves_the_environment(front, directory):
    server = front(**guarded(directory))
    tokens = [rsa_key().mint() for _ in range(2)]
    referer = {"Referer": f"http://localhost{in_url(tokens[0])}"}
    streams = [
        server.open(in_url(tokens[0]), referer),
        server.open(headers=bearer(tokens[1])),
        # mod_cgid makes an argument of a query without `=`.
        server.open(f"/events?{tokens[0]}", bearer(tokens[1])),
    ]
    assert len(server.programs()) == len(streams)
    for pid in server.programs():
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
        assert server.program.name in arguments
        environment = Path(f"/proc/{pid}/environ").read_text()
        assert "SKF_CONFIG=" in environment
        for text in (arguments, environment):
            assert not leaked(text) and not re.search("Bearer|access_token|eyJ", text)


def test_a_token_is_demanded_and_ends_its_stream(front, kafka, topic, directory):
    """PROTOCOL 5.13."""
    kafka.produce(topic, *numbered(1, keys=1))
    server = front(**guarded(directory))
    refused = server.get().wait_end()
    assert refused.status == 401 and refused.headers["www-authenticate"] == "Bearer"
    assert server.get(in_url(rsa_key().mint(scope="other"))).wait_end().status == 403
    stream = server.open(in_url(rsa_key().mint(3)))
    stream.wait_end()
    assert CHALLENGE in stream.body and b"data:0\n" in stream.body
    # Nobody would hear of a renewal.
    headers = {"Content-Type": RENEWAL} | bearer(rsa_key().mint())
    assert server.get(headers=headers, method="POST").wait_end().status == 405


def test_a_renewal_reaches_the_other_processes(front, kafka, topic, directory):
    peers = directory / "peers"
    peers.mkdir(mode=0o700)
    server = front(**guarded(directory, **{"peer-dir": str(peers)}))
    first = rsa_key().mint(6)
    renewed, other = server.open(in_url(first)), server.open(headers=bearer(rsa_key().mint(6)))
    headers = {"Content-Type": RENEWAL} | bearer(rsa_key().mint(60))
    assert server.get(in_url(first), headers, method="POST").wait_end().status == 204
    other.wait_end()
    kafka.produce(topic, *numbered(1, keys=1))
    renewed.take_until(b"0")


def test_a_stream_is_told_by_another_process_what_to_select(front, kafka, topic, directory):
    """PROTOCOL 16.3."""
    peers = directory / "peers"
    peers.mkdir(mode=0o700)
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"), Record(b"c", b"3"))
    server = front(**{"peer-dir": str(peers)})
    target = f"/events?stream={'h' * 32}"
    stream = server.open(f"{target}&key=a")
    assert stream.next().data == b"1"

    def tell(body: bytes) -> int:
        return server.get(target, FORM, method="POST", body=body).wait_end().status

    assert tell(b"key=b") == 204
    assert [(event.event, event.data) for event in stream.take(2)] == [("delete", b"YQ=="), ("message", b"2")]
    assert tell(b"key=" + b"x" * 8200) == 413
    assert tell(b"") == 204
    assert {event.data for event in stream.take(2)} == {b"1", b"3"}


def test_without_its_file_it_says_that_it_is_not_set_up(front):
    server = front()
    server.config.unlink()
    assert server.get().wait_end().status == 500
    wait_until(lambda: "cgi.json: No such file" in server.text(), what="its word in the log")


def test_it_stands_by_as_well(front):
    server = front(standby=True)
    assert server.get().wait_end().status == 404, "there is no error of the front"

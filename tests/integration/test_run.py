"""./run, as a newcomer types it: with a topic and ports of his own, and where something is in its way.
What its servers do is seen in the other tests."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from clients import CurlReader
from helpers import REPOSITORY, Process, alone, answers, free_port, wait_until
from kafka import Kafka
from lighttpd import CA

RUN = REPOSITORY / "run"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


def say(*arguments: object, directory: Path = REPOSITORY, before: tuple = ()) -> tuple[int, str]:
    """./run that ends by itself: its status, and what it says."""
    command = [*before, directory / "run", *arguments]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run([str(word) for word in command], text=True, timeout=120, **streams)
    return done.returncode, done.stdout


class Run(Process):
    """./run in the foreground, on ports that nobody else has."""

    def __init__(self, directory: Path):
        super().__init__("run", directory)
        self.http, self.guarded, self.admin = free_port(), free_port(), free_port()
        ports = {"--http": self.http, "--https": free_port(), "--guarded": self.guarded}
        ports["--admin"] = self.admin
        self.ports = [str(word) for pair in ports.items() for word in pair]

    def start(self, *arguments: object, until: str = "Ctrl-C ends it all") -> "Run":
        self.spawn([RUN, *self.ports, *arguments], start_new_session=True)
        self.wait_until_up(lambda: until in self.text(), 180)
        return self

    def stream(self, below: str = "") -> CurlReader:
        return CurlReader(f"http://localhost:{self.http}/events{below}", "-N").wait_started()

    def pids(self) -> set[int]:
        ready = requests.get(f"http://127.0.0.1:{self.admin}/health/ready", timeout=60).json()
        return {responder["pid"] for responder in ready["responders"]}

    def is_served(self) -> bool:
        return answers(("127.0.0.1", self.http))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """There is one in this directory at a time."""
    with alone("run"):
        run = Run(tmp_path)
        yield run
        if run in Process.running:
            run.end(signal.SIGINT)


def test_it_serves_the_topic_on_the_ports_that_it_is_told(kafka, topic, run):
    kafka.put(topic, "1", "Hello")
    run.start("--brokers", kafka.brokers, "--topic", topic)
    assert run.stream().next().text == "Hello"
    guarded = f"https://localhost:{run.guarded}/events"
    assert CurlReader(guarded, "--cacert", CA).wait_end().status == 401
    assert say("stop", "web") == (0, "")
    assert not run.is_served()
    assert say("start", "web") == (0, "")
    assert run.stream().next().text == "Hello"
    for word in (f"http://localhost:{run.http}/", f"-b {kafka.brokers} -t {topic} ", topic):
        assert word in run.text()
    assert run.end(signal.SIGINT) == 130
    assert not run.is_served()


def test_responders_are_replaced_also_below_nohup(kafka, topic, run):
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run.start("--brokers", kafka.brokers, "--topic", topic)
    finally:
        signal.signal(signal.SIGHUP, hangup)
    old = run.pids()
    status, said = say("restart", "responders")
    assert status == 0, said
    assert len(old) == 4 and not old & run.pids()
    assert run.end(signal.SIGINT) == 130


def test_it_serves_the_routes_that_it_is_told_and_keeps_them(kafka, topic, run, tmp_path, monkeypatch):
    routes = tmp_path / "routes.json"
    one = {"path": "/events/of/{key}", "topic": topic, "select": [{"key": "{key}"}]}
    routes.write_text(json.dumps({"topics": {topic: {}}, "routes": [one]}))
    monkeypatch.setenv("ROUTES", str(routes))
    kafka.put(topic, "1", "Hello")
    kafka.put(topic, "2", "not for it")
    run.start("--brokers", kafka.brokers)
    monkeypatch.delenv("ROUTES")
    assert run.stream("/of/1").next().text == "Hello"
    assert (say("stop", "web"), say("start", "web")) == ((0, ""), (0, ""))
    assert run.stream("/of/1").next().text == "Hello"
    assert CurlReader(f"http://localhost:{run.http}/events").wait_end().status == 404


def test_a_kafka_of_its_own_has_the_topic_and_the_port_that_it_is_told(run):
    port = free_port()
    run.start("--kafka", port, "--topic", "of-test-run")
    subprocess.run(
        ["kcat", "-P", "-b", f"localhost:{port}", "-t", "of-test-run", "-k", "1"],
        input=b"Hello\n",
        check=True,
        timeout=60,
    )
    stream = run.stream()
    stream.take_until(b"Hello")
    stream.close()
    assert run.end(signal.SIGINT) == 130
    assert not answers(("127.0.0.1", port))


def test_it_says_that_no_broker_answers_and_goes_on(run):
    nobody = f"127.0.0.1:{free_port()}"
    run.start("--brokers", nobody, until=f"no broker answers at {nobody}")
    assert not run.stream().closed


def test_it_says_that_the_topic_is_missing_and_goes_on(kafka: Kafka, run):
    run.start("--brokers", kafka.brokers, "--topic", "nowhere", until="has no topic nowhere yet")
    stream = run.stream()
    kafka.put(kafka.topic(name="nowhere"), "1", "Hello")
    assert stream.next().text == "Hello"
    stream.close()


def test_a_killed_one_leaves_what_stop_web_ends(kafka, topic, run):
    run.start("--brokers", kafka.brokers, "--topic", topic)
    run.end(signal.SIGKILL)
    status, said = say("restart", "responders")
    assert status == 1 and "./run has been killed" in said and len(said.splitlines()) == 1
    status, said = say("stop", "web")
    assert status == 0 and "./run had been killed" in said
    assert not run.is_served()
    assert say("stop", "web") == (1, "run: ./run is not up here; type ./run first\n")


def test_a_process_that_has_got_the_number_of_one_that_was_killed_is_left_alone(run):
    """Also if it works in this directory, as somebody's shell does."""
    other = Process("other", run.directory)
    other.spawn(["sleep", "1000"], cwd=REPOSITORY, start_new_session=True)
    (REPOSITORY / "build" / "run").mkdir(parents=True, exist_ok=True)
    for name in ("web", "open-1"):
        (REPOSITORY / "build" / "run" / f"{name}.pid").write_text(f"{other.process.pid}\n")
    run.start("--brokers", f"127.0.0.1:{free_port()}")
    assert other.process.poll() is None
    assert run.end(signal.SIGINT) == 130
    assert other.process.poll() is None
    other.end(signal.SIGKILL)


def test_a_port_in_use_is_named_with_who_has_it_and_the_way_out(run):
    with socket.create_server(("127.0.0.1", run.http)):
        status, said = say(*run.ports, "--brokers", "localhost:1")
    holder = Path("/proc/self/comm").read_text().strip()
    by = f"by {holder} (process {os.getpid()})"
    assert (status, said) == (
        1,
        f"run: port {run.http} is in use {by}; ./run --http PORT takes another\n",
    )


@pytest.mark.parametrize(
    "arguments",
    ["--http", "--http 0", "--http 65536", "--http x", "--http 9090", "--kafka 8080", "--topic a/b"]
    + ["--topic", "--brokers a;b", "--brokers", "--other 1", "stop", "start kafka", "--topic a b"],
)
def test_a_wrong_command_line_is_told_and_status_2(arguments):
    status, said = say(*arguments.split())
    assert status == 2
    assert said.startswith("run: not understood: ") and "usage: ./run" in said


# Where it is


@pytest.fixture
def copy() -> Iterator[Path]:
    """What of the tree it needs to look around, for everybody to see."""
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    directory.chmod(0o755)
    (directory / "tests").mkdir()
    (directory / "certs").mkdir()
    shutil.copy(RUN, directory)
    shutil.copy(REPOSITORY / "tests" / "packages.sh", directory / "tests")
    yield directory
    shutil.rmtree(directory)


NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def one_line(said: str) -> str:
    assert re.fullmatch(r"run: [^\n]*\n", said), said
    return said


@root_only
def test_what_root_has_left_there_is_told_in_one_sentence(copy):
    status, said = say("--http", "x", directory=copy)
    assert status == 2
    for path in ("build/run", "certs"):
        (copy / path).mkdir(parents=True, exist_ok=True)
    (copy / "build" / "run" / "lock").touch()
    os.chown(copy, 65534, 65534)
    os.chown(copy / "certs", 65534, 65534)
    status, said = say(directory=copy, before=NOBODY)
    assert status == 1
    assert "build belongs to root" in one_line(said) and "sudo chown -R nobody build certs" in said
    for path in ("build", "build/run"):
        os.chown(copy / path, 65534, 65534)
    status, said = say(directory=copy, before=NOBODY)
    assert status == 1 and "build/run/lock belongs to root" in one_line(said)


@root_only
def test_a_directory_of_somebody_else_is_told_in_one_sentence(copy):
    status, said = say(directory=copy, before=NOBODY)
    assert status == 1
    assert f"{copy} is not for nobody to write in" in one_line(said)


@root_only
def test_a_read_only_directory_is_told_in_one_sentence(copy):
    mount = f"mount --bind {copy} {copy} && mount -o remount,bind,ro {copy} && exec \"$@\""
    status, said = say(directory=copy, before=("unshare", "--mount", "sh", "-c", mount, "-"))
    assert status == 1
    assert f"{copy} is not for root to write in" in one_line(said)
    (copy / "build" / "run").mkdir(parents=True)
    status, said = say(directory=copy, before=("unshare", "--mount", "sh", "-c", mount, "-"))
    assert status == 1
    assert f"{copy}/build cannot be written to" in one_line(said)


def test_a_path_that_is_too_long_is_told_with_the_length_that_works(copy):
    deep = copy / ("d" * 72)
    deep.mkdir()
    for name in ("run", "tests", "certs"):
        shutil.move(copy / name, deep)
    status, said = say(directory=deep)
    assert status == 1
    length = len(str(deep.resolve()))
    assert f"has {length} characters, more than 72" in one_line(said)


def test_a_path_with_a_blank_is_told(copy):
    other = copy / "with a blank"
    other.mkdir()
    for name in ("run", "tests", "certs"):
        shutil.move(copy / name, other)
    status, said = say(directory=other)
    assert status == 1 and "no blanks and quotes" in one_line(said)

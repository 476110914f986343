"""Servers as fixtures, their logs shown when a test fails. A test has a topic of its own."""

import os
import random
import re
import resource
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from browser import chromium
from helpers import ABSENT_REASON, PROGRAM, SANITIZED, Process
from kafka import Kafka
from lighttpd import Lighttpd, make_certificates
from responder import Responder
from tokens import leaked

# What is installed, in an image, or made by ./run is never the program with sanitizers; what others make of
# its bytes does not depend on them; and what happens to brokers and pools is in the stories of the simulation.
NOT_SANITIZED = [
    "test_brokers.py",
    "test_drills.py",
    "test_wide.py",
    "test_install.py",
    "test_beside.py",
    "test_compose.py",
    "test_documents.py",
    "test_run.py",
    "test_rotation.py",
    "test_clients.py",
    "test_follow.py",
    "test_page.py",
    "test_readme_scripts.py",
    "test_kit.py",
    "test_live.py",
    "test_tabs.py",
    "test_away.py",
    "test_firefox.py",
]
collect_ignore = NOT_SANITIZED if SANITIZED else []

# Those that take longest begin first: else one would go on alone at the end.
LONGEST = ["test_compose.py", "test_fronts.py", "test_faults.py"]


def pytest_configure(config: pytest.Config) -> None:
    why = "what a web server does by its configuration, whatever is behind it: not repeated with sanitizers"
    config.addinivalue_line("markers", f"of_the_front: {why}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SANITIZED:
        left_out = [item for item in items if item.get_closest_marker("of_the_front")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    server = Kafka(tmp_path_factory.mktemp("kafka"))
    server.first_start()
    yield server
    server.stop()


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A compacted topic with one partition."""
    return kafka.topic()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A Chromium."""
    driver = chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def start(kafka: Kafka, tmp_path: Path) -> Iterator[Callable[..., Responder]]:
    """start(topic, *options): a running responder. At the end it has to stop cleanly."""
    started = []

    def start_responder(topic: str, *options: str, brokers: str = kafka.brokers) -> Responder:
        responder = Responder(brokers, topic, tmp_path, *options)
        started.append(responder)
        return responder.start()

    yield start_responder
    for responder in started:
        if responder in Process.running:
            responder.stop()


@pytest.fixture
def front(kafka: Kafka, tmp_path: Path) -> Iterator[Callable[..., Lighttpd]]:
    """front(topic): lighttpd with its pool of responders, or with the given ones, or with pools
    that outlive it, as ./run has them (kept)."""
    started = []
    make_certificates()

    def start_front(
        topic: str, responders: Sequence[Responder] = (), kept: bool = False
    ) -> Lighttpd:
        server = Lighttpd(kafka.brokers, topic, tmp_path, list(responders), kept)
        started.append(server)
        return server.start()

    yield start_front
    for server in started:
        if server in Process.running:
            server.stop()


@pytest.fixture
def seeded() -> random.Random:
    """Chance that can be repeated: SKF_SEED=... tests/run integration -k ..."""
    seed = int(os.environ.get("SKF_SEED", random.randrange(1 << 32)))
    print(f"SKF_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def note(record_property: Callable) -> Callable[[str, object], None]:
    """Records a measurement: printed in the end, and kept in the JUnit file."""
    return record_property


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was noted, also by the processes that share the tests."""
    reports = [r for o in ("passed", "failed") for r in terminalreporter.stats.get(o, [])]
    noted = [(r, *pair) for r in reports if r.when == "call" for pair in r.user_properties]
    if noted:
        terminalreporter.section("measured")
    for report, name, value in noted:
        terminalreporter.line(f"{report.nodeid.split('::')[1]}: {name} {value}")


def pytest_sessionstart() -> None:
    # For thousands of clients; and what a test starts inherits it.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 1 << 16), most))
    # Whoever ends us by a signal wants Kafka and all others to end, too. On a busy machine pytest-xdist
    # may run a worker's tests in another thread, which may not say so.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))
        # A runner in the background ignores Ctrl-C, and what a test starts would, too: ./run ends by it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not PROGRAM.exists():
        pytest.exit(f"{PROGRAM} is not there: tests/run builds it", 2)


@pytest.fixture(autouse=True)
def only_own_processes() -> Iterator[None]:
    """Whatever a failed test left running ends here; and no log holds a token."""
    Process.of_this_test.clear()
    yield
    for process in list(Process.running):
        process.end(9)
    for process in Process.of_this_test:
        assert not leaked(log_of(process)), f"a token is in the log of {process.name}"


def log_of(process: Process) -> str:
    return process.all_logs() if isinstance(process, Lighttpd) else process.text()


def is_refused_skip(call: pytest.CallInfo) -> bool:
    return (
        bool(os.environ.get("CI"))
        and call.excinfo is not None
        and call.excinfo.errisinstance(pytest.skip.Exception)
        and ABSENT_REASON not in str(call.excinfo.value)
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    if is_refused_skip(call):
        why = str(call.excinfo.value)
        with pytest.raises(pytest.fail.Exception) as call.excinfo:
            pytest.fail(f"skipped, which CI does not accept: {why}")
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in Process.of_this_test:
            report.sections.append((f"log of {process.name}", log_of(process)[-5000:]))
        kafka = item.funcargs.get("kafka") if hasattr(item, "funcargs") else None
        if kafka:
            lines = [line for line in kafka.log().splitlines() if re.search(" (WARN|ERROR) ", line)]
            report.sections.append(("log of Kafka", "\n".join(lines[-20:])))

"""What every server and client here shares: ports, waiting, processes with a log."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
# tests/run runs everything against the plain build and against the one with sanitizers.
PROGRAM = Path(os.environ.get("SKF_PROGRAM", BUILD / "sse-kafka-fanout")).resolve()
SANITIZED = os.environ.get("SKF_SANITIZED") == "1"

# Why a test may be left out, in CI too: what tests/run says in SKF_NOT_IN_RELEASE.
ABSENT_REASON = "not in this release of Debian"

# How long a test waits for what has to come. A bound that is itself the point of a test is its own.
PATIENCE_S = 60

# SKF_LONG=1: tests that wait for chance or for time take minutes, as their stories say, and not seconds.
LONG = os.environ.get("SKF_LONG") == "1"

# Below the ports that the kernel gives to clients.
PORTS, PORTS_OF_A_RUN = range(12000, 32000), 1250
_ports: Iterator[int] = iter(())
_claim = socket.socket(type=socket.SOCK_DGRAM)


def free_port() -> int:
    """A port that nobody listens on, nor on the next one; never the same one twice."""
    for port in _ports:
        if not any(answers(a) for a in addresses(port) + addresses(port + 1)):
            return port
    _claim_ports()
    return free_port()


def _claim_ports() -> None:
    """Of another run, that goes on at the same time, no port may become ours between our look at it
    and its server's start, nor be taken by a server where ours has to find nobody. So each run has
    a range, and says so by a UDP socket on its first port."""
    global _ports, _claim
    starts = range(PORTS.start, PORTS.stop, PORTS_OF_A_RUN)
    for start in random.sample(starts, len(starts)):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", start))
        except OSError:
            claim.close()
            continue
        _claim.close()
        _claim, _ports = claim, iter(range(start, start + PORTS_OF_A_RUN, 2))
        return
    raise AssertionError("no ports are left")


def addresses(port: int) -> list[tuple[str, int]]:
    return [("127.0.0.1", port), ("::1", port)]


def answers(address: tuple[str, int] | str) -> bool:
    try:
        connect(address, timeout=2).close()
        return True
    except OSError:
        return False


def listening_addresses(port: int) -> set[str]:
    """As the kernel writes them: hexadecimal, in words of the machine's byte order."""
    addresses = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, local_port = line.split()[1].split(":")
            if int(local_port, 16) == port and line.split()[3] == "0A":
                addresses.add(address)
    return addresses


def connect(address: tuple[str, int] | str, timeout: float = PATIENCE_S) -> socket.socket:
    """A TCP connection to (host, port), or one to the Unix socket of that path."""
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    try:
        sock.connect(str(address))
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def alone(what: str) -> Iterator[None]:
    """One process at a time, of all those that run tests here."""
    with open(BUILD / f"{what}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait_until(condition: Callable[[], Any], timeout: float = PATIENCE_S, what: str = "") -> Any:
    """The first true value of condition(), which is asked once more when the time is up."""
    deadline = time.monotonic() + timeout
    is_last = False
    while not (value := condition()):
        assert not is_last, f"not within {timeout} s: {what or condition}"
        is_last = time.monotonic() > deadline
        time.sleep(0.02)
    return value


def wait_for(wanted: Any, get: Callable[[], Any], timeout: float = PATIENCE_S) -> None:
    """Until get() returns it; what it returns instead is shown."""
    with suppress(AssertionError):
        wait_until(lambda: get() == wanted, timeout)
    assert get() == wanted


class Process:
    """A server started by a test. Its output is in .log, which a failed test shows."""

    running: list["Process"] = []
    of_this_test: list["Process"] = []

    def __init__(self, name: str, directory: Path):
        self.name = name
        self.directory = directory
        self.log = directory / f"{name}.log"
        self.process: subprocess.Popen | None = None

    def spawn(self, command: list, **options: Any) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | options,
            )
        Process.running.append(self)
        Process.of_this_test.append(self)

    def wait_until_up(self, condition: Callable[[], Any], timeout: float = PATIENCE_S) -> None:
        def up() -> bool:
            assert self.process.poll() is None, f"{self.name} ended: {self.text()[-2000:]}"
            return condition()

        wait_until(up, timeout, f"{self.name} is up")

    def end(self, how: int = signal.SIGTERM, timeout: float = PATIENCE_S) -> int:
        """Ends it and returns its exit status."""
        if self in Process.running:
            Process.running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {timeout} s") from None

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def unix_connections(pid: int) -> int:
    """Those of a responder with its front, and its listening socket; none of Kafka's. Counted until
    it is the same twice: the kernel does not write its list in one go, and others change it."""
    before, now = -1, _count_unix(pid)
    while now != before:
        before, now = now, _count_unix(pid)
    return now


def _count_unix(pid: int) -> int:
    inodes = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    return sum(inode in inodes for inode in _sockets(pid))


def _sockets(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield os.readlink(file).removeprefix("socket:[").removesuffix("]")
        except FileNotFoundError:
            pass  # closed since it was listed


def process_status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {field} of process {pid}")


def resident_kb(pid: int) -> int:
    return process_status(pid, "VmRSS")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended meanwhile

"""What every server and client here shares: ports, waiting, processes with a log."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
# tests/run runs everything against the plain build and against the one with sanitizers.
PROGRAM = Path(os.environ.get("SKF_PROGRAM", BUILD / "sse-kafka-fanout")).resolve()
SANITIZED = os.environ.get("SKF_SANITIZED") == "1"

# Below those that the kernel gives to clients; at random, for two runs may go on at once.
_ports = iter(random.sample(range(21000, 23000, 2), 1000))


def free_port() -> int:
    """A port that nobody listens on, nor on the next one; never the same one twice."""
    return next(p for p in _ports if not any(answers(a) for a in addresses(p) + addresses(p + 1)))


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


def connect(address: tuple[str, int] | str, timeout: float = 10) -> socket.socket:
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


def wait_until(condition: Callable[[], Any], timeout: float = 20, what: str = "") -> Any:
    """The first true value of condition()."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.02)
    return value


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

    def wait_until_up(self, condition: Callable[[], Any], timeout: float = 20) -> None:
        def up() -> bool:
            assert self.process.poll() is None, f"{self.name} ended: {self.text()[-2000:]}"
            return condition()

        wait_until(up, timeout, f"{self.name} is up")

    def end(self, how: int = signal.SIGTERM, timeout: float = 20) -> int:
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
    """Those of a responder with its front, and its listening socket; none of Kafka's."""
    inodes = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    return sum(inode in inodes for inode in _sockets(pid))


def _sockets(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield os.readlink(file).removeprefix("socket:[").removesuffix("]")
        except FileNotFoundError:
            pass  # closed since it was listed


def resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"no VmRSS of process {pid}")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

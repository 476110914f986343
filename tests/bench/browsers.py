"""The web servers of fcgi/examples as they are shipped, and Nchan, for clients that connect as browsers do."""

import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from systems import Bench, Service, make_certificates

import fronts
import helpers

NCHAN = "nchan"
# Where an example says how many workers there are, or would.
WORKERS = {
    "lighttpd-external.conf": (r"^include_shell .*max-worker.*$", "server.max-worker = {}"),
    "nginx.conf": (r"^worker_processes .*$", "worker_processes {};"),
    "haproxy.cfg": (r"^global$", "global\n    nbthread {}"),
    "h2o.yaml": (r"^user: .*$", r"\g<0>\nnum-threads: {}"),
}


class Front:
    """As systems.Server is: process ids of what is measured, and an end."""

    def __init__(self, front: fronts.Front):
        self.front = front
        self.pid = front.process.pid

    def pids(self) -> list[int]:
        return [self.pid, *helpers.children(self.pid)]

    def stop(self) -> None:
        self.front.end(signal.SIGKILL)  # h2o would wait for the end of its streams


def names() -> list[str]:
    return [*(name for name in fronts.FRONTS if name not in fronts.ABSENT), NCHAN]


def ways(name: str) -> dict[str, list[object]]:
    """What sse-load is told, by what a column of the table is called."""
    ways = {"HTTP/1.1": ["-T"]}
    most = 100 if name == NCHAN else fronts.FRONTS[name].streams_of_a_browser
    if name == NCHAN or fronts.FRONTS[name].speaks["--http2"] == "HTTP/2":
        ways |= {f"HTTP/2 x {k}": ["-k", k] for k in (1, 8, 100) if k <= most}
        ways["HTTP/2 x 8, in turn"] = ["-k", 8, "-i"]
    return ways


def set_workers(front: fronts.Front, workers: int) -> None:
    pattern, setting = WORKERS[front.example]
    files = [front.file, *front.directory.rglob("50-sse-kafka-fanout.conf")]
    for file in files:
        text = re.sub(pattern, setting.format(workers), file.read_text(), flags=re.M)
        file.write_text(text)


@contextmanager
def served(bench: Bench, name: str) -> Iterator[tuple[Service, tuple[str, int]]]:
    """A web server with all that it needs, and where it speaks TLS."""
    if name == NCHAN:
        with bench.nchan() as service:
            yield service, bench.https
        return
    make_certificates()
    topic = bench.topic()
    with ExitStack() as stack:
        # Its users are not ours, and may not enter our own directories.
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="skf-bench-")))
        parent.chmod(0o755)
        place = fronts.Place(parent)
        path = place.run / "1.sock"
        responder = bench.responder(topic, listen=str(path))
        stack.callback(responder.stop)
        path.chmod(0o666)
        for other in ("2.sock", "standby.sock"):
            (place.run / other).symlink_to(path)
        front = fronts.FRONTS[name](place)
        if bench.options.workers and name in WORKERS:
            set_workers(front, bench.options.workers)
        server = Front(front.start())
        stack.callback(server.stop)
        # The first stream is served when the topic has been read.
        bench.load(1, "-T", timeout_s=1, at=front.https).result()
        yield Service({"responder": [responder], "front": [server]}, bench.to_kafka(topic)), front.https

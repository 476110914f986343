"""What is measured: our responders behind lighttpd, and what others do for the same work."""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "tests" / "integration"))
import fastcgi  # noqa: E402: it is there, now
from lighttpd import make_certificates  # noqa: E402

CERTIFICATE = REPOSITORY / "certs" / "localhost.pem"
BROKER = REPOSITORY / "tests" / "kafka" / "broker"
TICKS = os.sysconf("SC_CLK_TCK")


## Processes


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kb(pid: int) -> int:
    """The proportional set size: shared pages count once for all who share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError(f"no Pss of process {pid}")


def peak_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError(f"no VmHWM of process {pid}")


def accepts(address: tuple[str, int] | str) -> bool:
    """Whether somebody listens there; a string is a Unix socket's path."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(address) == 0


class Server:
    """A process that has to be there until it is stopped."""

    def __init__(self, name: str, command: list[object], address: tuple[str, int] | str, log: Path):
        if accepts(address):
            raise SystemExit(f"bench: somebody already listens on {address}")
        with open(log, "wb") as out:
            # A session of its own: lighttpd's workers signal their whole process group.
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.pid = self.process.pid
        deadline = time.monotonic() + 20
        while not accepts(address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"bench: {name} did not start, see {log}")
            time.sleep(0.002)

    def pids(self) -> list[int]:
        """Its own, and its workers' if it has any."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Load:
    """sse-load at work."""

    process: subprocess.Popen
    ready: dict = field(default_factory=dict)

    def wait_ready(self) -> None:
        """Until all its streams have been answered."""
        self.ready = json.loads(self.process.stdout.readline() or "{}")
        if not self.ready.get("answered"):
            raise SystemExit("bench: the streams were not answered")

    def result(self) -> dict:
        """What it reports at its end."""
        return json.loads(self.process.communicate()[0].splitlines()[-1])

    def end(self) -> dict:
        self.process.send_signal(signal.SIGTERM)
        return self.result()


class Bench:
    """Kafka for the whole run; for each measurement a topic, responders and lighttpd of its own."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.build = (options.build or REPOSITORY / "build").resolve()
        self.directory = self.build / "bench"
        self.http = ("127.0.0.1", options.port)
        self.https = ("127.0.0.1", options.port + 3)
        self.brokers = f"localhost:{options.port + 1}"
        self.topics = 0
        self.started: list[subprocess.Popen] = []

    def tool(self, name: str) -> Path:
        return self.build / "tests" / "bench" / name

    def start(self, name: str, *words: object, **options: Any) -> subprocess.Popen:
        command = [str(self.tool(name)), *map(str, words)]
        process = subprocess.Popen(command, text=True, **options)
        self.started.append(process)
        return process

    @contextmanager
    def kafka(self) -> Iterator[None]:
        directory = self.directory / "kafka"
        shutil.rmtree(directory, ignore_errors=True)
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([BROKER, "fetch"], check=True)
        # What is produced is measured as it is: no cleaning behind our back.
        start = [BROKER, "start", directory, str(self.options.port + 1), "log.cleaner.enable=false"]
        subprocess.run(start, **quiet)
        try:
            yield
        finally:
            for process in self.started:
                process.kill()
            subprocess.run([BROKER, "stop", directory], **quiet)

    def topic(self) -> str:
        """A new compacted topic with one partition."""
        self.topics += 1
        name = f"bench-{self.topics}"
        command = [BROKER, "topic", str(self.options.port + 1), name, "cleanup.policy=compact"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return name

    def publish(self, target: list[str], **what: int) -> subprocess.Popen:
        letters = {"count": "-n", "keys": "-k", "rate": "-r", "size": "-s"}
        words = [word for name, n in what.items() for word in (letters[name], n)]
        return self.start("publish", *target, *words)

    def load(
        self,
        streams: int,
        *options: object,
        expect: int = 0,
        timeout_s: int = 120,
        at: tuple[str, int] | None = None,
    ) -> Load:
        address = "{}:{}".format(*(at or self.http))
        words = ["-n", streams, "-e", expect, "-t", timeout_s, *options, address]
        return Load(self.start("sse-load", *words, stdout=subprocess.PIPE))

    def socket(self, number: int) -> str:
        return str(self.directory / f"responder-{number}.sock")

    def responder(
        self, topic: str, *options: object, number: int = 0, listen: str | None = None
    ) -> Server:
        program = self.build / "sse-kafka-fanout"
        path = listen or self.socket(number)
        command = [program, "-b", self.brokers, "-t", topic, "--listen", path]
        command += [*options, *self.options.responder]
        return Server("responder", command, path, self.directory / f"responder-{number}.log")

    def longest_turn_ms(self) -> int:
        """Of the first responder's loop, since its start."""
        pairs = fastcgi.cgi("GET", "/metrics", {}) | {"SKF_ADMIN": "1"}
        reader = fastcgi.FastCgiReader(self.socket(0), fastcgi.request(pairs.items()))
        text = reader.wait_end().body.decode()
        reader.close()
        return round(1000 * float(re.search(r"^\w+_longest_turn_seconds(?:{.*})? (\S+)$", text, re.M)[1]))

    def lighttpd(self) -> Server:
        config = self.directory / "lighttpd.conf"
        config.write_text(self.lighttpd_config())
        command = ["lighttpd", "-D", "-f", config]
        return Server("lighttpd", command, self.http, self.directory / "lighttpd.log")

    def lighttpd_config(self) -> str:
        hosts = ",\n".join(
            f'    ( "socket" => "{self.socket(n)}", "check-local" => "disable",'
            ' "tcp-fin-propagate" => "enable" )'
            for n in range(self.options.responders)
        )
        return f"""\
server.modules       = ( "mod_fastcgi", "mod_accesslog" )
server.bind          = "{self.http[0]}"
server.port          = {self.http[1]}
server.document-root = "{self.directory}"
server.errorlog      = "{self.directory}/error.log"
accesslog.filename   = "{self.directory}/access.log"
{capacity_settings()}
{f"server.max-worker = {self.options.workers}" if self.options.workers else ""}
$HTTP["url"] == "/events" {{
  server.stream-response-body = 2
  fastcgi.server = ( "/events" => (
{hosts}
  ) )
}}
"""

    @contextmanager
    def ours(self, *options: object) -> Iterator["Service"]:
        topic = self.topic()
        with ExitStack() as stack:
            responders = []
            for number in range(self.options.responders):
                responders.append(self.responder(topic, *options, number=number))
                stack.callback(responders[-1].stop)
            front = self.lighttpd()
            stack.callback(front.stop)
            # The first stream is served when the topic has been read.
            self.load(self.options.responders, timeout_s=1).result()
            yield Service({"responder": responders, "lighttpd": [front]}, self.to_kafka(topic))

    @contextmanager
    def floor(self) -> Iterator["Service"]:
        topic = self.topic()
        command = [self.tool("floor"), "-b", self.brokers, "-t", topic, "-p", self.http[1]]
        server = Server("floor", command, self.http, self.directory / "floor.log")
        with stopping(server):
            yield Service({"floor": [server]}, self.to_kafka(topic))

    @contextmanager
    def nchan(self) -> Iterator["Service"]:
        make_certificates()
        config = self.directory / "nginx.conf"
        config.write_text(self.nchan_config())
        command = ["nginx", "-c", config, "-e", self.directory / "nginx.log"]
        server = Server("nginx", command, self.http, self.directory / "nginx.out")
        with stopping(server):
            yield Service({"nginx": [server]}, ["-u", "http://{}:{}/publish".format(*self.http)])

    def nchan_config(self) -> str:
        return f"""\
daemon off;
pid {self.directory}/nginx.pid;
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
worker_processes {max(1, self.options.workers)};
worker_rlimit_nofile {descriptors()};
events {{ worker_connections {descriptors()}; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {self.directory}/nginx-body;
  server {{
    listen {self.http[0]}:{self.http[1]} backlog=4096;
    listen {self.https[0]}:{self.https[1]} backlog=4096 ssl http2;
    ssl_certificate {CERTIFICATE};
    ssl_certificate_key {CERTIFICATE};
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /publish {{
      nchan_publisher;
      nchan_channel_id events;
      nchan_message_buffer_length 10000;
      nchan_message_timeout 1h;
    }}
    location = /events {{
      nchan_subscriber eventsource;
      nchan_channel_id events;
      nchan_subscriber_first_message newest;
    }}
  }}
}}
"""

    def to_kafka(self, topic: str) -> list[str]:
        return ["-b", self.brokers, "-t", topic]


@contextmanager
def stopping(server: Server) -> Iterator[None]:
    try:
        yield
    finally:
        server.stop()


@dataclass
class Service:
    servers: dict[str, list[Server]]
    target: list[str]  # of publish

    def each(self, measure: Callable[[int], float]) -> dict[str, float]:
        """The sum of a measure over the processes of each part."""
        return {
            name: sum(measure(pid) for server in servers for pid in server.pids())
            for name, servers in self.servers.items()
        }


def capacity_settings() -> str:
    """What the repository's lighttpd.conf says of limits, so that both are the same."""
    names = ("server.max-", "server.listen-backlog")
    lines = (REPOSITORY / "lighttpd.conf").read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith(names))


def descriptors() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]



"""compose.yaml, built and run. podman and podman-compose stand in for Docker, and a Kafka and a kcat
of Debian for the two images that come from elsewhere. So only Docker can show that those images are
there and are what compose.yaml takes them for, that it marks a service healthy by itself, that
kafka-init waits for that, and that `restart:` holds over a reboot."""

import json
import os
import re
import shutil

import pytest

from clients import CurlReader, SseCat
from containers import BASE, ContainerHost
from helpers import REPOSITORY, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are root's")

STAND_INS = ("docker.io/apache/kafka:3.9.1", "docker.io/confluentinc/cp-kafkacat:7.1.9")
CURL_CANNOT_CONNECT = 7
# Docker asks by itself whether a service is healthy. podman needs systemd for that, and from release 5 on
# podman-compose waits for the answer.
UP = """docker compose up -d &
while kill -0 $!; do
    podman healthcheck run sse-kafka-fanout_kafka_1
    sleep 1
done 2>&1
wait $!"""
KAFKACAT = """docker compose -p sse-kafka-fanout exec -T kafkacat \\
  kafkacat -P -b kafka.examples.dev:29092 -t events -k"""


def from_readme(pattern: str) -> str:
    return re.search(pattern, (REPOSITORY / "README.md").read_text(), re.M | re.S)[1]


class Stack:
    """compose.yaml of this repository at work on a host."""

    def __init__(self, host: ContainerHost):
        self.host = host
        self.ca = host.work / "certs" / "test-ca.crt"

    def kafkacat(self, key: str, line: str) -> None:
        """As the seed has it."""
        self.host.sh(f'echo "{line}" | {KAFKACAT} "{key}"')

    def inside(self, command: str, service: str = "fanout") -> str:
        return self.host.sh(f"docker compose exec -T {service} {command}")

    def is_healthy(self, service: str) -> bool:
        """By its own healthcheck, which Docker asks by itself."""
        command = f"podman healthcheck run sse-kafka-fanout_{service}_1"
        return self.host.try_sh(command).returncode == 0

    def wait_until_ready(self) -> None:
        for service in ("kafka", "fanout"):
            wait_until(lambda: self.is_healthy(service), timeout=120, what=f"{service} is healthy")

    def copy_certificates(self) -> None:
        """As the README has it."""
        self.ca.parent.mkdir()
        shutil.copy(REPOSITORY / "certs" / "jwt", self.ca.parent)
        self.host.sh(from_readme(r"^(docker compose exec -T fanout tar .*-x)$"))

    def token(self) -> str:
        """As the README has it, with a key from the container."""
        command = from_readme(r"^export JWT_TOKEN=\$\((jwt encode.*?)\)$")
        return self.host.sh(f"certs/{command}").strip()

    def log_of(self, service: str) -> str:
        return f"podman logs sse-kafka-fanout_{service}_1 2>&1"

    def size(self, image: str) -> int:
        return int(self.host.sh("podman image inspect --format '{{.Size}}' " + image))

    def curl(self, url: str, *options: str) -> CurlReader:
        return CurlReader(url, "--cacert", str(self.ca), *options, within=self.host.inside)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    host = ContainerHost(tmp_path_factory.mktemp("containers"))
    try:
        host.make_base()
        host.make_stand_ins(*STAND_INS)
        host.sh("docker compose build", online=True)
        host.sh(UP)
        stack = Stack(host)
        stack.wait_until_ready()
        stack.copy_certificates()
        yield stack
    finally:
        host.stop()


@pytest.fixture(autouse=True)
def logs(stack):
    """What the containers said, for a test that fails."""
    yield
    for service in ("kafka-init", "kafka", "fanout"):
        print(stack.host.try_sh(f"{stack.log_of(service)} | tail --lines=50").stdout)


def test_what_the_seeds_kafkacat_produces_arrives_on_each_port(stack):
    stack.kafkacat("1", "Hello, world")
    streams = [
        stack.curl("http://localhost:8080/events"),
        stack.curl("https://localhost:9090/events", "--http2"),
        stack.curl(f"https://localhost:7143/events?access_token={stack.token()}", "--http2"),
    ]
    assert [stream.next().text for stream in streams] == ["Hello, world"] * 3
    stack.kafkacat("2", '{ \\"id\\": 1, \\"name\\": \\"Hello World!\\"}')
    for stream in streams:
        assert stream.next().text == '{ "id": 1, "name": "Hello World!"}'
        stream.close()


def test_the_page_on_the_guarded_port_gets_its_demo_key(stack):
    get = f"curl -sS --cacert {stack.ca} https://localhost:7143"
    assert "Go</button>" in stack.host.sh(f"{get}/index.html")
    key = json.loads(stack.host.sh(f"{get}/demo-key.json"))
    assert key["kid"] == "demo-insecure"


def test_a_client_outside_produces_to_localhost_9092(stack):
    stream = stack.curl("http://localhost:8080/events")
    stack.host.sh("echo from outside | kcat -P -b localhost:9092 -t events -k outside")
    stream.take_until(b"from outside")
    stream.close()


def test_what_was_produced_while_fanout_was_stopped_arrives_when_it_starts(stack, tmp_path):
    """The seeds' reliability section."""
    stack.kafkacat("before", "before")
    client = SseCat("http://localhost:8080/events", tmp_path, within=stack.host.inside)
    wait_until(lambda: client.lines()[-1:] == ["before"])
    replayed = client.lines()
    stack.host.sh("docker compose stop fanout")
    assert stack.host.try_sh("curl -sS http://localhost:8080/").returncode == CURL_CANNOT_CONNECT
    stack.kafkacat("meanwhile", "meanwhile")
    stack.host.sh("docker compose start fanout")
    wait_until(lambda: client.lines()[len(replayed) :], timeout=100)
    stack.kafkacat("after", "after")
    wait_until(lambda: client.lines() == [*replayed, "meanwhile", "after"], timeout=100)
    client.end()


def test_it_runs_without_rights_on_files_that_nobody_can_change(stack):
    status = stack.inside("cat /proc/self/status")
    assert int(re.search(r"^Uid:\s+(\d+)", status, re.M)[1]) > 0
    assert int(re.search(r"^CapEff:\s+(\w+)", status, re.M)[1], 16) == 0
    assert int(re.search(r"^CapBnd:\s+(\w+)", status, re.M)[1], 16) == 0
    assert re.search(r"^NoNewPrivs:\s+1", status, re.M)
    mounts = [line.split() for line in stack.inside("cat /proc/self/mounts").splitlines()]
    assert "ro" in next(m for m in mounts if m[1] == "/")[3].split(",")


def test_the_image_is_small_and_brings_neither_keys_nor_a_compiler(stack, note):
    fanout, base = stack.size("sse-kafka-fanout"), stack.size(BASE)
    note("MB on top of debian:bookworm-slim", round((fanout - base) / 1e6, 1))
    assert fanout - base < 20e6
    run = "podman run --rm --network=none sse-kafka-fanout"
    files = stack.host.sh(f"{run} find . -type f").split()
    assert "./lighttpd.conf" in files
    files.remove("./htdocs/demo-key.json")
    assert stack.host.sh(f"{run} cat htdocs/demo-key.json").strip() == "null", "none is there"
    assert not [name for name in files if re.search(r"\.(pem|key|crt|c|h)$|jwks|demo-key", name)]
    assert stack.host.try_sh(f"{run} sh -c 'command -v gcc make'").returncode != 0


def test_the_logs_are_the_containers_and_hold_no_token(stack):
    """Also what lighttpd says itself when a responder dies."""
    token = stack.token()
    stream = stack.curl(f"https://localhost:7143/events?access_token={token}")
    stream.wait_started()
    for pid in stack.host.sh("pgrep -f [-]-jwks").split():
        stack.host.sh(f"kill -9 {pid}")
    stream.wait(lambda: stream.ended or stream.closed)
    stream.close()

    def said() -> str:
        return stack.host.sh(stack.log_of("fanout"))

    wait_until(lambda: " for /events, " in said(), what="lighttpd's own words, masked")
    assert '"GET /events HTTP' in said() and "kafka: " in said()
    assert token.rpartition(".")[2][:20] not in said()


def test_the_routes_of_a_file_are_served_in_place_of_the_topic(stack):
    """Under /events, which lighttpd.conf hands on already; and back, without the file."""
    routes = [{"path": "/events/of/{key}", "topic": "events", "select": [{"key": "{key}"}]}]
    file = stack.host.work / "routes.json"
    file.write_text(json.dumps({"topics": {"events": {}}, "routes": routes}))
    stack.kafkacat("mine", "for it")
    stack.kafkacat("other", "not for it")
    stack.host.sh(f"ROUTES={file} docker compose up -d fanout")
    stack.wait_until_ready()
    stream = stack.curl("http://localhost:8080/events/of/mine")
    assert stream.next().text == "for it"
    stack.kafkacat("other", "nor this")
    stack.kafkacat("mine", "this, too")
    assert stream.next().text == "this, too"
    stream.close()
    assert stack.curl("http://localhost:8080/events").wait_end().status == 404
    stack.host.sh("docker compose up -d fanout")
    stack.wait_until_ready()
    stream = stack.curl("http://localhost:8080/events")
    stream.take_until(b"this, too")
    stream.close()


def test_down_leaves_the_keys_and_nothing_else(stack):
    stack.host.sh("docker compose down")
    assert stack.host.sh("podman ps --all --quiet") == ""
    assert stack.host.sh("ss --listening --tcp --no-header") == ""
    assert stack.host.sh("podman volume ls --quiet").split() == ["sse-kafka-fanout_certs"]

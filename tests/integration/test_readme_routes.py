"""How a route is added, from the configuration to curl, as the README says it."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from clients import CurlReader
from helpers import REPOSITORY, Process
from kafka import numbered
from lighttpd import Lighttpd, make_certificates, replaced
from sse import HttpReader

SECRET = "TOPSECRET"


def said_by_readme() -> list[str]:
    readme = (REPOSITORY / "README.md").read_text()
    section = re.search(r"^### Several paths\n(.*?)^###? ", readme, re.M | re.S)[1]
    [block] = re.findall(r"^```bash\n(cat >routes.json.*?)^```", section, re.M | re.S)
    return block.splitlines()


class Routed(Lighttpd):
    """The README's lines, in the directory that lighttpd is started in."""

    def follow_readme(self) -> None:
        lines = said_by_readme()
        assert len(lines) == 10
        *before, start, curl = lines
        assert start == "ROUTES=routes.json lighttpd -D -f lighttpd.conf &"
        text = "\n".join(before).replace("localhost:9092", self.environment["KAFKA_BROKERS"])
        text = text.replace('"events": {}', f'"{self.environment["TOPIC"]}": {{}}')
        text = text.replace('"topic": "events"', f'"topic": "{self.environment["TOPIC"]}"')
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(["bash", "-ec", text], cwd=self.root, timeout=60, **streams)
        self.said, self.curl = done.stdout, curl
        assert done.returncode == 0, done.stdout
        self.environment["ROUTES"] = "routes.json"


@pytest.fixture
def front(kafka, topic, tmp_path: Path):
    make_certificates()
    server = Routed(kafka.brokers, topic, tmp_path, [])
    server.follow_readme()
    yield server.start()
    if server in Process.running:
        server.stop()


def test_the_lines_of_the_readme_add_a_route(kafka, topic, front):
    kafka.produce(topic, *numbered(2, keys=2))
    assert "routes /events /raw/{topic}" in front.said
    command, option, url = front.curl.split()
    assert (command, option) == ("curl", "-N")
    url = replaced(url, "localhost:8080/raw/events", f"localhost:{front.http[1]}/raw/{topic}")
    for each in (url, f"{front.url}/events", f"{front.https_url}/raw/{topic}"):
        stream = CurlReader(each, option)
        assert [event.data for event in stream.take(2)] == [b"0", b"1"]
        stream.close()


def test_what_is_refused_there_is_told_and_no_log_has_more_of_a_path(topic, front):
    for target, status, reason in (
        (f"/raw/{SECRET}", 404, "topic_unknown"),
        (f"/raw/%zz{SECRET}", 400, "path_invalid"),
        (f"/raw/{topic}/{SECRET}", 404, "route_unknown"),
        (f"/events/{SECRET}", 404, "route_unknown"),
    ):
        answer = HttpReader(front.http, f"{target}?key={SECRET}").wait_end()
        assert (answer.status, json.loads(answer.body)["reason"]) == (status, reason), target
    for target in (f"/{SECRET}", f"/index.html/{SECRET}", f"/Raw/{SECRET}", f"/raw;{SECRET}"):
        HttpReader(front.http, target).wait_head().close()
    streams = [HttpReader(front.http, f"/raw/{topic}?{SECRET}").wait_started() for _ in range(4)]
    for pid in front.responders():
        os.kill(pid, signal.SIGKILL)
    for stream in streams:
        stream.wait(lambda: stream.closed or stream.ended)
    front.stop()
    logs = front.all_logs()
    assert "GET /events HTTP" in logs and "GET - HTTP" in logs
    assert SECRET not in logs, [at[:300] for at in logs.splitlines() if SECRET in at][:5]

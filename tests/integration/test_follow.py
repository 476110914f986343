"""The client of htdocs in Node, over lighttpd and real responders (tests/kit/follow.js)."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import REPOSITORY, Process, wait_for, wait_until
from kit import example, project
from lighttpd import CA, Lighttpd, replaced
from sse import HttpReader
from test_kit import needs_node_20
from tokens import Key, key_of_file

pytestmark = needs_node_20


class Follower(Process):
    def __init__(self, directory: Path, url: str, token: Path | None, **options: Any):
        super().__init__("follow", directory)
        environment = os.environ | {"NODE_EXTRA_CA_CERTS": str(CA)}
        if token:
            environment["TOKEN_FILE"] = str(token)
        command = ["node", "follow.js", url, json.dumps(options)]
        self.spawn(command, cwd=project(directory), env=environment, stdin=subprocess.PIPE)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines(keepends=True) if line.endswith("\n")]

    def events(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if "type" in line]

    def states(self) -> list[dict[str, Any]]:
        return [line["state"] for line in self.lines() if "state" in line]

    def table(self) -> dict[str, str]:
        return (self.events() or [{"table": {}}])[-1]["table"]

    def wait_table(self, **rows: str) -> None:
        wait_for(rows, self.table)

    def select(self, *keys: str) -> None:
        self.process.stdin.write(json.dumps({"key": keys}).encode() + b"\n")
        self.process.stdin.flush()


@pytest.fixture
def follow(tmp_path) -> Iterator[Callable[..., Follower]]:
    def start(url: str, token: Path | None = None, **options: Any) -> Follower:
        return Follower(tmp_path, url, token, **options)

    yield start


def test_the_table_outlives_restarts_and_nothing_comes_twice(kafka, topic, front, follow):
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "[1, 2]")
    server = front(topic)
    follower = follow(server.https_url + "/events")
    follower.wait_table(a="1", b="[1,2]")
    kafka.put(topic, "b", None)
    follower.wait_table(a="1")
    server.stop()
    wait_until(lambda: follower.states()[-1]["state"] == "retrying", what="it tries again")
    kafka.put(topic, "c", "meanwhile")
    server.start()
    follower.wait_table(a="1", c="meanwhile")
    wait_until(lambda: follower.states()[-1].get("live"), what="it is live")
    told = [(one["type"], one["offset"], one["replayed"]) for one in follower.events()]
    assert told == [("message", 0, True), ("message", 1, True), ("delete", 2, False), ("message", 3, True)]


def test_a_topic_made_again_resets_it(kafka, topic, start, front, follow):
    kafka.put(topic, "a", "1")
    server = front(topic, responders=[start(topic)])
    follower = follow(server.url + "/events")
    follower.wait_table(a="1")
    kafka.delete_topic(topic)
    wait_until(lambda: "topic_missing" in readiness(server), what="it is missing")
    kafka.topic(name=topic)
    kafka.put(topic, "b", "2")
    follower.wait_table(b="2")
    assert [one["reason"] for one in follower.events() if one["reset"]] == ["topic_new"]


def readiness(server: Lighttpd) -> str:
    return HttpReader(server.admin, "/health/ready").wait_end().body.decode()


def test_it_selects_without_another_stream(kafka, topic, front, follow):
    for key in "abc":
        kafka.put(topic, key, key.upper())
    server = front(topic)
    follower = follow(server.url + "/events", select={"key": ["a", "b"]})
    follower.wait_table(a="A", b="B")
    follower.select("b", "c")
    follower.wait_table(b="B", c="C")
    kafka.put(topic, "c", "live")
    follower.wait_table(b="B", c="live")
    assert not any(one["reset"] for one in follower.events())
    assert [state["state"] for state in follower.states()].count("connecting") == 1


def test_tokens_are_renewed(kafka, topic, front, follow, tmp_path):
    kafka.put(topic, "a", "1")
    server = front(topic)
    token = tmp_path / "token"
    token.write_text(private_key().mint(25))
    over = time.monotonic() + 26
    follower = follow(server.guarded_url + "/events", token)
    follower.wait_table(a="1")
    token.write_text(private_key().mint(600))
    wait_until(lambda: time.monotonic() > over, what="the first token's end")
    kafka.put(topic, "a", "2")
    follower.wait_table(a="2")
    assert [state["state"] for state in follower.states()].count("connecting") == 1
    assert "access_token" not in server.all_logs()


def test_a_token_that_stays_refused_is_told(topic, front, follow, tmp_path):
    server = front(topic)
    token = tmp_path / "token"
    token.write_text(private_key().mint(-60))
    follower = follow(server.guarded_url + "/events", token)
    wait_until(lambda: follower.process.poll() is not None, what="its end")
    last = follower.states()[-1]
    assert (last["state"], last["status"], last["reason"]) == ("closed", 401, "token_invalid")


def test_what_readme_says_to_users_of_node(kafka, topic, front, tmp_path):
    for key in "123":
        kafka.put(topic, key, f"value {key}")
    server = front(topic)
    home = project(tmp_path)
    program = example("In a file `orders.mjs`, run by `node orders.mjs`")
    (home / "orders.mjs").write_text(replaced(program, "http://localhost:8080", server.url))
    orders = Process("orders", tmp_path)
    orders.spawn(["node", "orders.mjs"], cwd=home)
    wait_for(["message 1 value 1", "message 2 value 2"], lambda: orders.text().splitlines())
    orders.end()


def private_key() -> Key:
    """That of certs/, whose public half lighttpd.conf names."""
    return key_of_file(REPOSITORY / "certs" / "private.pem", "example", "RS256")

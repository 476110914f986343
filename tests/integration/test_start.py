"""The command line: what is accepted, and one clear line about what is not."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from fastcgi import FastCgiReader, cgi, request
from helpers import PROGRAM, Process, answers, free_port
from responder import Responder
from test_fetch_keys import FETCH


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [str(PROGRAM), *arguments]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def assert_refused(*arguments: str) -> str:
    done = run(*arguments)
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


GOOD = ["-b", "localhost:1", "-t", "events", "--listen", "127.0.0.1:1"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-t", "events", "--listen", "x.sock"],
        ["-b", "localhost:1", "--listen", "x.sock"],
        ["-b", "localhost:1", "-t", "events"],  # and no listening socket on descriptor 0
        ["-b", "", "-t", "events", "--listen", "x.sock"],
        ["-b", "localhost:1", "-t", "", "--listen", "x.sock"],
        ["-b", "localhost:1", "-t", "no/topic", "--listen", "x.sock"],
        [*GOOD, "--unknown"],
        [*GOOD, "-Z"],
        [*GOOD, "word"],
        [*GOOD, "--event-id", "other"],
        [*GOOD, "--keepalive", "0"],
        [*GOOD, "--keepalive", "-1"],
        [*GOOD, "--keepalive", "x"],
        [*GOOD, "--keepalive", "15s"],
        [*GOOD, "--keepalive", "99999999999999999999"],
        [*GOOD, "--keepalive"],
        [*GOOD, "--retry", "-1"],
        [*GOOD, "--flush-interval", "-5"],
        [*GOOD, "--compact", "maybe"],
        [*GOOD, "--cache-bytes", "many"],
        [*GOOD, "--path", "events"],
        [*GOOD, "--path", "/ev ents?"],
        [*GOOD, "--cors", "not an origin"],
        [*GOOD, "--log-level", "loud"],
        [*GOOD, "--log-format", "xml"],
        [*GOOD, "-X", "no.such.property=1"],
        [*GOOD, "-X", "fetch.wait.max.ms"],
        [*GOOD, "-X", "fetch.wait.max.ms=never"],
        [*GOOD, "-X", "isolation.level=read_uncommitted"],
        [*GOOD, "-X", "auto.offset.reset=latest"],
        [*GOOD, "-X", "enable.partition.eof=false"],
        [*GOOD, "-X", "group.id=mine"],
        [*GOOD, "-F", "/nonexistent.json"],
        [*GOOD[:4], "--listen", "0.0.0.0:9000"],
        [*GOOD[:4], "--listen", "[::]:9000"],
        [*GOOD[:4], "--listen", "127.0.0.1:0x10"],
        [*GOOD[:4], "--listen", "127.0.0.1:65536"],
        [*GOOD[:4], "--listen", "/nonexistent/directory/x.sock"],
    ],
    ids=lambda arguments: " ".join(arguments).replace("/", "|") or "nothing",
)
def test_a_wrong_command_line_is_one_line_and_status_2(arguments):
    assert_refused(*arguments)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"unknown": 1}', '{"keepalive": "x"}', '{"keepalive": 15} x']
    + ['{"kafka": []}', '{"kafka": {"no.such.property": "1"}}', '{"kafka": {"group.id": "a"}}']
    + ['{"keepalive": 1, "keepalive": 2}', '{"topic": 5}', '{"event-id": "other"}'],
)
def test_a_wrong_config_file_is_one_line_and_status_2(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    assert_refused(*GOOD, "-F", str(path))


def in_the_journal(directory: Path, *command: object, **environment: str) -> tuple[int, list[str]]:
    """The status, and the lines as the journal gets them."""
    with (directory / "journal").open("w+") as journal:
        about = os.fstat(journal.fileno())
        environment |= {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}", "PATH": os.environ["PATH"]}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": journal}
        done = subprocess.run(command, env=environment, timeout=60, **streams)
        journal.seek(0)
        return done.returncode, journal.read().splitlines()


GUARD = ["--issuer", "i", "--audience", "a", "--jwks", "bad.json"]
WRONG = {
    "an option": ["--nonsense"],
    "an option without its value": ["--topic"],
    "an argument": [*GOOD, "argument"],
    "nothing": [],
    "a property": [*GOOD, "-X", "no.such.property=1"],
    "no file": ["--config", "/nonexistent.json"],
    "a broken file": ["--config", "bad.json"],
    "a member": ["--config", "member.json"],
    "routes": ["--config", "routes.json"],
    "keys, to be checked": [*GOOD, *GUARD, "--check"],
    "keys, to be used": [*GOOD, *GUARD],
    "keys alone": ["--check-jwks", "bad.json"],
    "a token": [*GOOD, "--explain", "/events", "--token-file", "/nonexistent"],
    "a token for nothing": [*GOOD, "--token-file", "/nonexistent"],
    "a listener": [*GOOD[:4], "--listen", "/nonexistent/directory/x.sock"],
    "a peer directory": [*GOOD, "--peer-dir", "/nonexistent"],
    "no descriptor": GOOD[:4],
}


@pytest.mark.parametrize("what", WRONG)
def test_in_the_journal_an_error_of_configuration_is_an_error(tmp_path, monkeypatch, what):
    """sd-daemon(3): `journalctl -p err` shows it."""
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"brokers" 1}')
    Path("member.json").write_text('{"nonsense": 1}')
    Path("routes.json").write_text('{"brokers": "b:1", "topics": {"t": {}}, "routes": [{}]}')
    status, lines = in_the_journal(tmp_path, PROGRAM, *WRONG[what])
    assert status == 2 and lines and all(re.match("<[34]>", line) for line in lines), lines
    assert lines[-1].startswith("<3>")


def test_in_the_journal_a_warning_of_check_is_a_warning(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(
        '{"brokers": "b:1", "topics": {"t": {}}, "routes": [{"path": "/{p}", "topic": "t"}]}'
    )
    said = in_the_journal(tmp_path, PROGRAM, "--config", path, "--check")
    assert said == (0, ["<4>route /{p}: {p} decides nothing"])


def test_in_the_journal_keys_that_cannot_be_fetched_are_an_error(tmp_path):
    url, file = f"https://localhost:{free_port()}/", tmp_path / "keys.json"
    status, lines = in_the_journal(tmp_path, FETCH, url, file)
    assert status == 1 and len(lines) == 1
    assert lines[0].startswith(f"<3>fetch-jwks: {url}: it cannot be fetched: curl: ")


def test_a_config_file_with_secrets_must_not_be_readable_by_all(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"kafka": {"sasl.password": "topsecret"}}')
    path.chmod(0o644)
    assert "topsecret" not in assert_refused(*GOOD, "-F", str(path))


def test_the_value_of_a_property_is_never_said(tmp_path):
    for name in ("no.such.property", "sasl.mechanism.topsecret", "fetch.wait.max.ms"):
        assert "topsecret" not in assert_refused(*GOOD, "-X", f"{name}=topsecret").replace(name, "")


def test_a_config_file_has_the_names_of_the_options_and_an_option_wins(
    kafka, topic, start, tmp_path
):
    kafka.put(topic, "1", "Hello")
    config = {
        "brokers": "localhost:1",
        "topic": topic,
        "event-id": "key",
        "retry": 20000,
        "path": "/elsewhere",
        "kafka": {"client.id": "from the file"},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    responder = Responder(kafka.brokers, topic, tmp_path, "-F", str(path), "--path", "/events")
    stream = responder.start().open()
    assert stream.retry[0] >= 10_000
    assert stream.next().id == '["MQ==","AQIAAg=="]'
    responder.stop()


def test_version_and_help_are_said(tmp_path):
    assert run("--version").returncode == 0 and "sse-kafka-fanout" in run("--version").stdout
    done = run("--help")
    assert done.returncode == 0
    for option in "brokers topic listen config event-id keepalive retry cors path".split():
        assert f"--{option}" in done.stdout


def test_the_listening_socket_may_be_descriptor_0(kafka, topic, tmp_path):
    """As lighttpd's bin-path, spawn-fcgi and systemd hand it over."""
    kafka.put(topic, "1", "Hello")
    address = str(tmp_path / "given.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        process = Process("on-descriptor-0", tmp_path)
        process.spawn([PROGRAM, "-b", kafka.brokers, "-t", topic], stdin=listening)
    stream = FastCgiReader(address, request(cgi("GET", "/events", {}).items()))
    assert stream.next().text == "Hello"
    assert process.end() == 0


def test_a_responder_may_listen_on_a_port_of_the_loopback(kafka, topic, start, tmp_path):
    port = free_port()
    process = Process("on-a-port", tmp_path)
    process.spawn([PROGRAM, "-b", kafka.brokers, "-t", topic, "--listen", f"127.0.0.1:{port}"])
    process.wait_until_up(lambda: answers(("127.0.0.1", port)))
    stream = FastCgiReader(("127.0.0.1", port), request(cgi("GET", "/events", {}).items()))
    assert stream.wait_started().status == 200
    assert process.end() == 0


def test_a_socket_that_a_dead_responder_left_is_taken_over(start, tmp_path, topic):
    first = start(topic)
    first.end(9)
    assert os.path.exists(first.address)
    first.start()
    assert first.open().status == 200


def test_the_socket_of_a_living_responder_is_not_taken(start, topic):
    first = start(topic)
    done = run("-b", "localhost:1", "-t", topic, "--listen", first.address)
    assert done.returncode != 0
    assert first.open().status == 200


def test_who_is_told_to_stop_once_it_can_be_reached_stops_in_order(tmp_path):
    for _ in range(20):
        responder = Responder(f"127.0.0.1:{free_port()}", "events", tmp_path)
        responder.spawn([PROGRAM, *responder.options, "--listen", responder.address])
        while not answers(responder.address):  # without a pause: the first moment counts
            assert responder.process.poll() is None, responder.text()
        responder.stop()
        assert not os.path.exists(responder.address)


def test_it_ends_well_however_often_it_is_told_to(tmp_path):
    """Also in its last moments, when its loop is gone."""
    for _ in range(20):
        responder = Responder(f"127.0.0.1:{free_port()}", "events", tmp_path)
        responder.start()
        while responder.process.poll() is None:  # without a pause: each moment counts
            responder.process.send_signal(signal.SIGTERM)
        responder.stop()


def test_sigterm_ends_it_with_streams_open(kafka, topic, start, note):
    kafka.put(topic, "a", "1")
    responder = start(topic)
    streams = [responder.open() for _ in range(10)]
    began = time.monotonic()
    responder.stop()
    note("the end took s", round(time.monotonic() - began, 2))
    for stream in streams:
        stream.wait(lambda: stream.closed)

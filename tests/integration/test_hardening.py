"""What a process gives away: no core, no descriptor, no code run for whoever sets an option.
How the program was built is looked at by tests/unit/hardened."""

import json
import os
import resource
import socket
import stat
from pathlib import Path

import pytest

from helpers import PROGRAM, answers, free_port, process_status, wait_for
from responder import Responder
from test_start import GOOD, assert_refused
from tokens import Jwks, bearer, ec_key

O_CLOEXEC = 0o2000000


def inherited_by_children(pid: int) -> list[str]:
    """What a program would get that this one starts, but for the standard streams. To be asked more
    than once: librdkafka marks some of its descriptors a moment after it has made them."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
            standard = int(entry.name) <= 2 and not stat.S_ISSOCK(entry.stat().st_mode)
            name = f"{entry.name}: {os.readlink(entry)}"
        except FileNotFoundError:
            continue  # closed in between: librdkafka connects again and again
        flags = next(int(line.split()[1], 8) for line in info.splitlines() if "flags" in line)
        if not flags & O_CLOEXEC and not standard:
            found.append(name)
    return found


def test_no_descriptor_goes_on_to_a_child(kafka, topic, start, tmp_path):
    key = ec_key()
    directory = tmp_path / "peers"
    directory.mkdir(mode=0o700)
    options = Jwks(tmp_path / "jwks.json", key).options("--peer-dir", str(directory))
    kafka.put(topic, "1", "Hello")
    responder, peer = start(topic, *options), start(topic, *options)
    stream = responder.open(headers=bearer(key.mint()))
    stream.next()
    wait_for([], lambda: inherited_by_children(responder.pid), 5)
    wait_for([], lambda: inherited_by_children(peer.pid), 5)


def test_an_inherited_socket_does_not_go_on_either(tmp_path):
    responder = Responder(f"127.0.0.1:{free_port()}", "events", tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(responder.address)
        listening.listen()
        responder.spawn([PROGRAM, *responder.options], stdin=listening)
    responder.wait_until_up(lambda: answers(responder.address))
    responder.open()
    wait_for([], lambda: inherited_by_children(responder.pid), 5)
    responder.stop()


def test_it_dumps_no_core(start):
    responder = start("events", brokers=f"127.0.0.1:{free_port()}")
    responder.open()  # it was set up
    assert resource.prlimit(responder.pid, resource.RLIMIT_CORE) == (0, 0)
    # A limit means nothing to a core_pattern that is a pipe. So it may not be dumped at all: the
    # kernel gives the files of such a process to root, which tells only those who are not root.
    assert os.stat(f"/proc/{responder.pid}/environ").st_uid == 0


def test_its_table_of_descriptors_is_large_before_there_are_threads(start):
    """Or all streams wait while the kernel enlarges it, each time that their number has doubled."""
    responder = start("events", brokers=f"127.0.0.1:{free_port()}")
    responder.open()  # it was set up
    _, limit = resource.prlimit(responder.pid, resource.RLIMIT_NOFILE)
    assert process_status(responder.pid, "FDSize") >= min(limit, 16384)


@pytest.mark.parametrize(
    "name", ["plugin.library.paths", "sasl.kerberos.kinit.cmd", "ssl.engine.location"]
)
def test_a_property_that_runs_code_is_refused_on_the_command_line(name):
    assert name in assert_refused(*GOOD, "-X", f"{name}=/bin/true")


def test_the_config_file_may_set_such_a_property(start, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"kafka": {"sasl.kerberos.kinit.cmd": "/bin/true"}}))
    start("events", "-F", str(path), brokers=f"127.0.0.1:{free_port()}").open()


def test_a_plugin_is_loaded_if_the_config_file_says_so(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"kafka": {"plugin.library.paths": "/nonexistent/plugin.so"}}))
    said = assert_refused(*GOOD, "-F", str(path))
    assert "plugin.library.paths" in said and "only the configuration file" not in said

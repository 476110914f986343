"""Routes behind a real lighttpd: what it does to a path, and that it turns no path into another."""

import http.client
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import Process, answers, free_port
from lighttpd import SEARCH_PATH
from test_routes import routed  # noqa: F401

PREFIXES = ("/events", "/raw/", "/of/", "/rest/")


class Front(Process):
    """lighttpd with what README says of routes, and nothing else."""

    def __init__(self, directory: Path, socket: str):
        super().__init__("lighttpd-routes", directory)
        self.port = free_port()
        responder = f'(("socket" => "{socket}", "check-local" => "disable"))'
        served = ", ".join(f'"{prefix}" => {responder}' for prefix in PREFIXES)
        self.conf = directory / "routes.conf"
        self.conf.write_text(
            'server.modules = ("mod_fastcgi")\n'
            f'server.document-root = "{directory}"\n'
            f'server.bind = "127.0.0.1"\nserver.port = {self.port}\n'
            '$HTTP["url"] =~ "^/(events$|raw/|of/|rest/)" {\n'
            f"server.stream-response-body = 2\nfastcgi.server = ({served})\n}}\n"
        )

    def start(self) -> "Front":
        program = shutil.which("lighttpd", path=SEARCH_PATH)
        self.spawn([program, "-D", "-f", self.conf], cwd=self.directory)
        self.wait_until_up(lambda: answers(("127.0.0.1", self.port)))
        return self

    def ask(self, target: str, method: str = "GET") -> tuple[int, str]:
        """The status, and of a refusal of ours the reason."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, target)
        answer = connection.getresponse()
        body = answer.read() if answer.status != 200 else b""
        ours = answer.headers.get("Content-Type") == "application/problem+json"
        connection.close()
        return answer.status, json.loads(body)["reason"] if ours and method == "GET" else ""


@pytest.fixture
def front(routed, tmp_path) -> Iterator[Front]:  # noqa: F811
    routes = ["/events", ("/raw/{topic}", "{topic}"), "/of/{customer}", "/rest/{symbol*}"]
    responder = routed("orders", routes, brokers=f"127.0.0.1:{free_port()}")
    server = Front(tmp_path, responder.address).start()
    yield server
    server.end(signal.SIGTERM)


SERVED = ["/events", "/raw/orders", "/raw/%6frders", "/of/a%2Fb", "/of/a%20b", "/of/a+b", "/of/a;b"]
SERVED += ["/of/%25", "/of/a%3Fb", "/of/%C3%A4", "/rest/a/b", "/rest/a%2Fb/c"]

FOLDED = ["/of//a", "/rest/a//b", "/rest/a/../b", "/rest/a/./b", "/rest/%2e%2e/of/x", "//events"]
FOLDED += ["/of/..%2Fevents"]


def test_paths_reach_their_routes(front):
    for target in SERVED:
        assert front.ask(target) == (200, ""), target
    assert front.ask("/raw/other") == (404, "topic_unknown")
    assert front.ask("/of/%zz") == (400, "path_invalid")


def test_what_the_front_folds_reaches_nothing(front):
    for target in FOLDED:
        status, _ = front.ask(target)
        assert status == 404, target
    for target in ("/of/%00", "/of/%FF"):  # which it refuses itself
        assert front.ask(target) == (400, ""), target

"""An issuer's keys, fetched by what the package has for it, from a real HTTPS server."""

import json
import os
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers import PROGRAM, REPOSITORY, wait_until
from lighttpd import CA, make_certificates
from tokens import Jwks, bearer, ec_key, rsa_key

FETCH = REPOSITORY / "fcgi" / "fetch-jwks.sh"
PATH = "/realms/shop/protocol/openid-connect/certs"
FILE_MAX = 1 << 20


class Issuer:
    """It answers as `answer` says: status, headers, and the body in pieces."""

    def __init__(self) -> None:
        self.asked = 0
        self.publish(rsa_key())
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                issuer.asked += 1
                status, headers, body = issuer.answer
                self.send_response(status if self.path == PATH else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in body:
                        self.wfile.write(piece)
                except OSError:
                    pass  # it had enough
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CA.parent / "localhost.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}{PATH}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def publish(self, *keys: object) -> None:
        body = json.dumps({"keys": [key.jwk() for key in keys]}).encode()
        self.answer = (200, {"Content-Length": str(len(body))}, [body])

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    make_certificates()
    server = Issuer()
    yield server
    server.stop()


def fetch(url: str, file: Path, ca: Path = CA) -> subprocess.CompletedProcess:
    search = f"{PROGRAM.parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": search, "CURL_CA_BUNDLE": str(ca), "no_proxy": "*"}
    command = [FETCH, url, file]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_keys_are_fetched_and_take_the_place_of_the_old_ones(issuer, tmp_path):
    file = tmp_path / "shop.json"
    for keys in [(rsa_key(),), (rsa_key(), ec_key())]:
        issuer.publish(*keys)
        done = fetch(issuer.url, file)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.split("\n")[:-1] == [f"key {key.kid}" for key in keys]
        assert [key["kid"] for key in json.loads(file.read_text())["keys"]] == [k.kid for k in keys]
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == [file.name]


def large(header: bool) -> tuple[int, dict[str, str], list[bytes]]:
    headers = {"Content-Length": str(2 * FILE_MAX)} if header else {}
    return (200, headers, [b" " * 65536] * (2 * FILE_MAX // 65536))


REFUSED = {
    "a page": ((200, {}, [b"<html>log in</html>"]), "these keys cannot be used"),
    "no key": ((200, {}, [b'{"keys":[]}']), "no usable key"),
    "half a file": ((200, {"Content-Length": "100"}, [b'{"keys":[']), "cannot be fetched"),
    "an error": ((500, {}, [b"{}"]), "500"),
    "elsewhere": ((302, {"Location": "https://localhost/"}, []), "the answer is 302"),
    "too large, said before": (large(True), "cannot be fetched"),
    "too large, not said": (large(False), "cannot be fetched"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_key_set_leaves_the_old_one(issuer, tmp_path, what):
    file = tmp_path / "shop.json"
    file.write_text("as it was")
    issuer.answer, _ = REFUSED[what]
    done = fetch(issuer.url, file)
    assert done.returncode != 0
    assert "shop.json is left as it is" in done.stderr, done
    assert REFUSED[what][1] in done.stderr, done
    assert file.read_text() == "as it was" and os.listdir(tmp_path) == [file.name]


def test_only_https_and_a_certificate_that_is_known_will_do(issuer, tmp_path):
    file = tmp_path / "shop.json"
    plain = fetch(issuer.url.replace("https", "http"), file)
    assert plain.returncode == 1 and "must begin with https://" in plain.stderr
    local = fetch(f"file://{tmp_path}", file)
    assert local.returncode == 1 and "must begin with https://" in local.stderr
    strange = fetch(issuer.url, file, Path("/etc/ssl/certs/ca-certificates.crt"))
    assert strange.returncode == 1 and "certificate" in strange.stderr
    assert issuer.asked == 0 and not file.exists()


@pytest.mark.parametrize("url", ["https://user:s3cret@[::1]:1/k@y?code=s3cret", "user:s3cret@host/k@y?code=s3cret"])
def test_what_may_be_secret_in_the_url_is_not_logged(tmp_path, url):
    done = fetch(url, tmp_path / "shop.json")
    assert done.returncode == 1 and "/k@y: it" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout


def test_a_token_of_an_unknown_key_asks_for_a_fetch_once_a_minute(topic, start, tmp_path):
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    peers = tmp_path / "peers"
    peers.mkdir(mode=0o700)
    wish = peers / "keys-wanted"
    responder, peer = (start(topic, *keys.options("--peer-dir", str(peers))) for _ in range(2))

    def status(at, token: str) -> int:
        return at.send(headers=bearer(token)).wait_head().status

    assert status(responder, rsa_key().mint(iss="https://other.example.com")) == 401
    assert status(responder, ec_key().mint(ttl=-60)) == 401
    assert not wish.exists()
    assert status(responder, ec_key().mint()) == 401
    wait_until(wish.exists)
    asked = wish.stat().st_mtime_ns
    for at in (responder, peer):
        assert status(at, ec_key().mint()) == 401
    assert wish.stat().st_mtime_ns == asked
    assert "asked" in responder.text() and "asked" not in peer.text()
    assert status(peer, rsa_key().mint()) == 200

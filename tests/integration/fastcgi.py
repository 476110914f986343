"""A FastCGI client at the level of records: says to a responder what a front would, or worse."""

import struct
from collections.abc import Iterable

from helpers import connect
from sse import EventReader

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)
RESPONDER, AUTHORIZER = 1, 2
KEEP_CONN = 1

Pairs = Iterable[tuple[str, str]]


def record(kind: int, content: bytes = b"", request_id: int = 1, version: int = 1) -> bytes:
    padding = -len(content) % 8
    header = struct.pack(">BBHHBx", version, kind, request_id, len(content), padding)
    return header + content + bytes(padding)


def begin(request_id: int = 1, role: int = RESPONDER, flags: int = 0) -> bytes:
    return record(BEGIN_REQUEST, struct.pack(">HB5x", role, flags), request_id)


def stream(kind: int, content: bytes, request_id: int = 1) -> bytes:
    """PARAMS or STDIN as records, the empty one that ends it included."""
    parts = [content[at : at + 65535] for at in range(0, len(content), 65535)]
    return b"".join(record(kind, part, request_id) for part in [*parts, b""])


def pair(name: str, value: str) -> bytes:
    def length(text: bytes) -> bytes:
        return bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)

    n, v = name.encode("latin-1"), value.encode("latin-1")
    return length(n) + length(v) + n + v


def cgi(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> dict[str, str]:
    """The parameters that lighttpd sends for a request."""
    path, _, query = target.partition("?")
    params = {
        "SERVER_SOFTWARE": "lighttpd/1.4.69",
        "SERVER_NAME": "localhost",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PORT": "8080",
        "SERVER_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "REMOTE_ADDR": "127.0.0.1",
        "SCRIPT_NAME": path,
        "PATH_INFO": "",
        "REQUEST_URI": target,
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "REDIRECT_STATUS": "200",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:8080",
        "REQUEST_SCHEME": "http",
    }
    if body or method == "POST":
        params["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers.items():
        variable = name.upper().replace("-", "_")
        params[variable if variable == "CONTENT_TYPE" else "HTTP_" + variable] = value
    return params


def request(params: Pairs, body: bytes = b"", request_id: int = 1, flags: int = 0) -> bytes:
    content = b"".join(pair(name, value) for name, value in params)
    return (
        begin(request_id, flags=flags)
        + stream(PARAMS, content, request_id)
        + stream(STDIN, body, request_id)
    )


class FastCgiReader(EventReader):
    """The response to the bytes of a request, on a connection of its own."""

    def __init__(self, address: tuple[str, int] | str, said: bytes = b"", request_id: int = 1):
        super().__init__(connect(address))
        self.request_id = request_id
        self.stderr = b""
        self._records = b""
        self._head = b""
        self.say(said)

    def say(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except (ConnectionError, BrokenPipeError):
            pass  # it hung up in the middle; what it said before that is still to be read

    def on_bytes(self, got: bytes) -> None:
        self._records += got
        at = 0
        while len(self._records) - at >= 8:
            version, kind, request_id, length, padding = struct.unpack_from(
                ">BBHHBx", self._records, at
            )
            end = at + 8 + length + padding
            if len(self._records) < end:
                break
            assert (version, request_id) == (1, self.request_id), f"a record of {request_id}"
            self._on_record(kind, self._records[at + 8 : at + 8 + length])
            at = end
        self._records = self._records[at:]

    def _on_record(self, kind: int, content: bytes) -> None:
        assert not self.ended, f"record {kind} after END_REQUEST"
        if kind == STDOUT:
            self._on_stdout(content)
        elif kind == STDERR:
            self.stderr += content
        else:
            assert kind == END_REQUEST, f"record {kind} from a responder"
            self.app_status, self.protocol_status = struct.unpack(">IB3x", content)
            self.ended = True

    def _on_stdout(self, content: bytes) -> None:
        if self.status:
            self.on_body(content)
            return
        self._head += content
        head, blank, rest = self._head.partition(b"\r\n\r\n")
        if blank:
            self.on_head(head.split(b"\r\n"))
            self.status = int(self.headers.get("status", "200").split()[0])
            self.on_body(rest)

    def hang_up(self) -> None:
        """What lighttpd does when its client has left: no more from us, but still reading."""
        self.sock.shutdown(1)

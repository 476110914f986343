"""A pool that is not lighttpd's own, so that either side restarts without the other."""

import socket
from pathlib import Path

from helpers import PROGRAM
from lighttpd import Lighttpd
from responder import Responder

BACKLOG = 4096


class HeldResponder(Responder):
    """Its listening socket is held by us, as by spawn-fcgi or a socket unit of systemd: who asks
    while it is started again waits in the backlog."""

    def __init__(self, brokers: str, topic: str, directory: Path, *options: str):
        super().__init__(brokers, topic, directory, *options)
        self._held = socket.socket(socket.AF_UNIX)
        self._held.bind(self.address)
        self._held.listen(BACKLOG)

    def start(self) -> "HeldResponder":
        self.spawn([PROGRAM, *self.options], cwd=self.directory, stdin=self._held)
        return self


class Front(Lighttpd):
    """lighttpd in front of such a pool."""

    @property
    def pid(self) -> int:
        return self.process.pid

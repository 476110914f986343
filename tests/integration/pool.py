"""A pool of a test's own behind lighttpd, so that either side restarts without the other."""

import signal
import socket
from pathlib import Path

from helpers import PROGRAM, children, wait_until
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

    def take_over(self) -> None:
        """Another one serves already while this one drains."""
        before = self.process
        before.send_signal(signal.SIGTERM)
        self.start()
        assert before.wait(60) == 0, self.text()[-2000:]


class Front(Lighttpd):
    @property
    def pid(self) -> int:
        return self.process.pid

    def restart(self) -> None:
        """Gracefully: the process that was there keeps its streams for a while, as a child of the
        one that serves from now on, and is waited for."""
        helpers = len(children(self.pid))
        begun, ended = "graceful shutdown started", "server stopped"
        before = self.all_logs().count(ended)
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: begun in self.all_logs(), what="lighttpd begins")
        wait_until(lambda: self.all_logs().count(ended) > before, what="the end of the old one")
        wait_until(lambda: len(children(self.pid)) == helpers, what="one lighttpd")

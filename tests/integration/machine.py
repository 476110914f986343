"""A machine of its own for a browser, as far as its network and its clock go: a network namespace with one link."""

import itertools
import os
import struct
import subprocess
from pathlib import Path

from helpers import REPOSITORY

_numbers = itertools.count()


def say(*command: object) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


class Machine:
    """Its link ends here at .server_ip, where servers for it have to listen."""

    def __init__(self, directory: Path) -> None:
        number = next(_numbers)
        self.name = f"skf-{os.getpid()}-{number}"
        # Of 198.18.0.0/15, which is for tests of networks (RFC 2544), a /30 for each.
        block = (os.getpid() * 16 + number) % (1 << 15)
        network = f"198.{18 + (block >> 14)}.{block >> 6 & 255}"
        self.server_ip, self.ip = (f"{network}.{(block & 63) * 4 + n}" for n in (1, 2))
        self._link = f"skf{os.getpid() % 100000}x{number}"
        self._directory = directory
        self._clock = directory / f"clock-{number}.so"
        source = REPOSITORY / "tests" / "integration" / "clock.c"
        say("cc", "-shared", "-fPIC", "-O1", "-o", self._clock, source)
        self._slept = directory / f"slept-{number}"
        self._slept.write_bytes(struct.pack("q", 0))
        say("ip", "netns", "add", self.name)
        say("ip", "link", "add", self._link, "type", "veth", "peer", "eth0", "netns", self.name)
        say("ip", "address", "add", f"{self.server_ip}/30", "dev", self._link)
        # No address of IPv6, which would be there only a second or two later: a browser ends its connections over
        # HTTP/2, and whatever it loads, when an address is new (ERR_NETWORK_CHANGED).
        say("ip", "link", "set", self._link, "addrgenmode", "none", "up")
        self.run("ip", "link", "set", "eth0", "addrgenmode", "none")
        self.run("ip", "address", "add", f"{self.ip}/30", "dev", "eth0")
        self.run("ip", "link", "set", "lo", "up")
        self.link("up")

    def end(self) -> None:
        """The link goes with it."""
        say("ip", "netns", "delete", self.name)

    def run(self, *command: object) -> str:
        return say("ip", "netns", "exec", self.name, *command)

    def link(self, state: str) -> None:
        """Its cable is there (up), or not (down), which it sees."""
        self.run("ip", "link", "set", "eth0", state)

    def drop(self, *matching: str) -> None:
        """From now on these packets are lost on their way; nobody is told."""
        for chain in ("INPUT", "OUTPUT"):
            self.run("iptables", "-A", chain, "!", f"-{chain[0].lower()}", "lo", *matching, "-j", "DROP")

    def drop_connections(self) -> None:
        """Likewise those of connections that there are now; new ones are not harmed."""
        for port in self.connections():
            self.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", port, "-j", "DROP")
            self.run("iptables", "-A", "OUTPUT", "-p", "tcp", "--sport", port, "-j", "DROP")

    def connections(self) -> list[str]:
        """Its ports of those that are established."""
        lines = self.run("ss", "-Htn", "state", "established").splitlines()
        local = [line.split()[2] for line in lines]
        return [address.rpartition(":")[2] for address in local if address.startswith(f"{self.ip}:")]

    def pass_all(self) -> None:
        self.run("iptables", "-F")

    def sleep(self, seconds: int) -> None:
        """It wakes so much later: the clocks of its programs have gone on, but for the monotonic one."""
        with open(self._slept, "r+b") as file:  # which they have mapped
            file.write(struct.pack("q", seconds))

    def program(self, program: Path) -> Path:
        """A file that runs this program there."""
        file = self._directory / f"{program.name}-{self.name}"
        clock = f"env LD_PRELOAD={self._clock} SLEPT={self._slept}"
        file.write_text(f'#!/bin/sh\nexec ip netns exec {self.name} {clock} {program} "$@"\n')
        file.chmod(0o755)
        return file

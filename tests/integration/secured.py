"""A broker that asks for a password and knows rights (SASL/SCRAM, ACLs)."""

import hashlib
import os
import socket
import struct
from pathlib import Path

from helpers import free_port
from kafka import LIBRDKAFKA, VERSION, Kafka

CREATE_ACLS, DELETE_ACLS, ALTER_SCRAM = 30, 31, 51
TOPIC, LITERAL, ALLOW = 2, 3, 3
RIGHTS = {"READ": 3, "DESCRIBE": 8, "DESCRIBE_CONFIGS": 10}
USER, ITERATIONS = "reader", 4096


def string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def compact(data: bytes) -> bytes:
    assert len(data) < 127
    return bytes([len(data) + 1]) + data


class SecuredKafka(Kafka):
    """The tests come through the listener of before, as somebody who may do everything; the
    responder through .secured, as USER, who may do nothing yet and has no password."""

    # librdkafka before 2.6.1 repeats its nonce, which Kafka 4 refuses (confluentinc/librdkafka#4895).
    version = VERSION if LIBRDKAFKA >= 0x020601FF else "3.9.1"

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.secured_port = free_port()
        self.secured = f"127.0.0.1:{self.secured_port}"

    def first_start(self, *properties: str) -> None:
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.port + 1}"
        advertised = f"PLAINTEXT://localhost:{self.port}"
        super().first_start(
            f"listeners={listeners},SASL_PLAINTEXT://{self.secured}",
            f"advertised.listeners={advertised},SASL_PLAINTEXT://{self.secured}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms=SCRAM-SHA-256",
            "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config="
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            *properties,
        )

    def options(self, password: str) -> list[str]:
        """Of a responder that comes with it."""
        properties = {
            "security.protocol": "sasl_plaintext",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": USER,
            "sasl.password": password,
        }
        return [word for name, value in properties.items() for word in ("-X", f"{name}={value}")]

    # Kafka's own tools need seconds for each of these.

    def allow(self, topic: str, *rights: str) -> None:
        self._change_acls(CREATE_ACLS, topic, rights)

    def withdraw(self, topic: str, *rights: str) -> None:
        self._change_acls(DELETE_ACLS, topic, rights)

    def _change_acls(self, api_key: int, topic: str, rights: tuple[str, ...]) -> None:
        """A binding, and a filter that matches just that one, have the same form."""
        acls = b"".join(
            struct.pack(">b", TOPIC)
            + string(topic)
            + struct.pack(">b", LITERAL)
            + string(f"User:{USER}")
            + string("*")
            + struct.pack(">bb", RIGHTS[right], ALLOW)
            for right in rights
        )
        self._ask(api_key, 1, struct.pack(">i", len(rights)) + acls)

    def set_password(self, password: str) -> None:
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
        upsertion = compact(USER.encode()) + struct.pack(">bi", 1, ITERATIONS)
        upsertion += compact(salt) + compact(salted) + b"\0"
        self._ask(ALTER_SCRAM, 0, b"\1\2" + upsertion + b"\0", flexible=True)

    def _ask(self, api_key: int, version: int, body: bytes, flexible: bool = False) -> None:
        head = struct.pack(">hhi", api_key, version, 1) + string("tests")
        frame = head + (b"\0" if flexible else b"") + body
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.sendall(struct.pack(">i", len(frame)) + frame)
            answer = sock.makefile("rb")
            (n,) = struct.unpack(">i", answer.read(4))
            said = answer.read(n)
        if flexible:  # behind the correlation id, tags, throttle time and the user
            error = said.partition(compact(USER.encode()))[2][:2]
        else:  # behind the correlation id, throttle time and the number of results
            error = said[12:14]
        assert error == b"\0\0", said

"""The real Kafka of the tests: one broker for the whole session, a fresh topic for each test."""

import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer, libversion
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from helpers import PATIENCE_S, REPOSITORY, free_port, wait_until
from proxy import Proxy

BROKER = REPOSITORY / "tests" / "kafka" / "broker"
VERSION = os.environ.get("KAFKA_VERSION", "3.9.1")
LIBRDKAFKA = libversion()[1]  # 0x02000200: 2.0.2; the program's, too
LIBS = REPOSITORY / "build" / "kafka" / VERSION / "libs"
UNKNOWN = (KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    partition: int = 0
    headers: tuple = ()
    timestamp: int = 0  # ms; 0: now


class Broker:
    """A broker and what it keeps."""

    version = VERSION

    def __init__(self, directory: Path):
        self.directory = directory
        self.port = free_port()  # and the next one for its controller

    def first_start(self, *properties: str) -> None:
        self._broker("fetch")
        # The offsets of tests are exact: nothing may be compacted or expired behind their back.
        properties = ("log.cleaner.enable=false", *properties)
        # Transactions whose producer is gone are looked for so often.
        properties += ("transaction.abort.timed.out.transaction.cleanup.interval.ms=500",)
        # A machine that stands still for a while must not cost partitions their leaders.
        properties += ("broker.session.timeout.ms=6000",)
        self._broker("start", self.directory, self.port, *properties)

    def start(self) -> None:
        self._broker("start", self.directory)

    def stop(self) -> None:
        self._broker("stop", self.directory)

    def kill(self) -> None:
        self._broker("stop", self.directory, "--kill")

    def _broker(self, *arguments: object) -> str:
        """What it said."""
        command = [str(word) for word in (BROKER, *arguments)]
        # Not a pipe: the broker would hold it open, and we would wait for its end.
        with open(self.directory / "broker.out", "w+") as out:
            environment = os.environ | {"KAFKA_VERSION": self.version}
            status = subprocess.run(command, stdout=out, stderr=out, env=environment).returncode
            out.seek(0)
            said = out.read()
        assert status == 0, f"{command}: {said}"
        return said

    def log(self) -> str:
        log = self.directory / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    # Its disk

    @property
    def _identity(self) -> Path:
        return self.directory / "data" / "meta.properties"

    @property
    def cluster_id(self) -> str:
        return re.search(r"^cluster.id=(.+)$", self._identity.read_text(), re.M)[1]

    def format(self, node: int, cluster_id: str) -> None:
        """An empty disk, as kafka-storage makes it; without this, the first start takes an id by
        itself."""
        self._identity.parent.mkdir(parents=True)
        self._identity.write_text(f"version=1\nnode.id={node}\ncluster.id={cluster_id}\n")

    def wipe(self) -> None:
        """While it is stopped: everything that it knows is gone."""
        shutil.rmtree(self.directory / "data")


class Kafka(Broker):
    """One broker, and a producer and an administrator for it."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.brokers = f"localhost:{self.port}"
        self._names = (f"t{n}" for n in itertools.count(1))

    def first_start(self, *properties: str) -> None:
        super().first_start(*properties)
        self.connect()

    def connect(self) -> None:
        """Anew after wipe(): a producer is good for one cluster."""
        own = {"log_level": 0, "reconnect.backoff.max.ms": 1000}
        self.admin = AdminClient({"bootstrap.servers": self.brokers} | own)
        self.producer = self.new_producer()

    # Topics

    def new_name(self) -> str:
        return next(self._names)

    def topic(self, partitions: int = 1, name: str = "", config: dict | None = None) -> str:
        """A new topic, compacted unless config says otherwise."""
        name = name or self.new_name()
        config = {"cleanup.policy": "compact"} | (config or {})
        self._create(NewTopic(name, partitions, 1, config=config), partitions)
        return name

    def _create(self, topic: NewTopic, partitions: int) -> None:
        self._done(self.admin.create_topics([topic]))
        what = f"topic {topic.topic}"
        wait_until(lambda: self._partitions(topic.topic) == partitions, what=what)

    def log_topic(self, partitions: int = 1) -> str:
        """A new topic that is not compacted."""
        return self.topic(partitions, config={"cleanup.policy": "delete"})

    def delete_topic(self, name: str) -> None:
        self._done(self.admin.delete_topics([name]))
        wait_until(lambda: self._partitions(name) == 0, what=f"no topic {name}")
        # One that has heard of it would give up its records if it is told late that there is none,
        # when there is one again.
        self.producer = self.new_producer()

    def add_partitions(self, name: str, total: int) -> None:
        self._done(self.admin.create_partitions([NewPartitions(name, total)]))
        wait_until(lambda: self._partitions(name) == total, what=f"{total} partitions")

    def alter(self, name: str, config: dict[str, str]) -> None:
        """All of a topic's settings; those that are not given are Kafka's defaults."""
        self._done(self.admin.alter_configs([ConfigResource("topic", name, set_config=config)]))

    def delete_records(self, name: str, before: int, partitions: int = 1) -> None:
        """Of its first partitions, all below that offset; not of a topic that is compacted alone."""
        wanted = [{"topic": name, "partition": p, "offset": before} for p in range(partitions)]
        file = self.directory / "delete-records.json"
        file.write_text(json.dumps({"version": 1, "partitions": wanted}))
        options = ["--bootstrap-server", self.brokers, "--offset-json-file", file]
        said = self._broker("tool", "kafka-delete-records", *options)
        assert "error:" not in said, said  # its status is 0 all the same

    def _partitions(self, name: str) -> int:
        topics = self._topics()
        return len(topics[name].partitions) if name in topics else 0

    def _topics(self) -> dict:
        """Also while a broker goes or comes, which ends what it was asked."""

        def ask() -> object:
            with suppress(KafkaException):
                return self.admin.list_topics(timeout=10)

        return wait_until(ask, what="the list of topics").topics

    def leader(self, topic: str, partition: int = 0) -> int:
        """-1 if there is none."""
        topics = self._topics()
        there = topic in topics and partition in topics[topic].partitions
        return topics[topic].partitions[partition].leader if there else -1

    def _done(self, futures: dict) -> None:
        for future in futures.values():
            future.result(timeout=PATIENCE_S)

    # Records

    def new_producer(self, **config: object) -> Producer:
        """config: librdkafka's properties, with _ for the dots."""
        defaults = {
            "bootstrap.servers": self.brokers,
            "linger.ms": 0,
            "enable.idempotence": True,  # keeps the order when it has to try again
            "log_level": 0,
            "message.max.bytes": 20_000_000,
            "reconnect.backoff.max.ms": 1000,
            "topic.metadata.refresh.interval.ms": 100,  # else a new topic is seen after a second
        }
        return Producer(defaults | {name.replace("_", "."): v for name, v in config.items()})

    def produce(self, topic: str, *records: Record, producer: Producer | None = None) -> list[int]:
        """Returns their offsets once the broker has them all."""
        offsets: dict[int, int] = {}
        deadline = time.monotonic() + PATIENCE_S
        if producer is None:
            producer = self.producer
        for n, record in enumerate(records):
            while True:
                try:
                    self._produce_one(producer, topic, record, n, offsets)
                    break
                except BufferError:  # the producer's queue is full
                    producer.poll(0.1)
                except KafkaException as error:  # it does not know yet what was just made
                    if error.args[0].code() not in UNKNOWN or time.monotonic() > deadline:
                        raise
                    producer.poll(0.1)
        assert producer.flush(2 * PATIENCE_S) == 0, "records were not delivered"
        return [offsets[n] for n in range(len(records))]

    def _produce_one(
        self, producer: Producer, topic: str, record: Record, n: int, offsets: dict[int, int]
    ) -> None:
        def delivered(error: object, message: object) -> None:
            assert error is None, f"record {n}: {error}"
            offsets[n] = message.offset()

        producer.produce(
            topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
            timestamp=record.timestamp,
            on_delivery=delivered,
        )
        producer.poll(0)

    def put(self, topic: str, key: str | None, value: str | None, partition: int = 0) -> int:
        """One record of text; returns its offset."""
        encoded = [None if text is None else text.encode() for text in (key, value)]
        return self.produce(topic, Record(*encoded, partition))[0]

    def end(self, topic: str) -> int:
        """The offset behind partition 0's last record or marker."""
        command = ["kcat", "-Q", "-b", self.brokers, "-t", f"{topic}:0:-1"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return int(said.split()[-1])

    def kcat(self, topic: str, key: str, line: str) -> None:
        """As the user types it: echo LINE | kcat -P -b HOST:PORT -t TOPIC -k KEY"""
        command = ["kcat", "-P", "-b", self.brokers, "-t", topic, "-k", key]
        subprocess.run(command, input=line.encode() + b"\n", check=True, timeout=PATIENCE_S)


class KafkaBehind(Kafka):
    """A broker whose clients all come through a proxy."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.proxy = Proxy(self.port)
        self.brokers = f"127.0.0.1:{self.proxy.port}"

    def first_start(self, *properties: str) -> None:
        super().first_start(
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.port + 1}",
            f"advertised.listeners=PLAINTEXT://{self.brokers}",
            *properties,
        )


class TwoBrokers(Kafka):
    """A cluster of two; .second may stop at any time, the other one is also its controller."""

    def first_start(self) -> None:
        # A leader that has come back gets its partitions back within seconds.
        super().first_start(
            "leader.imbalance.check.interval.seconds=1", "leader.imbalance.per.broker.percentage=0"
        )
        self.second = Broker(self.directory / "second")
        self.second.directory.mkdir()
        self.second.format(2, self.cluster_id)
        self.second.first_start(
            "process.roles=broker",
            "node.id=2",
            f"controller.quorum.voters=1@127.0.0.1:{self.port + 1}",
            f"listeners=PLAINTEXT://127.0.0.1:{self.second.port}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.second.port}",
        )

    def stop(self) -> None:
        self.second.stop()
        super().stop()

    def topic_of_second(self) -> str:
        """A compacted topic whose leader is the second broker, while that is there."""
        return self._topic_at([2, 1])

    def topic_of_both(self) -> str:
        """A compacted topic of two partitions, one at each broker and nowhere else."""
        return self._topic_at([1], [2])

    def _topic_at(self, *replicas: list[int]) -> str:
        name = self.new_name()
        config = {"cleanup.policy": "compact"}
        n = len(replicas)
        self._create(NewTopic(name, n, replica_assignment=list(replicas), config=config), n)
        return name


class ThreeBrokers(Kafka):
    """A cluster of three. The first is also its controller, clients reach the third through
    .proxy, and either of the two others may go."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.second, self.third = (self._another(name) for name in ("second", "third"))
        self.proxy = Proxy(self.third.port)

    def _another(self, name: str) -> Broker:
        (self.directory / name).mkdir()
        return Broker(self.directory / name)

    def first_start(self, *properties: str) -> None:
        super().first_start(*properties)
        self._start_other(2, self.second, f"127.0.0.1:{self.second.port}")
        self._start_other(3, self.third, f"127.0.0.1:{self.proxy.port}")

    def _start_other(self, node: int, broker: Broker, advertised: str) -> None:
        broker.format(node, self.cluster_id)
        broker.first_start(
            "process.roles=broker",
            f"node.id={node}",
            f"controller.quorum.voters=1@127.0.0.1:{self.port + 1}",
            f"listeners=PLAINTEXT://127.0.0.1:{broker.port}",
            f"advertised.listeners=PLAINTEXT://{advertised}",
        )

    def advertise_third(self, address: str) -> None:
        """From a restart on."""
        self.third.stop()
        said = self.third.directory / "server.properties"
        line = f"advertised.listeners=PLAINTEXT://{address}"
        said.write_text(re.sub(r"(?m)^advertised\.listeners=.*", line, said.read_text()))
        self.third.start()
        self.connect()  # the administrator may have taken the third, as it was, for the controller

    def stop(self) -> None:
        for broker in (self.third, self.second):
            broker.stop()
        super().stop()
        self.proxy.stop()

    def topic_of_all(self) -> str:
        """A compacted topic of three partitions, one at each broker and nowhere else."""
        name = self.new_name()
        where = [[1], [2], [3]]
        config = {"cleanup.policy": "compact"}
        self._create(NewTopic(name, 3, replica_assignment=where, config=config), 3)
        return name

    def topic_of_two(self) -> str:
        """A compacted topic of two partitions: the second broker leads the first one, and the other
        one, too, when the third is away."""
        name = self.new_name()
        config = {"cleanup.policy": "compact"}
        self._create(NewTopic(name, 2, replica_assignment=[[2, 1], [3, 2]], config=config), 2)
        return name

    def unclean_topic(self) -> str:
        """A compacted topic of one partition at the second and the third broker, of which either
        may lead it, whatever it lacks."""
        name = self.new_name()
        config = {"cleanup.policy": "compact", "unclean.leader.election.enable": "true"}
        self._create(NewTopic(name, 1, replica_assignment=[[2, 3]], config=config), 1)
        return name

    def in_sync(self, topic: str) -> int:
        """Brokers that have all of its first partition."""
        return len(self._topics()[topic].partitions[0].isrs)


def numbered(count: int, keys: int, size: int = 0, start: int = 0) -> Iterable[Record]:
    """count records with the values 0, 1, 2 ... filled up to size bytes, over so many keys."""
    for n in range(start, start + count):
        yield Record(b"k%d" % (n % keys), (b"%d " % n).ljust(size, b".") if size else b"%d" % n)

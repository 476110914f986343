"""Things go wrong under many clients and traffic, and afterwards nothing is lost, nothing was said
twice, and nothing is left behind."""

import itertools
import json
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drill import LESS, Drill, Traffic
from helpers import Process, answers
from kafka import Kafka
from lighttpd import make_certificates
from pool import Front, HeldResponder
from responder import Responder
from sse import HttpReader
from table import Change, Table
from tokens import RENEWAL, SCOPE, Jwks, bearer, ec_key, exp, in_url

POOL_LINKS = 7  # listening: for the front, renewals and handles; with the peer a connection each way for either
KEY = ("--event-id", "key")  # as lighttpd's own pool has it


@pytest.fixture
def drill(kafka: Kafka, tmp_path: Path) -> Iterator[Callable[..., Drill]]:
    """drill(topic, streams): a pool of two behind lighttpd, to be started, and their clients."""
    prepared = []
    make_certificates()

    def prepare(
        topic: str | None, streams: int = 200, *options: str, size: int = 0, kind=Responder, table=Table
    ) -> Drill:
        pool = [kind(kafka.brokers, topic, tmp_path, *(options or KEY)) for _ in range(2)]
        front = Front(kafka.brokers, topic or "", tmp_path, pool)
        tables = [table(front.http) for _ in range(streams // LESS)]
        prepared.append(Drill(Traffic(kafka, topic, len(tables), size), pool, front, tables))
        return prepared[-1]

    yield prepare
    if not answers(("127.0.0.1", kafka.port)):
        kafka.start()
    for drill in prepared:
        drill.traffic.end()
        for server in (*drill.pool, drill.front):
            if server in Process.running:
                server.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_1_and_2_the_broker_goes_and_comes(drill, kafka, topic, note, how):
    drill = drill(topic)
    drill.traffic.write(200)
    drill.open()
    drill.fault(getattr(kafka, how), kafka.start)
    note(how, drill.settle())


def test_3_the_broker_is_absent_at_the_start(drill, kafka, topic, note):
    drill = drill(topic)
    drill.traffic.write(200)
    kafka.stop()
    drill.open(to_nothing=True)
    drill.fault(kafka.start)
    note("absent", drill.settle())


def test_4_the_topic_is_late(drill, kafka, note):
    topic = kafka.new_name()
    drill = drill(topic)
    drill.open(to_nothing=True)
    drill.fault(lambda: kafka.topic(name=topic))
    note("late", drill.settle())


def test_5_the_topic_is_made_again(drill, kafka, topic, note):
    """PROTOCOL 3.13."""
    drill = drill(topic)
    drill.traffic.write(500)  # the new one does not get that long before it is noticed
    drill.open()
    traffic = drill.traffic
    drill.fault(
        traffic.end,
        lambda: kafka.delete_topic(topic),
        lambda: kafka.topic(name=topic),
        traffic.begin_anew,
    )
    note("made again", drill.settle(resets=1))


def test_6_partitions_are_added(drill, kafka, topic, note):
    drill = drill(topic)
    drill.traffic.write(200)
    drill.open()
    drill.fault(lambda: kafka.add_partitions(topic, 4))
    drill.traffic.partitions = 4
    drill.flow()
    note("added", drill.settle())


def test_7_a_responder_is_killed_under_a_thousand_streams(drill, topic, note):
    drill = drill(topic, 1000)
    drill.traffic.write(200)
    drill.open()
    for responder in drill.pool:  # the second one under all of the streams
        drill.fault(lambda: responder.end(signal.SIGKILL))
        drill.fault(responder.start, lambda: drill.wait_until_asked(responder))
    note("killed", drill.settle())


@pytest.mark.parametrize("form", ["key", "progress"])
def test_7_the_whole_pool_is_killed(drill, topic, note, form):
    drill = drill(topic, 200, "--event-id", form)
    drill.traffic.write(200)
    drill.open()
    for responder in drill.pool:
        responder.end(signal.SIGKILL)
    for _ in range(2):  # the standby keeps all clients, and gives them nothing
        drill.wait_until_all_have_returned()
    # Each stream of the standby ends at once.
    drill.crowd.run(lambda: not any(table.started for table in drill.tables), what="no streams")
    drill.fault(*(responder.start for responder in drill.pool))
    note("killed", drill.settle())


@pytest.mark.parametrize("kind", [Responder, HeldResponder])
def test_8_the_pool_is_restarted_one_by_one(drill, topic, note, kind):
    """The sockets are the responders' own, or outlive them."""
    drill = drill(topic, 1000, *KEY, "--drain", "2", kind=kind)
    drill.traffic.write(200)
    drill.open()
    for responder in drill.pool:
        if kind is HeldResponder:
            drill.fault(responder.take_over)
        else:
            drill.fault(responder.stop, responder.start, lambda: drill.wait_until_asked(responder))
    note("restarted", drill.settle())


def test_9_lighttpd_is_restarted(drill, topic, note):
    drill = drill(topic, 1000)
    drill.traffic.write(200)
    drill.open()
    drill.fault(drill.front.restart)
    note("restarted", drill.settle())


def test_10_one_stream_in_ten_reads_a_kilobyte_a_second(drill, topic, note):
    drill = drill(topic, 50, size=8000)
    traffic, tables = drill.traffic, drill.tables
    traffic.write(50)
    drill.open()
    slow, fast = tables[::10], [table for n, table in enumerate(tables) if n % 10]
    for table in slow:
        drill.crowd.slow_down(table, 1000)
    drill.crowd.meanwhile(traffic.end)
    late = []
    for _ in range(20):  # together more than all buffers on their way hold
        drill.crowd.meanwhile(lambda: traffic.write(100))
        late.append(drill.crowd.run(lambda: all(table.rows == traffic.rows for table in fast)))
    note("the others had 0.8 MB after s", [round(seconds, 2) for seconds in late])
    assert not any(table.rows == traffic.rows for table in slow)
    drill.crowd.let_go(slow)
    note("slow", drill.settle())
    got = [max(table.events for table in tables) for tables in (slow, fast)]
    note("events that they got, and the others", got)
    assert got[0] < got[1]


class Subject(Table):
    """Has a token in its URL and answers a challenge with the next one."""

    LIFETIME_S, CHALLENGE_S = 20, 15

    def __init__(self, address: tuple[str, int]):
        super().__init__(address)
        self.name = f"subject {id(self)}"
        self.renewals: list[HttpReader] = []
        self.watch: Callable[[HttpReader], None] = lambda request: None

    def open(self) -> bool:
        self.token = ec_key().mint(self.LIFETIME_S, sub=self.name)
        self.target = in_url(self.token)
        return super().open()

    def on_change(self, change: Change) -> None:
        if change.event != "challenge":
            super().on_change(change)
            return
        headers = {"Content-Type": RENEWAL} | bearer(ec_key().mint(100, sub=self.name))
        self.renewals.append(HttpReader(self.address, self.target, headers, "POST"))
        self.watch(self.renewals[-1])


def test_11_a_thousand_renewals_over_a_pool_of_two(drill, topic, note, tmp_path):
    """test_renewal.py looks at the times; here it is about what the clients see of the topic."""
    peers = tmp_path / "peers"
    peers.mkdir(mode=0o700)
    keys = Jwks(tmp_path / "jwks.json", ec_key())
    options = keys.options("--peer-dir", str(peers), "--challenge", str(Subject.CHALLENGE_S))
    drill = drill(topic, 1000, *KEY, *options, table=Subject)
    drill.links = POOL_LINKS
    drill.traffic.write(200)
    for table in drill.tables:
        table.watch = drill.crowd.watch
    drill.open()
    drill.crowd.run(lambda: all(table.renewals for table in drill.tables))
    over = max(exp(table.token) for table in drill.tables) + 1
    drill.crowd.run(lambda: time.monotonic() > over)
    answers = Counter(answer.status for table in drill.tables for answer in table.renewals)
    note("renewals", dict(answers))
    assert answers.keys() == {204}
    assert all(table.streams == 2 for table in drill.tables), "the two visits"
    note("renewed", drill.settle())


OLD_ROUTES = [("/events",), ("/events/old",), ("/events/of/{customer}",), ("/events/rest/{symbol*}",)]
NEW_ROUTES = [("/events/new",), ("/events/of/{who}", "raw:read"), ("/events/rest/{all*}",), ("/events",)]


class RoutedSubject(Subject):
    """At one of the paths that are there before and after."""

    paths = itertools.cycle(["/events", "/events/of/a%2Fb", "/events/rest/c/d"])
    lifetimes = itertools.cycle([17, 20, 24, 29, 35])

    def __init__(self, address: tuple[str, int]):
        super().__init__(address)
        self.path = next(self.paths)
        self.scope = f"{SCOPE} raw:read"

    def open(self) -> bool:
        self.token = ec_key().mint(next(self.lifetimes), sub=self.name, scope=self.scope)
        self.target = f"{self.path}?access_token={self.token}"
        return Table.open(self)

    def on_change(self, change: Change) -> None:
        if change.event != "challenge":
            Table.on_change(self, change)
            return
        fresh = ec_key().mint(next(self.lifetimes), sub=self.name, scope=self.scope)
        headers = {"Content-Type": RENEWAL} | bearer(fresh)
        self.renewals.append(HttpReader(self.address, self.target, headers, "POST"))
        self.watch(self.renewals[-1])


def test_12_routes_change_one_responder_after_the_other_while_tokens_are_renewed(
    drill, topic, note, tmp_path
):
    """PROTOCOL 9.10. Nobody loses an event, no renewal is refused, and nobody is sent away."""
    peers = tmp_path / "peers"
    peers.mkdir(mode=0o700)
    file = tmp_path / "routes.json"

    def write(routes: list[tuple[str, ...]]) -> None:
        said = [{"path": path, "topic": topic, "scopes": scopes} for path, *scopes in routes]
        file.write_text(json.dumps({"topics": {topic: {}}, "routes": said}))

    write(OLD_ROUTES)
    options = ["--config", str(file), "--peer-dir", str(peers), "--challenge", "15", "--drain", "2"]
    keys = Jwks(tmp_path / "jwks.json", ec_key())
    drill = drill(None, 300, *KEY, *keys.options(*options), kind=HeldResponder, table=RoutedSubject)
    drill.traffic.topic = topic
    drill.links = POOL_LINKS
    drill.traffic.write(200)
    for table in drill.tables:
        table.watch = drill.crowd.watch
    drill.open()

    def renewed() -> int:
        return sum(len(table.renewals) for table in drill.tables)

    def status(path: str) -> int:
        token = ec_key().mint(60, scope=f"{SCOPE} raw:read")
        answer = HttpReader(drill.front.http, path, bearer(token), "HEAD").wait_head()
        answer.close()
        return answer.status

    assert (status("/events/old"), status("/events/new")) == (200, 404)
    write(NEW_ROUTES)
    for responder in drill.pool:
        before = renewed()
        drill.crowd.run(lambda: renewed() > before + len(drill.tables) // 4, what="renewals")
        drill.fault(responder.take_over)
    before = renewed()
    drill.crowd.run(lambda: renewed() > before + len(drill.tables) // 2, what="renewals")
    assert (status("/events/old"), status("/events/new")) == (404, 200)
    answers = Counter(answer.status for table in drill.tables for answer in table.renewals)
    note("renewals", dict(answers))
    assert answers.keys() - {0} == {204}  # 0: none yet
    assert all(table.streams <= 2 + 2 for table in drill.tables), "two visits, two restarts"
    note("routes changed", drill.settle())


def as_many_as_possible(streams: int) -> int:
    """lighttpd needs two descriptors for each."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(streams, (most - 1000) // 2)


def test_13_five_thousand_clients_return_at_once(drill, topic, note):
    drill = drill(topic, as_many_as_possible(5000), kind=HeldResponder)
    drill.traffic.write(200)
    drill.open()
    drill.crowd.close()
    drill.crowd.open()
    note("all have come after s", round(drill.wait_until_all_have_returned(), 2))
    note("all open again after s", round(drill.crowd.run(drill.all_started), 2))
    drill.flow()
    for responder in drill.pool:
        responder.end(signal.SIGKILL)
    for responder in drill.pool:
        responder.start()
    note("and after a crash", round(drill.wait_until_all_have_returned(), 2))
    note("all open again after s", round(drill.crowd.run(drill.all_started), 2))
    note("returned", drill.settle())

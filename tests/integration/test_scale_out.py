"""Two hosts, each with a lighttpd and pools of its own, behind fcgi/examples/balancer.cfg."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from browser import Page, chromium
from clients import CurlReader, SseCat
from helpers import REPOSITORY, Process, answers, free_port, wait_until
from kafka import Kafka, Record
from lighttpd import SEARCH_PATH, Lighttpd, make_certificates, replaced
from sse import HttpReader
from tokens import CHALLENGE, RENEWAL, SCOPE, bearer, in_url, key_of_file

EXAMPLE = (REPOSITORY / "fcgi" / "examples" / "balancer.cfg").read_text()

# The worst that a balancer can do to a renewal: always to the other host.
RENEWALS_ELSEWHERE = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-no-delay
frontend web
    bind :443 ssl crt {certificate} alpn h2
    use_backend second if METH_POST
    default_backend first
backend first
    server host-1 192.0.2.1:443 ssl verify none
backend second
    server host-2 192.0.2.2:443 ssl verify none
"""


class Balancer(Process):
    """HAProxy before one port of each host."""

    def __init__(self, config: str, ports: list[int], directory: Path):
        super().__init__("haproxy", directory)
        self.address = ("127.0.0.1", free_port())
        self.url = f"https://localhost:{self.address[1]}"
        config = replaced(config, r"bind :443", f"bind 127.0.0.1:{self.address[1]}")
        for number, port in enumerate(ports, 1):
            config = replaced(config, rf"192\.0\.2\.{number}:443", f"127.0.0.1:{port}")
        self.config = directory / "haproxy.cfg"
        self.config.write_text(config)

    def start(self) -> "Balancer":
        self.spawn([shutil.which("haproxy", path=SEARCH_PATH), "-db", "-f", self.config])
        self.wait_until_up(lambda: answers(self.address))
        return self


@pytest.fixture
def two_hosts(kafka: Kafka, tmp_path: Path) -> Iterator[Callable[[str], list[Lighttpd]]]:
    hosts = []
    make_certificates()

    def make(topic: str) -> list[Lighttpd]:
        hosts.extend(Lighttpd(kafka.brokers, topic, tmp_path / name, []) for name in ("1", "2"))
        return hosts

    yield make
    for host in hosts:
        if host in Process.running:
            host.stop()


@pytest.fixture
def hosts(topic: str, two_hosts: Callable) -> list[Lighttpd]:
    return [host.start() for host in two_hosts(topic)]


def streams_of(host: Lighttpd) -> int:
    return host.all_logs().count('"GET /events HTTP')


def mint(ttl: float) -> str:
    key = key_of_file(REPOSITORY / "certs" / "private.pem", "example", "RS256")
    return key.mint(ttl, scope=SCOPE)


def renew(url: str, token: str, selector: str) -> int:
    headers = ["-H", f"Authorization: {bearer(token)['Authorization']}"]
    headers += ["-H", f"Content-Type: {RENEWAL}"]
    answer = CurlReader(url + in_url(selector), "-d", "", *headers)
    answer.wait(lambda: answer.closed)
    return answer.status


# Streams: no stickiness


def test_a_client_gets_everything_once_whichever_host_each_connection_meets(
    kafka, two_hosts, tmp_path
):
    topic = kafka.log_topic(partitions=3)
    hosts = [host.start() for host in two_hosts(topic)]
    balancer = Balancer(EXAMPLE, [host.http[1] for host in hosts], tmp_path).start()
    got, headers = [], {}
    for turn in range(10):
        numbers = range(turn * 30, turn * 30 + 30)
        kafka.produce(topic, *(Record(None, b"%d" % n, partition=n % 3) for n in numbers))
        stream = HttpReader(balancer.address, headers=headers)
        got += stream.take(20 if turn < 9 else 300 - len(got))
        headers = {"Last-Event-ID": got[-1].id}
        stream.close()
    numbers = [int(event.text) for event in got]
    for partition in range(3):
        mine = [n for n in numbers if n % 3 == partition]
        assert mine == list(range(partition, 300, 3)), "in order, each once"
    wait_until(lambda: sum(map(streams_of, hosts)) == 10)
    assert all(map(streams_of, hosts)), "it was at both"


def test_a_host_may_be_taken_away_and_come_back(kafka, topic, hosts, tmp_path):
    balancer = Balancer(EXAMPLE, [host.http[1] for host in hosts], tmp_path).start()
    kafka.put(topic, "a", "there")
    client = SseCat(f"http://127.0.0.1:{balancer.address[1]}/events", tmp_path)
    expected = ["there"]
    wait_until(lambda: client.lines() == expected)
    for host in hosts:
        host.stop()
        for n in range(3):
            kafka.put(topic, f"{host.directory.name}-{n}", f"without {host.directory.name}: {n}")
            expected.append(f"without {host.directory.name}: {n}")
        wait_until(lambda: client.lines() == expected, timeout=100, what="it went on at the other")
        host.start()
    client.end()


# Renewals: by address, or nothing at all


def test_where_the_balancer_goes_by_address_a_renewal_reaches_its_stream(
    kafka, topic, hosts, tmp_path
):
    config = replaced(EXAMPLE, "balance leastconn", "balance source")
    balancer = Balancer(config, [host.guarded[1] for host in hosts], tmp_path).start()
    first = mint(11.5)
    streams = [CurlReader(balancer.url + in_url(first), "--http1.1") for _ in range(3)]
    for stream in streams:
        assert stream.next().raw == CHALLENGE
    assert renew(balancer.url, mint(12.5), first) == 204
    for stream in streams:
        assert stream.next().raw == CHALLENGE, "the next one, and not the end"
        stream.close()


def test_a_renewal_at_another_host_costs_a_new_stream_and_no_event(kafka, topic, hosts):
    here, there = (host.guarded_url for host in hosts)
    kafka.put(topic, "a", "1")
    first = mint(11.5)
    stream = CurlReader(here + in_url(first))
    # On a busy machine either may be the first.
    one, challenge = sorted(stream.take(2), key=lambda event: event.raw == CHALLENGE)
    assert (one.text, challenge.raw) == ("1", CHALLENGE)
    assert renew(there, mint(60), first) == 204, "the token is good; nobody asked for the stream"
    kafka.put(topic, "b", "2")
    last = stream.next()
    stream.wait(lambda: stream.closed)
    assert stream.ended and len(stream.events) == 3
    for key, value in (("c", "3"), ("a", "4")):
        kafka.put(topic, key, value)
    again = CurlReader(f"{there}{in_url(mint(60))}&lastEventId={quote(last.id)}")
    assert [event.text for event in again.take(2)] == ["3", "4"]
    again.close()


@pytest.fixture
def driver(tmp_path):
    driver = chromium(tmp_path)
    yield driver
    driver.quit()


def test_the_page_opens_a_new_stream_where_its_renewals_go_elsewhere(
    kafka, topic, two_hosts, driver, tmp_path
):
    hosts = two_hosts(topic)
    for host in hosts:
        host.add_demo_key(lifetime_s=14)
    for name in ("demo-key.json", "demo-jwks.json"):
        shutil.copy(hosts[0].run / name, hosts[1].run)
    for host in hosts:
        host.start()
    config = RENEWALS_ELSEWHERE.format(certificate=REPOSITORY / "certs" / "localhost.pem")
    balancer = Balancer(config, [host.guarded[1] for host in hosts], tmp_path).start()
    kafka.put(topic, "a", "1")
    page = Page(driver, f"{balancer.url}/index.html")
    page.go()
    page.wait_messages("1")

    def said(word: str) -> int:
        return sum(f'"{word}"' in line for line in page.console())

    wait_until(lambda: said("reauthorize"), timeout=100, what="it has answered the challenge")
    assert any("token renewed" in line for line in page.console())
    kafka.put(topic, "b", "2")
    page.wait_messages("2", "1")
    wait_until(lambda: said("error"), timeout=100, what="the first token's end")
    kafka.put(topic, "c", "3")
    page.wait_messages("3", "2", "1")
    assert [text for _, text in page.messages()] == ["3", "2", "1"], "nothing twice"
    assert said("open") == 2

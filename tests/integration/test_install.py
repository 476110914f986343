"""The Debian package on a host of its own: installed, started, used, upgraded, purged. Its units
run under the systemd that would run them, so with everything that they forbid."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients import CurlReader
from drill import LESS, Traffic
from helpers import PROGRAM, REPOSITORY, Process, answers, free_port, wait_until
from host import UNIT, Host, InstalledResponder
from kafka import Kafka
from lighttpd import CA, make_certificates, replaced
from table import Crowd, Table
from test_fetch_keys import Issuer
from test_renewal import sockets
from tokens import CHALLENGE, Jwks, bearer, ec_key, renew, rsa_key

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="boots a Debian, which only root can")

CONFIG = f"/etc/{UNIT}/config.json"
POOL = (f"{UNIT}@1", f"{UNIT}@2")
STANDBY = f"{UNIT}-standby"
STANDBY_RETRY_MS = 10_000  # it says that or more
TAKE_OVER_S = 5  # a responder that was told to start serves, on a busy machine


def said_by_readme() -> list[list[str]]:
    """The commands of its section "Install": how to build the package, and how to install it."""
    readme = (REPOSITORY / "README.md").read_text()
    section = re.search(r"^### Install\n(.*?)^###? ", readme, re.M | re.S)[1]
    blocks = re.findall(r"^```bash\n(.*?)^```", section, re.M | re.S)
    return [block.splitlines() for block in blocks]


BUILD, (INSTALL, EDIT, START) = said_by_readme()
assert EDIT == f"editor {CONFIG}"


def build_package(sources: Path) -> Path:
    """With README's commands; of the same time, wherever it is."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    for command in BUILD:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(["bash", "-c", command], cwd=sources, env=environment, **streams)
        assert done.returncode == 0, done.stdout[-3000:]
    return sources / "build" / "deb" / INSTALL.rpartition("/")[2]


@pytest.fixture(scope="module")
def package() -> Path:
    return build_package(REPOSITORY)


class TlsKafka(Kafka):
    """It has TLS at .tls, too, with the certificate of certs/make."""

    def first_start(self, *properties: str) -> None:
        self.tls = f"localhost:{free_port()}"
        at = f"PLAINTEXT://{self.brokers},SSL://{self.tls}"
        all_at = f"{at},CONTROLLER://localhost:{self.port + 1}"
        super().first_start(
            f"listeners={all_at.replace('localhost', '127.0.0.1')}",
            f"advertised.listeners={at}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={REPOSITORY / 'certs' / 'localhost.pem'}",
            *properties,
        )


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsKafka]:
    make_certificates()
    server = TlsKafka(tmp_path_factory.mktemp("kafka"))
    server.first_start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """With a lighttpd that serves something else already."""
    host = Host(tmp_path_factory.mktemp("host"))
    # systemd-sysv: without /sbin/init invoke-rc.d does nothing, and logrotate reopens no log.
    host.install_debian("systemd", "systemd-sysv", "lighttpd", "lighttpd-mod-openssl", "lighttpd-mod-deflate", "logrotate", "curl", "ca-certificates")
    config = host.root / "etc" / "lighttpd" / "lighttpd.conf"
    config.write_text(replaced(config.read_text(), r"(server.port\s*=) 80\b", rf"\1 {free_port()}"))
    host.boot()
    yield host
    host.shut_down()


@pytest.fixture(autouse=True)
def log_shown_on_failure(request: pytest.FixtureRequest) -> None:
    if "machine" in request.fixturenames:
        Process.of_this_test.append(request.getfixturevalue("machine"))


def install(host: Host, package: Path) -> None:
    (host.root / "root" / INSTALL.rpartition("/")[2]).write_bytes(package.read_bytes())
    host.run("bash", "-c", f"cd /root && {INSTALL} -q=2 --no-install-recommends")


@pytest.fixture(scope="module")
def installed(machine: Host, package: Path) -> Host:
    install(machine, package)
    return machine


def configure(host: Host, path: str, **members: object) -> None:
    """As an editor does: owner and mode stay; a new file gets those of the package's."""
    file = host.root / path.lstrip("/")
    if not file.exists():
        host.run("cp", "--archive", CONFIG, path)
    file.write_text(json.dumps(members))


@pytest.fixture(scope="module")
def story(installed: Host, kafka: TlsKafka) -> "Story":
    return Story(installed, kafka)


class Story:
    """An administrator's next steps, up to events that a browser gets."""

    def __init__(self, host: Host, kafka: TlsKafka):
        self.host = host
        self.kafka = kafka
        self.topic = kafka.topic()
        self.https, self.http, self.admin = free_port(), free_port(), free_port()
        self.url = f"https://localhost:{self.https}"
        (host.root / "etc" / "kafka-ca.crt").write_bytes(CA.read_bytes())
        self.config = {
            "brokers": kafka.tls,
            "topic": self.topic,
            "drain": 1,
            "kafka": {"security.protocol": "ssl", "ssl.ca.location": "/etc/kafka-ca.crt"},
        }
        configure(host, CONFIG, **self.config)
        self._be_strict()
        host.run("bash", "-c", START)
        self._configure_front()
        self.first, self.second = (InstalledResponder(host, name) for name in "12")

    def _be_strict(self) -> None:
        """Whoever does what the filters forbid dies of it, instead of being refused."""
        for unit in (f"{UNIT}@.service", f"{UNIT}-jwks@.service", f"{UNIT}-standby.service"):
            self.override(unit, "SystemCallErrorNumber=kill")

    def override(self, unit: str, line: str) -> None:
        """systemctl edit --runtime, without an editor."""
        directory = self.host.path(f"/run/systemd/system/{unit}.d")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{line.partition('=')[0]}.conf").write_text(f"[Service]\n{line}\n")
        self.host.run("systemctl", "daemon-reload")

    def _configure_front(self) -> None:
        """By the example, with the certificate and the ports of this test, one of them without TLS."""
        examples = self.host.root / "usr" / "share" / "doc" / UNIT / "examples"
        text = (examples / "lighttpd-external.conf").read_text()
        text = replaced(text, r":443\b", f":{self.https}")
        text = replaced(text, rf'=~ ":{self.https}\$"', f'=~ ":({self.https}|{self.http})$"')
        text += f'$SERVER["socket"] == "127.0.0.1:{self.http}" {{ }}\n'
        text = replaced(text, r":9464\b", f":{self.admin}")
        text = replaced(text, r'(ssl.pemfile = )"[^"]*"', r'\1"/etc/lighttpd/localhost.pem"')
        text = replaced(text, r'ssl.privkey = "[^"]*"', "")
        etc = self.host.root / "etc" / "lighttpd"
        (etc / "localhost.pem").write_bytes((CA.parent / "localhost.pem").read_bytes())
        (etc / "conf-available" / f"50-{UNIT}.conf").write_text(text)
        self.host.run("lighttpd-enable-mod", UNIT)
        self.host.run("systemctl", "restart", "lighttpd")
        wait_until(lambda: answers(("127.0.0.1", self.https)), what="lighttpd")

    def reconfigure(self, edit: tuple[str, str]) -> None:
        """By self.config, and with that in the web server's file."""
        configure(self.host, CONFIG, **self.config)
        for unit in POOL:
            self.host.run("systemctl", "restart", unit)
        file = self.host.root / "etc" / "lighttpd" / "conf-available" / f"50-{UNIT}.conf"
        file.write_text(replaced(file.read_text(), re.escape(edit[0]), edit[1]))
        self.host.run("systemctl", "restart", "lighttpd")
        wait_until(lambda: answers(("127.0.0.1", self.https)), what="lighttpd")

    def open(self, *options: str) -> CurlReader:
        return CurlReader(f"{self.url}/events", *options).wait_started()

    def come_back(self, *options: str) -> CurlReader:
        """As clients do until they are served; the standby says 503 to curl, and each process of
        lighttpd finds out by itself that the pool is there again."""

        def served() -> CurlReader | None:
            stream = CurlReader(f"{self.url}/events", *options).wait_head()
            if stream.status == 200:
                return stream.wait_started()
            stream.close()
            return None

        return wait_until(served, what="a stream")

    def is_ready(self) -> bool:
        return curl(f"http://127.0.0.1:{self.admin}/health/ready") is not None


def curl(*arguments: str) -> str | None:
    """What it prints, or nothing after an error."""
    command = ["curl", "-sf", "--cacert", CA, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


# The package


def test_lintian_finds_nothing_that_is_not_explained(package):
    command = ["lintian", "--allow-root", "--pedantic", "--display-experimental", "--fail-on=none"]
    command += ["--profile=debian", package]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    lines = (REPOSITORY / "fcgi" / "debian" / "lintian-overrides").read_text().splitlines()
    for before, line in zip([""] + lines, lines):
        assert line.startswith("#") or before.startswith("#"), f"not explained: {line}"


def test_the_changelog_begins_with_this_version(package):
    said = subprocess.run(["dpkg-deb", "-f", package, "Version"], capture_output=True, text=True)
    changelog = (REPOSITORY / "fcgi" / "debian" / "changelog").read_text()
    assert re.match(r"sse-kafka-fanout \((.*)\)", changelog)[1] == said.stdout.strip()


def test_the_same_sources_make_the_same_package_wherever_they_are(package, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(REPOSITORY, elsewhere, symlinks=True, ignore=shutil.ignore_patterns("build", ".git"))
    assert build_package(elsewhere).read_bytes() == package.read_bytes()


def test_cmake_installs_elsewhere_and_keeps_a_configuration(tmp_path):
    def install() -> None:
        command = ["cmake", "--install", PROGRAM.parent]
        environment = os.environ | {"DESTDIR": str(tmp_path)}
        subprocess.run(command, env=environment, check=True, capture_output=True)

    install()
    local = tmp_path / "usr" / "local"
    config = local / "etc" / UNIT / "config.json"
    config.write_text("mine")
    install()
    assert config.read_text() == "mine" and config.stat().st_mode & 0o777 == 0o640
    unit = (local / "lib" / "systemd" / "system" / f"{UNIT}@.service").read_text()
    assert f"ExecStart=/usr/local/sbin/{UNIT} " in unit
    assert f"SKF_CONFIG=/usr/local/etc/{UNIT}/config.json\n" in unit
    assert os.access(local / "sbin" / UNIT, os.X_OK)


def test_installing_it_starts_nothing(installed):
    assert installed.units() == []
    links = installed.run("find", "/etc/systemd/system", "-name", f"{UNIT}*")
    assert links == ""


def test_it_has_a_user_of_its_own_who_cannot_log_in(installed):
    user = installed.run("getent", "passwd", UNIT).split(":")
    assert user[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    assert installed.run("id", "--name", "--groups", UNIT) == UNIT


def test_only_its_user_can_read_the_configuration(installed):
    what = installed.run("stat", "--format=%A %U %G", CONFIG)
    assert what == f"-rw-r----- root {UNIT}"
    assert json.loads((installed.root / CONFIG.lstrip("/")).read_text())["topic"] == "events"


def test_systemd_has_nothing_against_the_units(installed):
    units = [f"{UNIT}@1.socket", f"{UNIT}@1.service", f"{STANDBY}.socket", f"{STANDBY}.service"]
    units += [f"{UNIT}-jwks@shop.{kind}" for kind in ("timer", "path", "service")]
    assert installed.run("systemd-analyze", "verify", "--man=no", *units) == ""


@pytest.mark.parametrize("unit", [f"{UNIT}@1.service", f"{STANDBY}.service", f"{UNIT}-jwks@1.service"])
def test_the_exposure_is_what_the_readme_says(installed, unit):
    said = installed.run("systemd-analyze", "security", "--no-pager", "--offline=yes", unit)
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1]
    name = unit.replace("@1", "@").removesuffix(".service")
    assert f"`{name}` {level}" in (REPOSITORY / "README.md").read_text()


# At work


def test_a_record_comes_through(story):
    wait_until(story.is_ready, what="readiness")
    stream = story.open("--http2")
    story.kafka.kcat(story.topic, "1", "Hello, world")
    assert stream.next().text == "Hello, world"
    assert stream.http == "HTTP/2"
    stream.close()
    assert "app.js" in curl(f"{story.url}/")


def test_routes_are_added_by_the_configuration_and_a_line_of_the_web_server(story):
    """One responder after the other; and back."""
    before = dict(story.config)
    del story.config["topic"]
    story.config |= {"topics": {story.topic: {}}, "routes": []}
    for path in ("/events", "/raw/{topic}"):
        story.config["routes"].append({"path": path, "topic": story.topic})
    story.reconfigure(('paths = "events"', 'paths = "events|raw"'))
    stream = CurlReader(f"{story.url}/raw/x%2Fy").wait_started()
    story.kafka.put(story.topic, "route", "by a route")
    stream.take_until(b"by a route")
    stream.close()
    log = (story.host.root / "var" / "log" / "lighttpd" / f"{UNIT}.log").read_text()
    assert "GET" in log and "x%2Fy" not in log and "x/y" not in log
    story.config = before
    story.reconfigure(("events|raw", "events"))
    wait_until(story.is_ready, what="readiness")


def test_debians_own_logrotate_lets_lighttpd_open_its_logs_anew(story):
    log = story.host.root / "var" / "log" / "lighttpd" / f"{UNIT}.log"

    def is_written() -> bool:
        curl(f"{story.url}/")
        return log.exists() and "GET" in log.read_text()

    wait_until(is_written, what="the log")
    for _ in range(2):
        story.host.run("logrotate", "--force", "/etc/logrotate.conf")
        wait_until(is_written, what="the new log")


@pytest.mark.parametrize("unit", [*POOL, STANDBY])
def test_the_process_can_do_nothing_else(story, unit):
    pid = story.host.main_pid(unit)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert {int(status[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["Uid"].split()[0] == story.host.run("id", "--user", UNIT)
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    into = ["nsenter", "--target", str(pid), "--mount"]
    into += ["--setuid", status["Uid"].split()[0], "--setgid", status["Gid"].split()[0]]
    find = ["find", "/", "-path", "/proc", "-prune", "-o", "-type", "d", "-writable", "-print"]
    writable = subprocess.run(into + find, capture_output=True, text=True).stdout.split()
    own = {f"/run/{UNIT}/peers"} if unit != STANDBY else set()
    assert set(writable) == {"/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"} | own
    seen = {path.name for path in Path(f"/proc/{pid}/root/var").iterdir()}
    assert seen <= {"lib", "tmp"}


def test_a_restart_drains_and_newcomers_wait_for_the_successor(story):
    story.kafka.put(story.topic, "restart", "before")
    stream = story.first.open()
    stream.take_until(b"before")
    before = story.first.pid
    story.host.run("systemctl", "restart", "--no-block", story.first.unit)
    stream.wait_end()
    newcomer = story.first.open(last_event_id=stream.events[-1].id)
    story.kafka.put(story.topic, "restart", "after")
    assert newcomer.next().text == "after"
    assert story.first.pid != before


def test_a_responder_that_dies_is_started_again(story):
    before = story.second.pid
    os.kill(before, 9)
    wait_until(lambda: story.host.is_active(story.second.unit), what="it is away")
    assert story.second.open().status == 200
    assert story.second.pid != before


def test_a_restart_returns_when_the_successor_is_ready(story):
    story.host.run("systemctl", "restart", story.first.unit)
    assert story.host.show(story.first.unit, "StatusText") == "ready"


def test_what_it_lacks_is_its_status(story):
    """And nobody is told that it has started, as long as it may still become ready."""
    host, unit = story.host, f"{UNIT}@away"
    configure(host, f"/etc/{UNIT}/away.json", **story.config | {"brokers": "localhost:1"})
    story.override(f"{unit}.service", f"Environment=SKF_CONFIG=/etc/{UNIT}/away.json")
    host.run("systemctl", "start", "--no-block", unit)
    wait_until(lambda: "kafka_away" in host.show(unit, "StatusText"), what="its status")
    assert host.show(unit, "ActiveState") == "activating"
    host.run("systemctl", "stop", f"{unit}.socket", f"{unit}.service")


def test_a_loop_that_hangs_is_ended_and_started_again(story):
    story.override(f"{story.second.unit}.service", "WatchdogSec=1")
    story.host.run("systemctl", "restart", story.second.unit)
    before = story.host.show(story.second.unit, "MainPID")
    os.kill(story.second.pid, signal.SIGSTOP)
    wait_until(
        lambda: story.host.show(story.second.unit, "MainPID") not in ("0", before)
        and story.host.is_active(story.second.unit),
        timeout=30,
        what="another one",
    )
    assert story.second.open().status == 200


@pytest.fixture
def guarded(story: Story, tmp_path: Path) -> Iterator[Callable]:
    """A second pool beside the first, as the comment in the unit has it, and the keys' file."""
    host = story.host
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    directory = host.root / "var" / "lib" / UNIT

    def publish(*published: object) -> None:
        keys.write(*published)
        (directory / "new").write_text(keys.path.read_text())
        os.replace(directory / "new", directory / "jwks.json")

    publish(rsa_key())
    options = {"issuer": "https://auth.example.com", "audience": "https://api.example.com"}
    guard = options | {"jwks": f"/var/lib/{UNIT}/jwks.json", "challenge": 3600}
    configure(host, f"/etc/{UNIT}/guarded.json", **story.config, **guard)
    pool = [InstalledResponder(host, f"guarded-{n}") for n in (1, 2)]
    for responder in pool:
        story.override(
            f"{responder.unit}.service", f"Environment=SKF_CONFIG=/etc/{UNIT}/guarded.json"
        )
    host.run("systemctl", "start", *(responder.unit for responder in pool))
    peers = host.path(f"/run/{UNIT}/peers")
    wait_until(lambda: len(sockets(peers)) == 2, what="the pool")
    for responder in pool:  # each looks round when it has something to tell
        assert renew(responder, rsa_key().mint(sub="nobody")) == 204
    yield pool, publish
    for responder in pool:
        host.run("systemctl", "stop", f"{responder.unit}.socket", f"{responder.unit}.service")


def test_a_renewal_reaches_the_peer(guarded):
    (first, second), _ = guarded
    stream = first.open(headers=bearer(rsa_key().mint()))

    def wait_for_challenge(nth: int) -> None:  # what is in the topic may come before it, or after
        stream.wait(lambda: sum(event.raw == CHALLENGE for event in stream.events) == nth)

    wait_for_challenge(1)  # at once, for the window is an hour
    assert renew(second, rsa_key().mint(ttl=120)) == 204
    wait_for_challenge(2)  # of the new one


def test_a_reload_reads_the_keys(guarded, story):
    (first, _), publish = guarded
    publish(ec_key())
    story.host.run("systemctl", "reload", first.unit)

    def status(token: str) -> int:
        return first.send(headers=bearer(token)).wait_head().status

    wait_until(lambda: status(ec_key().mint()) == 200, what="the new key")
    assert status(rsa_key().mint()) == 401


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    server = Issuer()
    yield server
    server.stop()


def test_keys_are_fetched_by_a_timer_and_when_a_token_names_an_unknown_one(story, issuer):
    host, unit = story.host, f"{UNIT}@fetched"
    environment = host.root / "etc" / UNIT / "jwks-shop.env"
    environment.write_text(f"URL={issuer.url}\nCURL_CA_BUNDLE=/etc/kafka-ca.crt\n")
    host.run("systemctl", "enable", "--now", f"{UNIT}-jwks@shop.timer")
    file = host.root / "var" / "lib" / UNIT / "jwks" / "shop.json"
    wait_until(file.exists, what=f"{file}, {issuer.asked}")
    options = {"issuer": "https://auth.example.com", "audience": "https://api.example.com"}
    options |= {"jwks": f"/var/lib/{UNIT}/jwks/shop.json"}
    configure(host, f"/etc/{UNIT}/fetched.json", **story.config, **options)
    story.override(f"{unit}.service", f"Environment=SKF_CONFIG=/etc/{UNIT}/fetched.json")
    host.run("systemctl", "start", unit)
    responder = InstalledResponder(host, "fetched")
    host.path(f"/run/{UNIT}/peers/keys-wanted").unlink(missing_ok=True)  # or the minute of a former test counts

    def status(token: str) -> int:
        return responder.send(headers=bearer(token)).wait_head().status

    assert status(rsa_key().mint()) == 200
    issuer.publish(rsa_key(), ec_key())
    wait_until(lambda: status(ec_key().mint()) == 200, timeout=30, what="the new key")
    issuer.answer = (500, {}, [])
    host.run("systemctl", "restart", "--no-block", f"{UNIT}-jwks@shop.service")
    wait_until(lambda: "shop.json is left as it is" in host.text(), what="its word")
    assert status(ec_key().mint()) == 200
    host.run("systemctl", "disable", "--now", f"{UNIT}-jwks@shop.timer")
    host.run("systemctl", "stop", f"{UNIT}-jwks@shop.service")
    assert not [name for name in host.units() if "jwks" in name]
    host.run("systemctl", "stop", f"{unit}.socket", f"{unit}.service")


def test_a_wrong_configuration_keeps_nobody_waiting_and_is_taken_up_when_it_is_mended(story):
    """PROTOCOL 10.8."""
    host, unit = story.host, f"{UNIT}@wrong"
    configure(host, f"/etc/{UNIT}/wrong.json", **story.config | {"topic": "no/topic"})
    story.override(f"{unit}.service", f"Environment=SKF_CONFIG=/etc/{UNIT}/wrong.json")
    host.run("systemctl", "start", unit, check=False)
    responder = InstalledResponder(host, "wrong")
    for _ in range(8):  # in all states that it goes through
        stream = responder.send(headers={"Accept": "text/event-stream"}).wait_end(timeout=10)
        assert stream.status == 200 and stream.retry[0] >= 10_000
        other = responder.send().wait_end(timeout=10)
        assert other.status == 503 and "retry-after" in other.headers
    assert "topic: must be" in host.text()
    configure(host, f"/etc/{UNIT}/wrong.json", **story.config)
    wait_until(lambda: host.is_active(unit), timeout=30, what="it is mended")
    assert responder.open().status == 200
    host.run("systemctl", "stop", f"{unit}.socket", f"{unit}.service")


def test_a_configuration_that_root_alone_can_read_says_who_must(story):
    """As an editor leaves it that writes another file."""
    host, unit, path = story.host, f"{UNIT}@private", f"/etc/{UNIT}/private.json"
    configure(host, path, **story.config)
    host.run("chown", "root:root", path)
    host.run("chmod", "600", path)
    story.override(f"{unit}.service", f"Environment=SKF_CONFIG={path}")
    host.run("systemctl", "start", unit, check=False)
    wait_until(lambda: f"{path}: Permission denied: user {UNIT} must" in host.text(), what="who")
    host.run("chgrp", UNIT, path)
    host.run("chmod", "640", path)
    wait_until(lambda: host.is_active(unit), timeout=30, what="it is mended")
    host.run("systemctl", "stop", f"{unit}.socket", f"{unit}.service")


def test_the_standby_answers_while_the_pool_is_away(story):
    units = [f"{unit}.{kind}" for unit in POOL for kind in ("socket", "service")]
    story.host.run("systemctl", "stop", *units)
    answer = story.open("-H", "Accept: text/event-stream").wait_end()
    assert answer.status == 200 and answer.retry[0] >= 10_000
    story.host.run("systemctl", "start", *POOL)
    stream = story.come_back()
    story.kafka.put(story.topic, "standby", "back")
    stream.take_until(b"back")
    stream.close()


# Later


def later(package: Path, directory: Path, by: int) -> Path:
    """The same, of a later version."""
    tree = directory / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(replaced(control.read_text(), r"Version: ([^\n]+)", rf"Version: \1.{by}"))
    done = subprocess.run(["dpkg-deb", "--build", tree, tree.parent], capture_output=True)
    assert done.returncode == 0, done.stderr
    return next(tree.parent.glob("*.deb"))


def test_an_upgrade_restarts_responders_and_keeps_all_else(story, package, tmp_path):
    host = story.host
    story.kafka.put(story.topic, "upgrade", "before")
    stream = story.come_back()  # after the test of the standby
    stream.take_until(b"before")
    before = [responder.pid for responder in (story.first, story.second)]
    sockets = host.run("stat", "--format=%i", f"/run/{UNIT}/1.sock", f"/run/{UNIT}/2.sock")
    install(host, later(package, tmp_path, 1))
    assert host.run("dpkg-query", "-Wf", "${Version}", UNIT).endswith(".1")
    stream.wait_end()
    again = story.come_back("-H", f"Last-Event-ID: {stream.events[-1].id}")
    story.kafka.put(story.topic, "upgrade", "after")
    assert again.next().text == "after"
    again.close()
    assert not set(before) & {responder.pid for responder in (story.first, story.second)}
    assert sockets == host.run("stat", "--format=%i", f"/run/{UNIT}/1.sock", f"/run/{UNIT}/2.sock")
    assert json.loads((host.root / CONFIG.lstrip("/")).read_text()) == story.config
    assert host.run("stat", "--format=%A %U %G", CONFIG) == f"-rw-r----- root {UNIT}"


class Visitor(Table):
    """Knows how long it has waited, each time that it came, and for how long it was sent away."""

    def __init__(self, address: tuple[str, int]):
        super().__init__(address)
        self.waits: list[float] = []
        self.sent_away_ms = 0

    def open(self) -> bool:
        self.came = time.monotonic()
        return super().open()

    def receive(self, limit: int = 1 << 18) -> None:
        waited = not self.started
        super().receive(limit)
        self.sent_away_ms = max(self.sent_away_ms, self.retry_ms)
        if waited and self.started:
            self.waits.append(time.monotonic() - self.came)


def test_nobody_waits_and_nothing_is_lost_through_an_upgrade_under_many_streams(
    story, package, tmp_path, note
):
    """Whoever comes to a responder that drains waits for its successor, and nobody is sent to the standby."""
    story.config |= {"topic": story.kafka.topic(), "event-id": "key"}
    configure(story.host, CONFIG, **story.config)
    for unit in POOL:
        story.host.run("systemctl", "restart", unit)
    wait_until(story.is_ready, what="readiness")
    crowd = Crowd(Visitor(("127.0.0.1", story.http)) for _ in range(500 // LESS))
    traffic = Traffic(story.kafka, story.config["topic"], len(crowd.tables))
    traffic.write(200)

    def all_right() -> bool:
        return all(table.started and table.rows == traffic.rows for table in crowd.tables)

    crowd.open()
    crowd.run(all_right, what="the topic as it is")
    traffic.begin()
    before = {responder.pid for responder in (story.first, story.second)}
    visits = [table.streams for table in crowd.tables]
    for table in crowd.tables:
        table.waits.clear()
    next_package = later(package, tmp_path, 2)
    began = time.monotonic()
    crowd.meanwhile(lambda: install(story.host, next_package))
    took = time.monotonic() - began
    crowd.meanwhile(traffic.end)
    crowd.run(all_right, what="nothing is lost")
    assert not before & {responder.pid for responder in (story.first, story.second)}
    assert all(table.streams > n for table, n in zip(crowd.tables, visits))
    waits = sorted(wait for table in crowd.tables for wait in table.waits)
    note("the upgrade took s", round(took, 1))
    note("returns", len(waits))
    at = {"half": len(waits) // 2, "99 of 100": len(waits) * 99 // 100, "all": -1}
    note("waited at most s", {share: round(waits[i], 2) for share, i in at.items()})
    assert not any(table.repeated or table.gaps or table.resets for table in crowd.tables)
    assert max(table.sent_away_ms for table in crowd.tables) < STANDBY_RETRY_MS
    assert waits[-1] < story.config["drain"] + TAKE_OVER_S
    crowd.close()


def test_nothing_that_is_forbidden_was_tried(story):
    """In all that was done above, where a filter ends whoever does."""
    assert "status=31/SYS" not in story.host.text()


def test_removed_it_is_gone_but_for_the_configuration(story):
    story.host.run("apt-get", "remove", "-q=2", UNIT)
    assert story.host.units() == []
    assert not story.host.path(f"/run/{UNIT}").exists()
    assert (story.host.root / CONFIG.lstrip("/")).exists()


def test_purged_it_leaves_the_user_alone(story):
    story.host.run("apt-get", "purge", "-q=2", UNIT)
    left = story.host.run("find", "/etc", "/usr", "/var/lib", "-name", f"*{UNIT}*")
    front = "/etc/lighttpd/"  # the administrator's
    assert [path for path in left.split() if not path.startswith(front)] == []
    assert story.host.run("getent", "passwd", UNIT)

"""The web servers of fcgi/examples at work, as Debian has them: each example as it is but for
paths, ports and the user, in the place that it names, beside Debian's own configuration."""

import getpass
import grp
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from helpers import PROGRAM, REPOSITORY, Process, answers, free_port
from lighttpd import SEARCH_PATH, replaced

EXAMPLES = REPOSITORY / "fcgi" / "examples"
ROOT = os.geteuid() == 0
# Programs that this release of Debian has not got, says tests/run.
NOT_IN_RELEASE = os.environ.get("SKF_NOT_IN_RELEASE", "").split()
# What web servers fold, and no route needs (test_front_routes.py).
SLASHES = ["/prices//a", "/prices/a//b"]
DOTS = ["/prices/.", "/prices/a/./b", "/prices/a/../b", "/prices/a/%2e%2e/b"]
ENCODED_DOTS = ["/prices/..%2Fmine"]
CONTROLS = ["/orders/%01", "/orders/%0A", "/orders/%FF"]
# What stands for /events in a shell, a file system, or a careless front.
OTHER_PATHS = """//events /./events /x/../events /events/. /events// /%65vents /events%2F /%2Fevents
    /x/%2e%2e/events /x%2F..%2Fevents /events;x /;x/events /events%3Fx /events%20 /events%00
    /Events""".split()


class Place:
    """What the package installs, in a directory that a web server's own user can enter, too."""

    def __init__(self, parent: Path):
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.directory.chmod(0o755)
        self.run = self.new("run")
        self.share = self.new("share")
        shutil.copytree(REPOSITORY / "htdocs", self.share / "htdocs")
        shutil.copy(REPOSITORY / "fcgi" / "mask-log.sh", self.share)
        self.certificate = self.directory / "localhost.pem"
        shutil.copy(REPOSITORY / "certs" / "localhost.pem", self.certificate)

    def new(self, name: str) -> Path:
        """A directory."""
        path = self.directory / name
        path.mkdir()
        path.chmod(0o755)
        return path


class Front(Process):
    numbers = 0
    example = ""
    # What a client gets that asks for it.
    speaks = {"--http1.1": "HTTP/1.1", "--http2": "HTTP/2"}
    # What the example says of itself.
    streams_of_a_browser = 100
    notices_at_once = {"--http1.1": False, "--http2": True}
    has_pool = True  # and a standby for it
    compresses = False  # documents
    compresses_page = True
    # Of curl; browsers send none.
    body_of_renewal = ""
    # So much in a claim makes a token about as long as the front and the responders take.
    largest_pad = 5500
    # Of a topic, whose ids name each.
    most_partitions = 2000
    # A hundredth of its room.
    few: dict[str, str] = {}
    # The limits on silence, shortened by the test about them.
    timeouts: dict[str, str] = {}
    # Of the paths that routes fit, those that its comments say it folds, or refuses.
    folds: list[str] = []

    def __init__(self, place: Place, edits: dict[str, str] | None = None):
        Front.numbers += 1
        name = f"{self.example.partition('.')[0]}-{Front.numbers}"
        super().__init__(name, place.new(name))
        self.log_directory = self.directory / "log"
        self.log_directory.mkdir()
        self.log_directory.chmod(0o777)
        self._pem = str(place.certificate)
        self.https = ("127.0.0.1", free_port())
        self.admin = ("127.0.0.1", free_port())
        self.url = f"https://localhost:{self.https[1]}"
        self.environment = dict(os.environ)
        text = self._moved(self.text_of_example())
        text = replaced(text, r"\b443\b", str(self.https[1]))
        text = replaced(text, r"\b9464\b", str(self.admin[1]))
        text = replaced(text, "/run/sse-kafka-fanout", str(place.run))
        text = replaced(text, "/usr/share/sse-kafka-fanout", str(place.share))
        for pattern, by in (edits or {}).items():
            text = replaced(text, pattern, by)
        self.file = self.put(text)

    def _moved(self, text: str) -> str:
        """Another's paths and user, the example's or those of Debian's own configuration."""
        text = re.sub(r"/etc/\S+/(ssl-cert-snakeoil|haproxy)\.(pem|key)", self._pem, text)
        text = re.sub(r"/var/log/(\w+)", str(self.log_directory), text)
        text = re.sub(r"/run/(\w+\.pid)", rf"{self.directory}/\1", text)
        if not ROOT:
            text = re.sub(r"^(\s*user:? +)[\w-]+", rf"\g<1>{getpass.getuser()}", text, flags=re.M)
            group = grp.getgrgid(os.getgid()).gr_name
            text = re.sub(r"^(\s*group +)[\w-]+", rf"\g<1>{group}", text, flags=re.M)
        return text

    @staticmethod
    def with_paths(paths: list[str]) -> dict[str, str]:
        """What the example says of paths that are handed on besides /events, and how it logs them."""
        raise NotImplementedError

    @classmethod
    def text_of_example(cls) -> str:
        return (EXAMPLES / cls.example).read_text()

    def put(self, text: str) -> Path:
        """Where the example belongs; returns what the server is started with."""
        file = self.directory / self.example
        file.write_text(text)
        return file

    def program(self, name: str) -> str:
        path = shutil.which(name, path=SEARCH_PATH)
        assert path, f"{name} is not installed: tests/packages.sh"
        return path

    def command(self) -> list:
        raise NotImplementedError

    def start(self) -> "Front":
        # Whole groups of processes are signalled by some of them.
        self.spawn(self.command(), env=self.environment, start_new_session=True)
        self.wait_until_up(lambda: answers(self.https) and answers(self.admin))
        return self

    def end(self, how: int = signal.SIGTERM, timeout: float = 20) -> int:
        if how == signal.SIGKILL and self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return super().end(how, timeout)

    def text(self) -> str:
        logs = (file.read_text(errors="replace") for file in self.log_directory.iterdir())
        return "".join([super().text(), *logs])


class Lighttpd(Front):
    example = "lighttpd-external.conf"
    compresses = True
    folds = SLASHES + DOTS + ENCODED_DOTS + CONTROLS
    streams_of_a_browser = 8
    notices_at_once = {"--http1.1": True, "--http2": True}
    # Of one process: each has a view of its own of how many streams a responder has.
    few = {
        "max-fds         = 16384": "max-fds = 164",
        "max-connections = 8192": "max-connections = 82",
        "include_shell[^\n]*": "",
    }
    timeouts = {
        '"read-timeout" => 60': '"read-timeout" => 4',
        "max-write-idle = 60": "max-write-idle = 4",
    }

    @staticmethod
    def with_paths(paths: list[str]) -> dict[str, str]:
        line = r'(    \$HTTP\["url"\] =~ "\^/)events(\(/\|\$\)" \{[^\n]*/)events(" [^\n]*\n)'
        lines = "".join(rf"\g<1>{path}\g<2>{path}\g<3>" for path in paths)
        return {'paths = "events': f'paths = "{"|".join(["events", *paths])}', line: rf"\g<0>{lines}"}

    def put(self, text: str) -> Path:
        available = self.directory / "conf-enabled"
        available.mkdir()
        (available / "50-sse-kafka-fanout.conf").write_text(text)
        main = self._moved(Path("/etc/lighttpd/lighttpd.conf").read_text())
        main = replaced(main, "/etc/lighttpd", str(self.directory))
        main = replaced(main, r"(server.port\s+=) 80\b", rf"\1 {free_port()}")
        main = replaced(main, "/var/cache/lighttpd/uploads", str(self.log_directory))
        file = self.directory / "lighttpd.conf"
        file.write_text(main)
        return file

    def command(self) -> list:
        return [self.program("lighttpd"), "-D", "-f", self.file]


class Apache(Front):
    example = "apache.conf"
    folds = SLASHES + DOTS
    speaks = {"--http1.1": "HTTP/1.1", "--http2": "HTTP/1.1"}
    streams_of_a_browser = 6
    most_partitions = 1700
    notices_at_once = {"--http1.1": False, "--http2": False}
    few = {
        "ThreadsPerChild 64": "ThreadsPerChild 13",
        "ServerLimit 40": "ServerLimit 2",
        "MaxRequestWorkers 2560": "MaxRequestWorkers 26",
    }
    timeouts = {r"\btimeout=60": "timeout=4", r"\bTimeout 60": "Timeout 4"}

    @staticmethod
    def with_paths(paths: list[str]) -> dict[str, str]:
        return {"Define SKF_PATHS events": f"Define SKF_PATHS {'|'.join(['events', *paths])}"}

    def put(self, text: str) -> Path:
        """With the commands of its first lines."""
        etc = self.directory / "apache2"
        shutil.copytree("/etc/apache2", etc, symlinks=True)
        (etc / "sites-enabled" / "000-default.conf").unlink()
        replace_in(etc / "ports.conf", "80", str(free_port()))
        replace_in(etc / "ports.conf", "443", str(self.https[1]))
        (etc / "sites-available" / "sse-kafka-fanout.conf").write_text(text)
        variables = {"CONFDIR": etc, "RUN_DIR": self.directory, "LOCK_DIR": self.directory}
        variables |= {"LOG_DIR": self.log_directory, "PID_FILE": self.directory / "apache2.pid"}
        variables["RUN_USER"] = "www-data" if ROOT else getpass.getuser()
        variables["RUN_GROUP"] = "www-data" if ROOT else grp.getgrgid(os.getgid()).gr_name
        self.environment |= {f"APACHE_{name}": str(value) for name, value in variables.items()}
        commands = re.findall(r"^#   (a2en(?:mod|site) [^;\n]+)", text, re.M)
        assert len(commands) == 2
        for command in commands:
            name, *arguments = command.split()
            subprocess.run(
                [self.program(name), "-q", *arguments],
                env=self.environment | {"PATH": SEARCH_PATH},
                check=True,
                stdout=subprocess.DEVNULL,
            )
        return etc / "apache2.conf"

    def command(self) -> list:
        return [self.program("apache2"), "-d", self.file.parent, "-f", self.file, "-DFOREGROUND"]


def replace_in(file: Path, word: str, by: str) -> None:
    file.write_text(replaced(file.read_text(), rf"\b{word}\b", by))


class Nginx(Front):
    example = "nginx.conf"
    compresses = True
    folds = SLASHES + DOTS + ENCODED_DOTS
    streams_of_a_browser = 128
    notices_at_once = {"--http1.1": True, "--http2": True}
    few = {r"(sed -i '[^\n]*)16384": r"\g<1>164"}
    timeouts = {"fastcgi_read_timeout 60s": "fastcgi_read_timeout 4s"}

    @staticmethod
    def with_paths(paths: list[str]) -> dict[str, str]:
        return {r"\(events\)\(": f"({'|'.join(['events', *paths])})(", r"\(events\)\)\(": f"({'|'.join(['events', *paths])}))("}

    @classmethod
    def text_of_example(cls, name: str = "") -> str:
        """As the package has it for this release's nginx."""
        return (PROGRAM.parent / "install" / "examples" / (name or cls.example)).read_text()

    def add_documents(self, place: Place) -> None:
        """What nginx-documents.conf does besides."""
        text = self._moved(self.text_of_example("nginx-documents.conf"))
        text = replaced(text, r"\b443\b", str(self.https[1]))
        text = replaced(text, "/var/cache/nginx", str(self.directory))
        (self.file.parent / "conf.d" / "documents.conf").write_text(text)

    def put(self, text: str) -> Path:
        etc = self.directory / "nginx"
        shutil.copytree("/etc/nginx", etc, ignore=shutil.ignore_patterns("*-enabled", "conf.d"))
        (etc / "conf.d").mkdir()
        (etc / "conf.d" / "sse-kafka-fanout.conf").write_text(text)
        main = etc / "nginx.conf"
        main.write_text(replaced(self._moved(main.read_text()), "/etc/nginx", str(etc)))
        for command in re.findall(r"#   (sed -i .+) /etc/nginx/nginx.conf\n", text):
            subprocess.run([*shlex.split(command), main], check=True)
        return main

    def command(self) -> list:
        return [self.program("nginx"), "-c", self.file, "-g", "daemon off;"]


class Haproxy(Front):
    example = "haproxy.cfg"
    body_of_renewal = "x"
    compresses_page = False
    few = {"maxconn 8000": "maxconn 80"}
    timeouts = {r"timeout (client|server) 60s": r"timeout \1 4s"}

    @staticmethod
    def with_paths(paths: list[str]) -> dict[str, str]:
        line = r"    http-request set-var\(txn.route\) str\(/events\)[^\n]*\n"
        said = "    http-request set-var(txn.route) str(/{0}) if {{ path /{0} }} || {{ path_beg /{0}/ }}\n"
        return {line: r"\g<0>" + "".join(map(said.format, paths))}

    def command(self) -> list:
        return [self.program("haproxy"), "-W", "-db", "-f", self.file]


class H2o(Front):
    example = "h2o.yaml"
    folds = DOTS + ENCODED_DOTS
    has_pool = False
    few = {"max-connections: 8000": "max-connections: 80"}
    timeouts = {"timeout.io: 60000": "timeout.io: 4000"}

    @staticmethod
    def with_paths(paths: list[str]) -> dict[str, str]:
        said = r'    #     (access-log: [^\n]*)/v1/orders([^\n]*)\n.*?(?=\n      "/":)'
        path = r'\n      "/{0}":\n        \g<1>/{0}\g<2>\n        <<: *responder'
        masked = {"log 'events": f"log '{'|'.join(['events', *paths])}"}
        return masked | {said: r"\g<0>" + "".join(map(path.format, paths))}

    def command(self) -> list:
        return [self.program("h2o"), "-c", self.file, "-m", "master"]


FRONTS = {front.example: front for front in (Lighttpd, Apache, Nginx, Haproxy, H2o)}
ABSENT = {H2o.example} if "h2o" in NOT_IN_RELEASE else set()

"""The examples beside what an administrator has already: what the web server says, and what the example does."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from fronts import Apache, Lighttpd, Nginx
from helpers import free_port
from lighttpd import replaced
from test_fronts import all_places, place  # noqa: F401


def check(front: Lighttpd | Apache | Nginx, option: str) -> tuple[bool, str]:
    """What it says of its configuration."""
    command = [word for word in front.command() if word not in ("-D", "-DFOREGROUND")] + [option]
    done = subprocess.run(command, env=front.environment, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["proxy_fcgi", "lbmethod_bybusyness", "ssl", "headers"])
def test_a_module_of_apache_that_is_not_enabled_is_named_with_the_command(place, module):
    front = Apache(place)
    for file in (front.file.parent / "mods-enabled").glob(f"{module}.*"):
        file.unlink()
    good, said = check(front, "-t")
    assert not good and re.search(rf"a2enmod .*\b{module}\b", said)


def test_lighttpd_that_has_tls_already_needs_another_port(place):
    """Debian's 10-ssl.conf, and the example's command for those who have it."""
    front = Lighttpd(place)
    ssl = Path("/etc/lighttpd/conf-available/10-ssl.conf").read_text()
    ssl = replaced(ssl, "443", str(front.https[1]))
    ssl = replaced(ssl, r'pemfile = "[^"]*"', f'pemfile = "{place.certificate}"')
    (front.directory / "conf-enabled" / "10-ssl.conf").write_text(ssl)
    good, said = check(front, "-tt")
    assert not good and "Duplicate config variable" in said
    ours = front.directory / "conf-enabled" / "50-sse-kafka-fanout.conf"
    [command] = re.findall(r"#   (sed -i .+) /etc/lighttpd/\S+\n", ours.read_text())
    subprocess.run([*shlex.split(command), ours], check=True)
    assert check(front, "-tt")[0]
    ours.write_text(replaced(ours.read_text(), ":8443", f":{front.https[1]}"))
    (front.directory / "conf-enabled" / "10-ssl.conf").unlink()
    assert check(front, "-tt")[0]


def test_nginx_goes_with_debians_own_site_on_the_same_port(place):
    front = Nginx(place)
    site = f"server {{ listen {front.https[1]} ssl default_server; server_name _; ssl_certificate {place.certificate};"
    site += f" ssl_certificate_key {place.certificate}; }} server {{ listen {free_port()}; }}\n"
    (front.file.parent / "conf.d" / "default.conf").write_text(site)
    good, said = check(front, "-t")
    assert good and "[warn]" not in said, said


def test_nginx_says_why_no_responder_is_reached_when_the_operator_asks(place):
    front = Nginx(place)
    front.start()
    health = f"http://127.0.0.1:{front.admin[1]}/health/ready"
    for url in [f"{front.url}/events"] * 3 + [health]:  # it knows by then that they are away
        subprocess.run(["curl", "-sk", url], check=True, capture_output=True)
    front.end()
    assert f"connect() to unix:{place.run}/1.sock failed (2: No such file" in front.text()

"""The man page and --help say the same, README names the same options, and all say what the sources say."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from helpers import PROGRAM, REPOSITORY

MAN = REPOSITORY / "fcgi" / "sse-kafka-fanout.8"
SOURCES = "".join(path.read_text() for path in (REPOSITORY / "fcgi").rglob("*.c"))


class Option(NamedTuple):
    letter: str  # or nothing
    name: str  # or nothing
    argument: str
    default: str
    figures: frozenset  # in what is said of it


def said_by_help() -> Iterator[Option]:
    said = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout
    for line in said.splitlines():
        option = re.match(r"  (?:-(\w) |   )(?:--([\w-]+))? ?(\S*) {2,}(.*)$", line)
        if option:
            letter, name, argument, meaning = (part or "" for part in option.groups())
            if letter == "X":
                argument = "NAME=VALUE"
            default = re.search(r"\(([^()]*)\)$", meaning)
            yield Option(letter, name, argument, default[1] if default else "", figures(meaning))


def figures(text: str) -> frozenset:
    return frozenset(re.findall(r"(?<!\()\b\d[\d.]*\b", text))  # not in ps(1)


def section(name: str) -> str:
    """Of the man page, in plain text."""
    text = re.search(rf"^\.SH {name}\n(.*?)(?=^\.SH |\Z)", MAN.read_text(), re.M | re.S)[1]
    text = text.replace(r"\-", "-").replace(r"\(dq", '"')
    return re.sub(r"\\f[RBI]", "", text)


def said_by_man() -> Iterator[Option]:
    for paragraph in re.split(r"^\.TP\n", section("OPTIONS"), flags=re.M)[1:]:
        tag, *lines = re.split(r"^\.S[SH] ", paragraph, flags=re.M)[0].strip().splitlines()
        tag = tag.partition(" ")[2].replace('"', "")
        option = re.match(r"(?:-(\w)\b)?[ ,]*(?:--([\w-]+))? *(.*)$", tag)
        letter, name, argument = (part or "" for part in option.groups())
        default = re.fullmatch(r"\((.*)\)", lines[-1])
        own = (letter, name, argument, default[1] if default else "")
        yield Option(*own, figures(" ".join(lines)))


def test_the_man_page_has_every_option_as_help_has_it():
    """PROTOCOL 8.2."""
    by_help, by_man = sorted(said_by_help()), sorted(said_by_man())
    assert len(by_help) > 30
    assert by_man == by_help


def test_the_readme_has_every_option_and_no_other():
    table = re.search(r"^### Options\n(.*?)^###? ", readme(), re.M | re.S)[1].partition("\n| ")[2]
    named = re.findall(r"`--([\w-]+)`(?: \(`-(\w)`\))?|`-(X) NAME=VALUE`", table)
    assert sorted((letter or x, name) for name, letter, x in named) == sorted(
        (option.letter, option.name) for option in said_by_help()
    )


def test_the_readme_has_every_reason_for_not_being_ready():
    header = (REPOSITORY / "fcgi" / "front" / "health.h").read_text()
    known = re.findall(r'^    X\(\w+, "(\w+)", (?:TOPIC|PROCESS), (?:FAILS|COUNTS|TELLS),', header, re.M)
    assert "kafka_away" in known
    table = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]* \|$", readme(), re.M)
    assert [name for name in table if name in known] == known


def readme() -> str:
    return (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize(
    "name, pattern",
    [
        ("SIGNALS", r"\b(SIG(?:TERM|INT|HUP|PIPE|USR1|USR2))\b"),
        ("ENVIRONMENT", r'getenv\("(\w+)"\)'),
        ("FASTCGI PARAMETERS", r'"(SKF_(?!CONFIG)\w+)"'),
        ("FASTCGI PARAMETERS", r'"(/(?:health|metrics)[/a-z]*)"'),
    ],
)
def test_the_man_page_has_what_the_sources_know(name, pattern):
    known = set(re.findall(pattern, SOURCES))
    assert known
    assert {word for word in known if word not in section(name)} == set()


def test_the_man_page_has_every_exit_status():
    main = (REPOSITORY / "fcgi" / "main.c").read_text()
    own = dict(re.findall(r"\b(EXIT_\w+) = (\d+)", main))
    known = {"EXIT_SUCCESS": "0", "EXIT_FAILURE": "1"} | own
    used = {known[name] for name in re.findall(r"\bEXIT_\w+", main)}
    assert set(re.findall(r"^\.B (\d+)$", section("EXIT STATUS"), re.M)) == used


def test_the_man_page_is_good_troff():
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", MAN]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_examples_of_the_man_page_are_accepted(tmp_path):
    """All but the keys, which are not there: it gets that far."""
    texts = re.findall(r"^\.EX\n(.*?)^\.EE", section("CONFIGURATION FILE"), re.M | re.S)
    for text, missing in zip(texts, ("jwks.json", "shop.json", "routes.json"), strict=True):
        path = tmp_path / "config.json"
        path.write_text(text)
        path.chmod(0o600)
        own = ["--config", path, "--listen", tmp_path / "s", "-b", "b:9092"]
        command = [PROGRAM, *own, *([] if "topic" in text else ["-t", "t"])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and missing in done.stderr, done


def test_the_configurations_of_the_readme_are_accepted(tmp_path):
    """All but the keys, which are not there: it gets that far."""
    blocks = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", readme(), re.M | re.S)]
    assert len(blocks) > 4
    for block in blocks:
        said = block if "path" not in block else {"topics": {"t": {}}, "routes": [block]}
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"brokers": "b:9092"} | said))
        path.chmod(0o600)
        command = [PROGRAM, "--config", path, "--check"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        keys = said.get("jwks")
        assert done.returncode == (2 if keys else 0) and (not keys or keys in done.stderr), (said, done)

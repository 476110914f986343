"""The documents lead to each other, and nowhere else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from helpers import PROGRAM, REPOSITORY

DOCUMENTS = ("README.md", "PROTOCOL.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "fcgi/README.md", "tests/bench/README.md")


def headings(document: Path) -> list[str]:
    """But its title."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    return re.findall(r"^##+ (.*)$", text, re.M)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def broken_links(document: Path) -> list[str]:
    broken = []
    for link in links(document.read_text()):
        path, _, fragment = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (fragment and fragment not in map(anchor, headings(target))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_link_leads_somewhere(name):
    assert broken_links(REPOSITORY / name) == []


def test_so_does_each_link_of_what_is_installed(tmp_path):
    environment = os.environ | {"DESTDIR": str(tmp_path)}
    subprocess.run(["cmake", "--install", PROGRAM.parent], env=environment, check=True, capture_output=True)
    documents = list(tmp_path.glob("usr/local/share/doc/sse-kafka-fanout/*.md"))
    assert {document.name for document in documents} == {name for name in DOCUMENTS if "/" not in name}
    assert {document.name: broken_links(document) for document in documents if broken_links(document)} == {}
    assert all(links((REPOSITORY / document.name).read_text()) == [] or links(document.read_text()) for document in documents)


def test_the_contents_of_the_readme_are_its_headings():
    contents = (REPOSITORY / "README.md").read_text().partition("**Contents**\n")[2].partition("\n## ")[0]
    wanted = [f"#{anchor(heading)}" for heading in headings(REPOSITORY / "README.md")]
    assert links(contents) == wanted

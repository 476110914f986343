"""The documents lead to each other, and nowhere else."""

import re
from pathlib import Path

import pytest

from helpers import REPOSITORY

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


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_link_leads_somewhere(name):
    document = REPOSITORY / name
    broken = []
    for link in links(document.read_text()):
        path, _, fragment = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (fragment and fragment not in map(anchor, headings(target))):
            broken.append(link)
    assert broken == []


def test_the_contents_of_the_readme_are_its_headings():
    contents = (REPOSITORY / "README.md").read_text().partition("**Contents**\n")[2].partition("\n## ")[0]
    wanted = [f"#{anchor(heading)}" for heading in headings(REPOSITORY / "README.md")]
    assert links(contents) == wanted

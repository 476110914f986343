"""The package of htdocs, as npm makes it, in a project of its own; and its tools."""

import re
import shutil
import subprocess
from pathlib import Path

from helpers import BUILD, REPOSITORY

TESTS = REPOSITORY / "tests" / "kit"
MODULES = BUILD / "kit" / "node_modules"  # tests/run fetches them
README = REPOSITORY / "README.md"
PROTOCOL = REPOSITORY / "PROTOCOL.md"


def run(*command: str | Path, directory: Path, timeout: float = 300) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-6000:]}{done.stderr[-2000:]}"
    return done.stdout


def project(directory: Path) -> Path:
    """What somebody has who wrote `npm install` and the tarball's name: tests/kit beside the package."""
    home = directory / "project"
    shutil.copytree(TESTS, home)
    shutil.copy(PROTOCOL, home)  # it says how a server refuses
    (home / "package.json").write_text('{"private": true, "type": "module"}')
    packed = run("npm", "pack", "--pack-destination", home, directory=REPOSITORY / "htdocs")
    run("npm", "install", "--offline", "--no-audit", packed.split()[-1], directory=home)
    return home


def vite(directory: Path, page: str) -> Path:
    """One of the pages in tests/kit, built; and beside it what README.md says to users of frameworks."""
    home = project(directory)
    for framework, ending in (("react", "jsx"), ("vue", "js"), ("svelte", "js")):
        (home / "readme" / f"{framework}.{ending}").write_text(example(framework.title()))
    for module in MODULES.iterdir():
        if not module.name.startswith("."):
            (home / "node_modules" / module.name).symlink_to(module)
    run(MODULES / ".bin" / "vite", "build", "--base", "./", directory=home / page)
    return home / page / "dist"


def example(title: str) -> str:
    """The block of code behind this title and a colon."""
    return re.search(rf"^{title}:\n\n```jsx?\n(.*?)^```", README.read_text(), re.M | re.S)[1]

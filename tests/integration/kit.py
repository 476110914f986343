"""The package of htdocs, as npm makes it, in a project of its own; and its tools."""

import shutil
import subprocess
from pathlib import Path

from helpers import BUILD, REPOSITORY

TESTS = REPOSITORY / "tests" / "kit"
MODULES = BUILD / "kit" / "node_modules"  # tests/run fetches them


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
    (home / "package.json").write_text('{"private": true, "type": "module"}')
    packed = run("npm", "pack", "--pack-destination", home, directory=REPOSITORY / "htdocs")
    run("npm", "install", "--offline", "--no-audit", packed.split()[-1], directory=home)
    return home

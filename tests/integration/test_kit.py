"""The page kit (htdocs/fanout.js), without a browser."""

import gzip
import json
import re
import subprocess

import pytest

from helpers import ABSENT_REASON, REPOSITORY
from kit import MODULES, project, run, vite

# Bytes, compressed: of what a bundler makes for all, and of what tabs that share load besides; of the files as they
# lie, for a page whose tabs do not share, and for all.
LIMIT, LIMIT_TABS = 5600, 1950
LIMIT_ALONE_AS_IT_LIES, LIMIT_AS_IT_LIES = 8200, 11500
NODE = re.match(r"v(\d+)", subprocess.check_output(["node", "--version"], text=True))
needs_node_20 = pytest.mark.skipif(int(NODE[1]) < 20, reason=ABSENT_REASON)


@needs_node_20
def test_the_client_against_a_server_that_misbehaves(tmp_path):
    said = run("node", "--test", "--test-concurrency=8", directory=project(tmp_path))
    assert re.search(r"^# fail 0$", said, re.M) and re.search(r"^# pass [1-9]", said, re.M)


def test_the_package_holds_the_client_and_nothing_else(tmp_path):
    package = project(tmp_path) / "node_modules" / "sse-kafka-fanout"
    names = {file.name for file in package.iterdir()}
    modules = {f"fanout{part}.js" for part in ("", "-events", "-stream", "-tabs")}
    assert names == modules | {"fanout.d.ts", "package.json"}
    version = json.loads((package / "package.json").read_text())["version"]
    assert f"VERSION {version} " in (REPOSITORY / "CMakeLists.txt").read_text()
    sizes = {name: len(gzip.compress((package / name).read_bytes())) for name in modules}
    alone = sum(sizes.values()) - sizes["fanout-tabs.js"]
    assert alone < LIMIT_ALONE_AS_IT_LIES and sum(sizes.values()) < LIMIT_AS_IT_LIES, sizes


@pytest.mark.parametrize("surroundings", ["page", "node"])
def test_its_types(tmp_path, surroundings):
    libraries = {"page": "ES2022,DOM,DOM.Iterable", "node": "ES2022"}[surroundings]
    types = {"page": "", "node": "node"}[surroundings]
    options = ["--strict", "--noEmit", "--target", "ES2022", "--module", "NodeNext"]
    options += ["--lib", libraries, "--types", types, "--typeRoots", MODULES / "@types"]
    run(MODULES / ".bin" / "tsc", *options, "types.ts", directory=project(tmp_path))


@needs_node_20
def test_what_vite_makes_of_it_is_small(tmp_path):
    files = (vite(tmp_path, "vite") / "assets").glob("*.js")
    sizes = {file.name[:6]: len(gzip.compress(file.read_bytes())) for file in files}
    assert set(sizes) == {"fanout", "index-"}, "tabs that share are a file of their own"
    assert sizes["index-"] < LIMIT and sizes["fanout"] < LIMIT_TABS, sizes

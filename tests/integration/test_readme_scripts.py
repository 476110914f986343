"""The README's script and page, as they stand there, and the clients that it names."""

import json
import re
import subprocess

import pytest
import requests

from browser import chromium
from helpers import REPOSITORY, Process, answers, free_port, wait_until
from kafka import Record

from selenium.webdriver.common.by import By


def said_by_readme(section: str, language: str) -> str:
    readme = (REPOSITORY / "README.md").read_text()
    text = re.search(rf"^### {section}\n(.*?)^##", readme, re.M | re.S)[1]
    [block] = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    assert len(block.splitlines()) <= 12
    return block


def start_script(server, tmp_path, how: str) -> Process:
    script = said_by_readme("From a script", "bash").replace("http://localhost:8080", server.url)
    shell = Process("script", tmp_path)
    shell.spawn(["bash", how, script])
    return shell


def test_the_script_gets_what_is_there_and_what_comes(kafka, topic, front, tmp_path):
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"two"))
    server = front(topic)
    shell = start_script(server, tmp_path, "-ec")

    def lines() -> list[tuple]:
        said = [json.loads(line) for line in shell.text().splitlines()]
        return [(r["key"], r.get("value", r.get("text")), r.get("deleted")) for r in said]

    wait_until(lambda: len(lines()) == 2)
    kafka.produce(topic, Record(b"a", None))
    wait_until(lambda: len(lines()) == 3)
    kafka.produce(topic, Record(b"b", b"[3]"))
    wait_until(lambda: len(lines()) == 4)
    assert lines() == [("a", 1, None), ("b", "two", None), ("a", None, True), ("b", [3], None)]
    shell.end()


def test_the_script_goes_on_after_an_outage(kafka, topic, front, tmp_path):
    """As somebody's shell runs it, in which a command that fails ends nothing."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"0"))
    server = front(topic)
    shell = start_script(server, tmp_path, "-c")
    wait_until(lambda: '"value":1' in shell.text())
    server.stop()
    wait_until(lambda: "curl: (7)" in shell.text())
    kafka.produce(topic, Record(b"a", b"2"))
    server.start()
    wait_until(lambda: '"value":2' in shell.text())
    assert shell.text().count('"value"') == 3
    shell.end()


def test_the_page_goes_on_from_what_it_was_made_of(kafka, topic, front, tmp_path):
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"<two> & more"))
    server, port = front(topic), free_port()
    text = said_by_readme("From a server-rendered page", "js")
    text = text.replace("http://localhost:8080", server.url).replace("8000", str(port))
    (tmp_path / "page.mjs").write_text(text)
    node = Process("page", tmp_path)
    node.spawn(["node", tmp_path / "page.mjs"])
    wait_until(lambda: answers(("127.0.0.1", port)) or answers(("::1", port)))
    driver = chromium(tmp_path)
    try:
        driver.get(f"http://localhost:{port}")
        kafka.produce(topic, Record(b"c", b"3"), Record(b"a", b"4"))

        def shown() -> list[str]:
            return [item.text for item in driver.find_elements(By.TAG_NAME, "li")]

        wait_until(lambda: "4" in shown())
        assert shown() == ["1", "<two> & more", "3", "4"]
    finally:
        driver.quit()
        node.end()


CLIENTS = {
    "curl": ["bash", "-c", 'curl -s -H "Accept: application/json" "$0" | jq -c .'],
    "fetch": ["node", "-e", "fetch(process.argv[1] + '?format=json').then((r) => r.text()).then(console.log)"],
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_the_document(kafka, topic, front, client):
    kafka.produce(topic, Record(b"a", b"1"))
    server = front(topic)
    done = subprocess.run([*CLIENTS[client], f"{server.url}/events"], capture_output=True, timeout=60)
    assert [r["value"] for r in json.loads(done.stdout)["records"]] == [1], done.stderr


def test_requests_and_axios_s_accept_get_the_document(kafka, topic, front):
    kafka.produce(topic, Record(b"a", b"1"))
    server = front(topic)
    url = f"{server.url}/events"
    answer = requests.get(url, params={"format": "json"}, timeout=60)
    assert answer.headers["content-type"] == "application/json"
    assert [record["value"] for record in answer.json()["records"]] == [1]
    tag = answer.headers["etag"]
    axios = {"Accept": "application/json, text/plain, */*"}
    assert requests.get(url, headers=axios, timeout=60).json() == answer.json()
    assert requests.get(url, headers=axios | {"If-None-Match": tag}, timeout=60).status_code == 304

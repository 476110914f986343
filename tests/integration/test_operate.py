"""What an operator sees: log lines, metrics as Prometheus wants them, the dashboard's queries."""

import json
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from helpers import BUILD, REPOSITORY, wait_until
from test_health import ask, readiness
from tokens import Jwks, ec_key, in_url, rsa_key

STREAM = {"Accept": "text/event-stream"}


# The log


def test_each_refused_request_has_a_line_with_its_reason(topic, start, tmp_path):
    """PROTOCOL 4.7."""
    keys = Jwks(tmp_path / "jwks.json", rsa_key())
    responder = start(topic, *keys.options("--max-streams", "1"))
    refused = [
        ("/nothing", "front: 404 route_unknown: there is nothing at this path"),
        ("/events", "front: 401 token_missing: a token is needed"),
        (in_url("a.b.c"), "front: 401 token_invalid: the token is malformed"),
        (in_url("x" * 9000), "front: 401 token_too_long: the token is longer than 8192 bytes"),
        (in_url(rsa_key().mint(exp=2**63)), "front: 401 token_invalid: the token has no valid expiry"),
        (in_url(rsa_key().mint(nbf=2**63)), "front: 401 token_invalid: the token's nbf is no valid time"),
        (in_url(ec_key().mint()), "front: 401 token_invalid: the token is of an unknown key"),
        (in_url(rsa_key().mint(scope="other")), "front: 403 scope_missing: the token lacks a scope"),
        (
            in_url("x,y"),
            "front: 400 token_invalid: "
            "the token is empty, given twice, or has a blank or comma in it",
        ),
    ]
    for target, _ in refused:
        responder.send(target=target).wait_end()
    kept = responder.open(target=in_url(rsa_key().mint()))
    for _ in range(2):
        responder.send(target=in_url(rsa_key().mint()), headers=STREAM).wait_end()
    assert not kept.ended
    lines = [line for line in responder.text().splitlines() if " front: " in line]
    said = [re.sub(r"^sse-kafka-fanout\[\d+\] \w+: ", "", line) for line in lines]
    assert said == [line for _, line in refused] + [
        "front: clients are told to come back later: all streams are taken (--max-streams)",
        "front: told to come back later: all streams are taken (--max-streams)",
    ]


def test_a_flood_of_refusals_is_twenty_lines_and_their_number_comes_by_itself(topic, start):
    responder = start(topic)
    for _ in range(100):
        responder.send(target="/nothing").wait_end()
    wait_until(lambda: "more requests were refused" in responder.text())
    wait_until(lambda: logged_refusals(responder.text()) == 100)
    assert len(re.findall(r"front: 404 ", responder.text())) < 100


def logged_refusals(text: str) -> int:
    """Those with a line of their own and those that were only counted."""
    counted = re.findall(r"front: (\d+) more requests were refused$", text, re.M)
    return len(re.findall(r"front: 404 ", text)) + sum(map(int, counted))


def test_a_log_of_json_has_an_object_on_each_line(topic, start):
    responder = start(topic, "--log-format", "json")
    responder.send(target="/nothing").wait_end()
    responder.stop()
    lines = [json.loads(line) for line in responder.text().splitlines()]
    for line in lines:
        assert line.keys() == {"time", "level", "pid", "message"}
        assert line["pid"] == responder.pid
        when = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert abs(datetime.now(timezone.utc) - when).total_seconds() < 600
    messages = [(line["level"], line["message"]) for line in lines]
    assert ("info", "front: 404 route_unknown: there is nothing at this path") in messages
    assert messages[-1] == ("info", "stopping")


# Metrics

PROMTOOL = BUILD / "promtool" / "promtool"  # tests/run fetches it
EXAMPLES = REPOSITORY / "fcgi" / "examples"
DASHBOARD = EXAMPLES / "grafana-dashboard.json"
ALERTS = EXAMPLES / "prometheus-alerts.yml"
ALERT_TESTS = Path(__file__).with_name("alerts.yml")
SCRAPED = {"instance", "job"}  # Prometheus adds them


def promtool(*arguments: str, said: str = "") -> None:
    done = subprocess.run(
        [PROMTOOL, *arguments], input=said, text=True, capture_output=True, timeout=60
    )
    assert done.returncode == 0 and not done.stderr, done


def metrics_of_a_pool(topic, start, directory) -> str:
    """Of an open and a guarded responder, one of them with a stream."""
    peers = directory / "peers"
    peers.mkdir(mode=0o700)
    keys = Jwks(directory / "jwks.json", rsa_key())
    guarded = start(topic, *keys.options("--peer-dir", str(peers)))
    responder = start(topic, "--peer-dir", str(peers))
    responder.open()
    wait_until(lambda: len(readiness(guarded)["responders"]) == 2 and readiness(guarded)["ready"])
    return ask(guarded, "/metrics").body.decode()


def test_prometheus_takes_the_metrics_without_a_complaint(topic, start, tmp_path):
    text = metrics_of_a_pool(topic, start, tmp_path)
    promtool("check", "metrics", said=text)
    assert len(re.findall(r"^# TYPE ", text, re.M)) > 20


def families(text: str) -> set[str]:
    """Also those without a series: an older kernel does not tell everything.  Of a histogram, what
    it is asked for."""
    told = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)
    return {name + ("_bucket" if kind == "histogram" else "") for name, kind in told}


def labels_of(text: str) -> dict[str, set[str]]:
    labels: dict[str, set[str]] = {}
    for name, pairs in re.findall(r"^(\w+)\{(.*)\} ", text, re.M):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', pairs))
    return labels


def test_a_restart_makes_no_series_but_that_of_the_process(topic, start):
    def series() -> set[str]:
        text = ask(responder, "/metrics").body.decode()
        return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

    responder = start(topic)
    wait_until(lambda: readiness(responder)["ready"])
    before = series()
    responder.stop()
    responder.start()
    wait_until(lambda: readiness(responder)["ready"])
    assert {name.partition("{")[0] for name in series() - before} == {"sse_kafka_fanout_info"}


def test_alerts_ask_for_what_there_is_and_fire_when_they_should(topic, start, tmp_path):
    text = metrics_of_a_pool(topic, start, tmp_path)
    rules = ALERTS.read_text()
    names = set(re.findall(r"sse_kafka_fanout_\w+", rules))
    assert names <= families(text), names - families(text)
    promtool("check", "config", str(EXAMPLES / "prometheus.yml"))
    tests = tmp_path / "tests.yml"
    tests.write_text(ALERT_TESTS.read_text().replace("ALERTS", str(ALERTS)))
    promtool("test", "rules", str(tests))
    alerts = set(re.findall(r"alert: (\w+)", rules))
    assert alerts == set(re.findall(r"alertname: (\w+)\n +exp_alerts", ALERT_TESTS.read_text()))


def test_the_dashboard_asks_for_what_there_is(topic, start, tmp_path):
    text = metrics_of_a_pool(topic, start, tmp_path)
    labels = labels_of(text)
    dashboard = json.loads(DASHBOARD.read_text())
    asked = set()
    rules = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query, legend = target["expr"], target["legendFormat"]
            names = set(re.findall(r"sse_kafka_fanout_\w+", query))
            assert names and names <= families(text), f"{panel['title']}: {names - families(text)}"
            wanted = set(re.findall(r"(\w+)=~", query)) | set(re.findall(r"\{\{(\w+)\}\}", legend))
            for by in re.findall(r"by \(([^)]*)\)", query):
                wanted |= set(by.split(", "))
            for name in names & set(labels):
                assert wanted <= labels[name] | SCRAPED, f"{panel['title']}: {wanted - labels[name]}"
            asked |= names
            rules.append({"record": "r", "expr": query.replace("$__rate_interval", "5m")})
    assert asked == families(text), f"on no panel: {families(text) - asked}"
    file = tmp_path / "rules.yaml"  # JSON is YAML, too
    rules = [rule | {"labels": {"n": str(n)}} for n, rule in enumerate(rules)]
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))

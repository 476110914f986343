"""Each client its own records: what a route, a token's claims and the query select by key."""

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

import eventid
from helpers import REPOSITORY, wait_until
from kafka import Record
from responder import Responder
from sse import HttpReader, pump
from tokens import AUDIENCE, ISSUER, RENEWAL, SCOPE, Jwks, bearer, rsa_key

KEEPALIVE = ["--keepalive", "1"]


@pytest.fixture
def selecting(start, tmp_path) -> Callable[..., Responder]:
    """selecting(topic, {path: select or None}): a responder of these routes."""

    def start_selecting(topic: str, routes: dict, *options: str, **members) -> Responder:
        said = {"topics": {topic: {}}, "routes": []} | members
        for path, select in routes.items():
            said["routes"].append({"path": path, "topic": topic} | ({"select": select} if select else {}))
        path = tmp_path / f"select-{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(said))
        return start(None, "--config", str(path), *options)

    return start_selecting


@pytest.fixture
def guard(tmp_path: Path) -> dict[str, object]:
    jwks = Jwks(tmp_path / "jwks.json", rsa_key())
    return {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(jwks.path), "scope": SCOPE}


def refused(answer) -> tuple[int, str]:
    answer.wait_end()
    return answer.status, json.loads(answer.body)["reason"]


def told(stream, n: int) -> list[tuple[str, bytes]]:
    return [(event.event, event.data) for event in stream.take(n)]


def messages(*data: bytes) -> list[tuple[str, bytes]]:
    return [("message", one) for one in data]


def test_a_path_selects_its_key(kafka, topic, selecting):
    """PROTOCOL 11.1, 11.7, 11.8. The replay, what comes, its delete; and nothing of others."""
    kafka.produce(topic, Record(b"ann", b"1"), Record(b"bob", b"2"), Record(b"ann", b"3"), Record(b"a/\xff", b"4"))
    responder = selecting(topic, {"/of/{customer}": [{"key": "{customer}"}], "/all": None})
    ann, bob, odd = (responder.open(target=f"/of/{key}") for key in ("ann", "bob", "a%2F%FF"))
    everything = responder.open(target="/all")
    assert told(ann, 1) == messages(b"3") and told(bob, 1) == messages(b"2")
    assert told(odd, 1) == messages(b"4")
    everything.take(3)
    kafka.produce(topic, Record(b"bob", b"5"), Record(b"ann", None), Record(b"ann", b"6"), Record(b"carl", b"7"))
    everything.take(4)
    assert told(ann, 2) == [("delete", b"YW5u"), ("message", b"6")]
    assert told(bob, 1) == messages(b"5")
    for stream in (ann, bob, odd):
        assert len({eventid.tag(event.id) for event in stream.events}) == 1
    assert len({eventid.tag(stream.events[0].id) for stream in (ann, bob, odd)}) == 3


def test_who_comes_back_gets_what_he_has_not_seen_with_deletes(kafka, topic, selecting):
    """PROTOCOL 11.9, 11.10."""
    kafka.produce(topic, Record(b"ann", b"1"), Record(b"bob", b"2"))
    routes = {"/of/{a}": [{"key": "{a}"}], "/both": [{"key": ["ann", "bob"]}], "/all": None}
    responder = selecting(topic, routes)
    stream = responder.open(target="/both")
    last = stream.take(2)[-1]
    stream.close()
    kafka.produce(topic, Record(b"carl", b"3"), Record(b"ann", None), Record(b"bob", b"4"))
    responder.open(target="/all").take_until(b"4")
    stream = responder.open(last.id, target="/both")
    assert told(stream, 2) == [("delete", b"YW5u"), ("message", b"4")]
    for target in ("/of/bob", "/all"):
        reset = responder.open(last.id, target=target).next()
        assert reset.event == "reset" and json.loads(reset.data)["reason"] == "selection"
    plain = eventid.encode({0: 1})
    assert json.loads(responder.open(plain, target="/both").next().data)["reason"] == "selection"


def test_a_query_narrows_what_the_route_selects(kafka, topic, selecting):
    """PROTOCOL 11.4, 11.5."""
    keys = (b"a", b"b c", b"+", b"\xff\x00\n", b"", b"d")
    kafka.produce(topic, *(Record(key, str(i).encode()) for i, key in enumerate(keys)))
    responder = selecting(topic, {"/all": None, "/ab": [{"key": "a"}, {"key": "b c"}]})

    def gets(target: str) -> list[bytes]:
        """Whatever is there before a key that is selected besides."""
        stream = responder.open(target=f"{target}&key=end")
        kafka.produce(topic, Record(b"end", b"end"))
        return [event.data for event in stream.take_until(b"end")[:-1]]

    odd = base64.urlsafe_b64encode(keys[3]).decode()
    for query, expected in {
        "key=a": [b"0"],
        "key=a&key=d&key=a&x=y": [b"0", b"5"],
        "key=b+c": [b"1"],
        "key=b%20c&key=%2B": [b"1", b"2"],
        "key=": [b"4"],
        "key": [b"4"],
        f"keyBase64={odd}&key=a": [b"0", b"3"],
        f"keyBase64={odd.rstrip('=')}": [b"3"],
        f"key={quote_from_bytes(keys[3])}": [b"3"],
        "key=nobody": [],
    }.items():
        got = gets(f"/all?{query}")
        assert [data for data in got if data != b"end"] == expected, query
    stream = responder.open(target="/ab?key=a&key=d")
    assert stream.next().data == b"0"
    kafka.produce(topic, Record(b"d", b"6"), Record(b"b c", b"7"), Record(b"a", b"8"))
    assert stream.next().data == b"8"
    empty = responder.open(target="/ab?key=d")
    kafka.produce(topic, Record(b"d", b"9"), Record(b"a", b"10"))
    assert stream.next().data == b"10" and not empty.events


def test_what_a_query_may_not_ask_for(topic, selecting):
    """PROTOCOL 11.6."""
    responder = selecting(topic, {"/all": None})
    for query, why in {
        "header:region=eu": "filter_unknown",
        "header%3Aregion=eu": "filter_unknown",
        "field:a.b=1": "filter_unknown",
        "key=%zz": "filter_unknown",
        "keyBase64=!": "filter_unknown",
        "&".join(["key=a"] * 257): "filter_too_large",
        "key=" + "a" * 8193: "filter_too_large",
        "key=" + "a" * 4097 + "&keyBase64=" + base64.urlsafe_b64encode(b"b" * 4096).decode(): "filter_too_large",
    }.items():
        assert refused(responder.send(target=f"/all?{query}")) == (400, why), query[:40]
    for query in ("&".join(f"key={i}" for i in range(256)), "key=" + "a" * 8192, "Key=a&header=b"):
        assert responder.send("HEAD", f"/all?{query}").wait_end().status == 200, query[:40]
    assert "region" not in responder.text() and "aaaa" not in responder.text()


def test_a_claim_selects(kafka, topic, selecting, guard):
    """PROTOCOL 11.1, 11.2, 11.3."""
    kafka.produce(topic, *(Record(key, key) for key in (b"alice", b"eu", b"us", b"7", b"bob")))
    routes = {
        "/mine": [{"key": "{claim:sub}"}],
        "/regions": [{"key": "{claim:https://x.example/regions}"}],
        "/either": [{"key": "{claim:none}"}, {"key": "{claim:a.number}"}],
    }
    responder = selecting(topic, routes, **guard)
    claims = {"https://x.example/regions": ["eu", "us", "", None, {}], "a": {"number": 7}}
    token = bearer(rsa_key().mint(sub="alice", **claims))

    def gets(target: str, n: int) -> list[bytes]:
        return [event.data for event in responder.open(target=target, headers=token).take(n)]

    assert gets("/mine", 1) == [b"alice"]
    assert gets("/regions", 2) == [b"eu", b"us"]
    assert gets("/regions?key=us&key=bob", 1) == [b"us"]
    assert gets("/either", 1) == [b"7"]
    poor = bearer(rsa_key().mint(sub="alice", **{"https://x.example/regions": "", "a": {"number": 2**63}}))
    assert refused(responder.send(target="/regions", headers=poor)) == (403, "claim_missing")
    assert refused(responder.send(target="/either", headers=poor)) == (403, "claim_missing")
    assert refused(responder.send(target="/either?field:a=1", headers=poor)) == (400, "filter_unknown")
    log = responder.text()
    assert "403 claim_missing" in log and "https://x.example/regions" in log and "alice" not in log


def test_of_a_long_claim_the_first_1024_count(kafka, topic, selecting, guard):
    """PROTOCOL 11.2."""
    kafka.produce(topic, Record(b"1024", b"not"), Record(b"1023", b"last"))
    responder = selecting(topic, {"/mine": [{"key": "{claim:numbers}"}]}, **guard)
    token = bearer(rsa_key().mint(numbers=list(range(1025))))
    assert responder.open(target="/mine", headers=token).next().data == b"last"


def test_a_renewal_renews_what_it_would_select_and_no_more(kafka, topic, selecting, guard):
    """PROTOCOL 11.13. Two tenants of one subject, in two tabs each: with the token in the header, and in the URL."""
    kafka.produce(topic, Record(b"red", b"1"), Record(b"blue", b"2"))
    window = 3
    responder = selecting(topic, {"/mine": [{"key": "{claim:tenant}"}]}, "--challenge", str(window), **guard)

    def mint(tenant: str | None, ttl: float) -> str:
        return rsa_key().mint(ttl, sub="alice", **({"tenant": tenant} if tenant else {}))

    def open_at(tenant: str, in_url: bool):
        token = mint(tenant, window + 2)
        target = f"/mine?access_token={token}" if in_url else "/mine"
        stream = responder.open(target=target, headers={} if in_url else bearer(token))
        return stream, token

    (red, _), (blue, _) = open_at("red", False), open_at("blue", False)
    (named, selector), (other, _) = open_at("red", True), open_at("red", True)
    streams = [red, blue, named, other]
    pump(streams, lambda: all(len(stream.events) == 2 for stream in streams))  # with the challenge

    def renew(token: str, target: str = "/mine"):
        return responder.send("POST", target, bearer(token) | {"Content-Type": RENEWAL}).wait_end()

    assert refused(renew(mint(None, 60))) == (403, "claim_missing")
    assert renew(mint("red", 60)).status == 204
    assert renew(mint("blue", 60), f"/mine?access_token={selector}").status == 204
    pump(streams, lambda: blue.ended and other.ended and len(named.events) == 4)
    assert not red.ended and not named.ended
    assert [event.event for event in named.events[2:]] == ["reset", "message"]
    assert json.loads(named.events[2].data)["reason"] == "selection"
    kafka.produce(topic, Record(b"red", b"3"), Record(b"blue", b"4"))
    pump([red, named], lambda: len(red.events) == 3 and len(named.events) == 5)
    assert red.events[2].data == b"3" and named.events[4].data == b"4"
    assert eventid.tag(named.events[0].id) == eventid.tag(red.events[0].id)
    assert eventid.tag(named.events[4].id) != eventid.tag(red.events[0].id)


def test_a_renewal_names_a_stream_by_its_handle(kafka, topic, selecting, guard, tmp_path):
    """PROTOCOL 5.4, 11.13. Whichever responder of the pool gets it; a stranger's is another handle."""
    kafka.produce(topic, Record(b"red", b"1"), Record(b"blue", b"2"))
    window = 3
    peers = tmp_path / "peers"
    peers.mkdir(mode=0o700)
    options = [topic, {"/mine": [{"key": "{claim:tenant}"}]}, "--challenge", str(window), "--peer-dir", str(peers)]
    pool = [selecting(*options, **guard) for _ in range(2)]

    def mint(sub: str, tenant: str, ttl: float) -> dict[str, str]:
        return bearer(rsa_key().mint(ttl, sub=sub, tenant=tenant))

    handles = [secrets.token_urlsafe(24) for _ in range(2)]
    named, other = (
        pool[0].open(target=f"/mine?stream={handle}", headers=mint("alice", "red", window + 2)) for handle in handles
    )
    pump([named, other], lambda: all(len(stream.events) == 2 for stream in (named, other)))

    def renew(sub: str, tenant: str, handle: str):
        headers = mint(sub, tenant, 60) | {"Content-Type": RENEWAL}
        return pool[1].send("POST", f"/mine?stream={handle}", headers).wait_end()

    assert refused(renew("alice", "red", "short")) == (400, "stream_invalid")
    assert renew("bob", "red", handles[1]).status == 204
    assert renew("alice", "blue", handles[0]).status == 204
    pump([named, other], lambda: other.ended and len(named.events) == 4)
    assert [event.event for event in named.events[2:]] == ["reset", "message"]
    assert named.events[3].data == b"2" and not named.ended


def test_a_quiet_stream_is_told_where_it_is(kafka, topic, selecting):
    """PROTOCOL 11.11, 11.12, 11.14: with the offsets of all."""
    kafka.produce(topic, Record(b"a", b"1"))
    responder = selecting(topic, {"/of/{key}": [{"key": "{key}"}], "/all": None}, *KEEPALIVE)
    stream = responder.open(target="/of/a")
    first = stream.next()
    stream.wait(lambda: stream.comments[1:])
    assert not stream.places
    kafka.produce(topic, Record(b"b", b"2"), Record(b"b", b"3"))
    stream.wait(lambda: stream.places)
    assert eventid.decode(stream.places[0]) == {0: 3}
    assert eventid.tag(stream.places[0]) == eventid.tag(first.id)
    stream.close()
    kafka.produce(topic, Record(b"a", b"4"))
    again = responder.open(stream.places[0], target="/of/a")
    assert told(again, 1) == messages(b"4")


def test_an_id_with_its_key_has_the_tag_too(kafka, topic, selecting):
    """PROTOCOL 2.14, 11.9, 11.14."""
    kafka.produce(topic, Record(b"a", b"1"))
    responder = selecting(topic, {"/of/{key}": [{"key": "{key}"}]}, "--event-id", "key", *KEEPALIVE)
    stream = responder.open(target="/of/a")
    key, place = json.loads(stream.next().id)
    assert base64.urlsafe_b64decode(key) == b"a" and len(eventid.tag(place)) == 8
    kafka.produce(topic, Record(b"b", b"2"))
    stream.wait(lambda: stream.places)
    stream.close()
    key, bare = json.loads(stream.places[0])
    assert key is None and eventid.tag(bare) == eventid.tag(place)
    kafka.produce(topic, Record(b"a", b"3"))
    assert told(responder.open(stream.places[0], target="/of/a"), 1) == messages(b"3")


def test_a_client_says_where_it_starts(kafka, selecting):
    """PROTOCOL 12.1, 12.2, 12.4, 12.6, 12.7."""
    topic = kafka.log_topic()
    for i, (key, ms) in enumerate(((b"a", 1000), (b"b", 2000), (b"a", 3000), (b"b", 2500))):
        kafka.produce(topic, Record(key, str(i).encode(), timestamp=1764498600000 + ms))
    responder = selecting(topic, {"/all": None, "/a": [{"key": "a"}]})

    def gets(target: str, last_event_id: str | None = None) -> list[bytes]:
        stream = responder.open(last_event_id, target=target)
        kafka.produce(topic, Record(b"a", b"end"))
        got = [event.data for event in stream.take_until(b"end")]
        while got.count(b"end") < ends + 1:
            got += [event.data for event in stream.take_until(b"end")]
        return [data for data in got if data != b"end"]

    ends = 0  # of before, which are there, too
    for target, expected in (
        ("/all", [b"0", b"1", b"2", b"3"]),
        ("/all?from=earliest", [b"0", b"1", b"2", b"3"]),
        ("/a", [b"0", b"2"]),
        ("/all?from=1764498603000", [b"2", b"3"]),
        ("/a?from=1764498603000", [b"2"]),
        ("/all?from=2025-11-30T12:30:01.5%2B02:00", [b"1", b"2", b"3"]),
        ("/all?from=2025-11-30T12:30:01.5+02:00", [b"1", b"2", b"3"]),
    ):
        assert gets(target) == expected, target
        ends += 1
    last = responder.open(target=f"/all?from=-{ends + 2}")  # what comes meanwhile would count, too
    assert [event.data for event in last.take(ends + 2)] == [b"2", b"3"] + ends * [b"end"]
    assert gets("/all?from=nonsense", eventid.encode({0: 3})) == [b"3"]
    for wrong in ("newest", "-0", "-10001", "", "latest&from=latest", "2025-11-30"):
        assert refused(responder.send(target=f"/all?from={wrong}")) == (400, "from_invalid"), wrong


def test_one_that_starts_at_the_latest_is_told_its_place(kafka, topic, selecting):
    """PROTOCOL 12.1, 12.3."""
    kafka.produce(topic, Record(b"a", b"1"), Record(b"b", b"2"))
    routes = {"/all": None, "/a": [{"key": "a"}]}
    responder = selecting(topic, routes, "--from", "latest")
    for target in routes:
        stream = responder.open(target=target)
        stream.wait(lambda: stream.places)  # noqa: B023
        assert eventid.decode(stream.places[0]) == {0: 2} and not stream.events
        stream.close()
    kafka.produce(topic, Record(b"b", b"3"), Record(b"a", b"4"))
    assert told(responder.open(stream.places[0], target="/a"), 1) == messages(b"4")
    assert told(responder.open(target="/a?from=earliest"), 1) == messages(b"4")


def test_what_was_lost_before_a_time_is_told(kafka, selecting):
    """PROTOCOL 12.5, 12.8."""
    topic = kafka.log_topic()
    kafka.produce(topic, *(Record(b"a", str(i).encode(), timestamp=1764498600000) for i in range(4)))
    kafka.delete_records(topic, 2)
    responder = selecting(topic, {"/all": None})
    gap, two, three = responder.open(target="/all?from=1000").take(3)
    assert (gap.event, json.loads(gap.data)) == ("gap", {"partition": 0, "from": 0, "to": 2})
    assert (two.data, three.data) == (b"2", b"3")
    for target, rest in (("-1", [b"3"]), ("nonsense", [b"2", b"3"])):
        reset, *events = responder.open("nonsense", target=f"/all?from={target}").take(1 + len(rest))
        assert reset.event == "reset" and [event.data for event in events] == rest


def test_lighttpd_hands_on_what_is_selected_and_the_tag(kafka, topic, selecting, front):
    kafka.produce(topic, Record(b"a b", b"1"), Record(b"c", b"2"))
    http = front(topic, [selecting(topic, {"/events": None})]).http
    stream = HttpReader(http, "/events?key=a+b&from=earliest").wait_started()
    first = stream.next()
    assert first.data == b"1" and eventid.tag(first.id)
    stream.close()
    kafka.produce(topic, Record(b"c", b"3"), Record(b"a b", b"4"))
    again = HttpReader(http, "/events?key=a%20b", {"Last-Event-ID": first.id}).wait_started()
    assert told(again, 1) == messages(b"4")
    assert refused(HttpReader(http, "/events?field:a=1")) == (400, "filter_unknown")


def test_metrics_say_how_many_keys_are_wanted_and_what_nobody_did(kafka, topic, selecting):
    responder = selecting(topic, {"/of/{key}": [{"key": "{key}"}]})
    streams = [responder.open(target=f"/of/{key}") for key in ("a", "b", "b")]

    def value(name: str) -> int:
        text = responder.send(target="/metrics", params={"SKF_ADMIN": "1"}).wait_end().body.decode()
        [line] = [line for line in text.splitlines() if line.startswith(f"sse_kafka_fanout_{name}")]
        return int(line.rsplit(" ", 1)[1])

    wait_until(lambda: value("index_keys") == 2)
    kafka.produce(topic, Record(b"c", b"1"), Record(b"c", b"2"), Record(b"a", b"3"))
    assert streams[0].next().data == b"3"
    assert value("records_unwanted_total") == 2
    reset = responder.open("nonsense", target="/of/a").next()
    assert reset.event == "reset"
    labels = f'responder="{responder.name}",pool="open",topic="{topic}",reason="id_malformed"'
    assert value(f"resets_total{{{labels}}}") == 1


def written(heading: str) -> dict:
    """The configuration in that section of README.md."""
    section = (REPOSITORY / "README.md").read_text().partition(f"\n### {heading}\n")[2]
    return json.loads(section.partition("```json\n")[2].partition("```")[0])


def test_each_user_gets_their_own_records_as_the_readme_says(kafka, start, tmp_path, guard):
    said = written("Each user their own records")
    assert len(json.dumps(said, indent=None)) < 600
    topic = kafka.topic()
    said |= guard | {"brokers": kafka.brokers, "topics": {topic: {}}}
    for route in said["routes"]:
        route["topic"] = topic
    (tmp_path / "own.json").write_text(json.dumps(said))
    kafka.produce(topic, Record(b"alice", b"1"), Record(b"bob", b"2"), Record(b"alice", b"3"))
    responder = start(None, "--config", str(tmp_path / "own.json"))
    alice, help_desk = rsa_key().mint(sub="alice"), rsa_key().mint(scope=f"{SCOPE} support", sub="x")
    mine = responder.open(target="/mine", headers=bearer(alice))
    assert told(mine, 1) == messages(b"3")
    assert refused(responder.send(target="/orders/bob", headers=bearer(alice))) == (403, "scope_missing")
    bob = responder.open(target="/orders/bob", headers=bearer(help_desk))
    assert told(bob, 1) == messages(b"2")
    kafka.produce(topic, Record(b"bob", b"4"), Record(b"alice", None))
    assert told(mine, 1) == [("delete", b"YWxpY2U=")] and told(bob, 1) == messages(b"4")
    nobody = bearer(rsa_key().mint(sub=None))
    assert refused(responder.send(target="/mine", headers=nobody)) == (403, "claim_missing")

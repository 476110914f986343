"""For whom a token is, and whose it is, by other claims: --audience-claim and --identity."""

import pytest

from sse import pump
from test_guard import assert_invalid, assert_refused, guarded, keys, refused_start  # noqa: F401
from test_renewal import WINDOW, assert_end, at_responder, peers, pool  # noqa: F401
from tokens import AUDIENCE, bearer, in_url, renew, rsa_key, send_renewal


def test_the_audience_may_be_in_another_claim(guarded):
    """As in Cognito's access tokens, which have no `aud`. PROTOCOL 4.5."""
    responder = guarded("--audience-claim", "client_id")
    good = rsa_key().mint(aud=None, client_id=AUDIENCE)
    assert responder.open(target=in_url(good)).status == 200
    for said in (None, "x", [], {AUDIENCE: AUDIENCE}, {"id": AUDIENCE}, 7, True):
        bad = rsa_key().mint(aud=AUDIENCE, client_id=said)
        assert_invalid(responder.send("GET", in_url(bad)))


@pytest.mark.parametrize("option", ["--audience-claim", "--identity"])
def test_another_claim_without_keys_ends_the_start(option):
    assert option.strip("-") in refused_start(option, "x")
    assert "empty" in refused_start(option, "")


def test_streams_are_limited_by_the_identity(guarded):
    """PROTOCOL 4.9."""
    responder = guarded("--identity", "user.id", "--max-streams-per-subject", "1")

    def came_in(token: str) -> bool:
        answer = responder.send(headers={"Accept": "text/event-stream"} | bearer(token))
        answer.wait_started()
        opened.append(answer)
        return answer.retry[0] < 10000  # else it was told to come back

    opened = []
    assert came_in(rsa_key().mint(user={"id": "u7"}))
    assert not came_in(rsa_key().mint(user={"id": "u7"}, sub="bob"))
    assert came_in(rsa_key().mint(user={"id": "u8"}))
    # What is no text is nobody's: such a token counts by itself.
    for said in ({"id": ""}, {"id": 7}, {"id": ["u7"]}, {"id": {"u7": 1}}, {"id": None}, "u7", None):
        token = rsa_key().mint(user=said)
        assert came_in(token) and not came_in(token)


def test_renewals_are_by_the_identity(pool):
    """PROTOCOL 4.9."""
    here, there = pool(2, "--identity", "uid")

    def mint(ttl: float, uid: str | None, sub: str) -> str:
        return rsa_key().mint(ttl, uid=uid, sub=sub)

    mine, other = mint(WINDOW + 1, "u7", "alice"), mint(WINDOW + 1, "u8", "alice")
    nobody = mint(WINDOW + 1, None, "alice")
    kept = [at_responder(here, mine, url=False), at_responder(there, mine)]
    over = [at_responder(there, other, url=False), at_responder(here, nobody, url=False)]
    pump(kept + over, lambda: all(stream.events for stream in kept + over))
    assert renew(there, mint(60, "u7", "bob")) == 204
    assert renew(here, mint(60, "u7", "bob"), mine) == 204
    for new in (mint(60, "u8", "alice"), mint(60, None, "alice")):
        assert_refused(send_renewal(here, new, mine), 403)
    assert renew(here, mint(60, None, "alice")) == 204, "renews nothing"
    pump(kept + over, lambda: all(stream.ended for stream in over))
    assert not any(stream.ended for stream in kept)
    for stream in over:
        assert_end(stream, other)

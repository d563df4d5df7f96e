"""Consistency tokens and preferences, as far as they need no database."""

from typing import Any

import pytest
from bson import Binary, Int64, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from api import watch
from api.consistency import BadToken, Moment, TokenSigner
from api.preferences import EVENTUAL, PARTIAL, ROUTE_REPORT, Reading, wishes_in

KEY = ("a", "f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70")
SIGNER = TokenSigner([KEY])


def moment(seconds: int) -> Moment:
    signed = {"hash": Binary(b"h" * 20), "keyId": Int64(7610614736215212058)}
    return Moment(Timestamp(seconds, 3), {"clusterTime": Timestamp(seconds + 1, 1), "signature": signed})


def test_a_token_gives_back_its_moment() -> None:
    """With the cluster's own signature, which the router checks."""
    assert SIGNER.open(SIGNER.seal(moment(1_795_267_483))) == moment(1_795_267_483)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    """Whichever character: a made-up time would make reads wait for ever."""
    token = SIGNER.seal(moment(1_795_267_483))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[place]))

    with pytest.raises(BadToken):
        SIGNER.open(token[:place] + other + token[place + 1 :])


@given(st.text())
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        SIGNER.open(text)


def test_tokens_survive_a_rotation_of_keys() -> None:
    """And are nothing to a service with other keys."""
    token = SIGNER.seal(moment(5))
    assert TokenSigner([("b", "0" * 40), KEY]).open(token) == moment(5)
    with pytest.raises(BadToken):
        TokenSigner([("b", "0" * 40)]).open(token)


def test_the_latest_moment_of_a_request_is_kept() -> None:
    """Shards differ in their times."""
    watch.begin()
    watch.keep_moment()
    for seconds in (5, 9, 7):
        found = moment(seconds)
        watch._remember({"operationTime": found.operation_time, "$clusterTime": found.cluster_time})
    watch._remember({"ok": 1})

    assert watch.moment() == moment(9)
    watch.begin()
    assert watch.moment() is None


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        ("", set()),
        ("partial", {PARTIAL}),
        ("consistency=eventual, Partial", {EVENTUAL, PARTIAL}),
        ('consistency = "eventual"; x=1', {EVENTUAL}),
        ("consistency=strong, respond-async, wait=5", set()),
        ("route-report,,;", {ROUTE_REPORT}),
    ],
)
def test_known_wishes_are_read_and_others_passed_over(header: str, wishes: set[str]) -> None:
    """RFC 7240: a preference that is not understood is no error."""
    assert wishes_in(header) == wishes


@pytest.mark.parametrize(
    ("reading", "applied"),
    [
        (Reading(frozenset((EVENTUAL,))), [EVENTUAL]),
        (Reading(frozenset((PARTIAL,))), []),
        (Reading(frozenset((PARTIAL,)), is_partial=False), [PARTIAL]),
        (Reading(frozenset((ROUTE_REPORT,)), commands=[{"find": "tasks"}]), [ROUTE_REPORT]),
    ],
)
def test_only_what_was_done_is_told(reading: Reading, applied: list[Any]) -> None:
    """A list of one shard cannot be partial."""
    assert reading.applied == applied

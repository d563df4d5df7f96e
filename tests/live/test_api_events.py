"""Events: the owned resource without projects. On a real cluster, through a real server."""

from base64 import urlsafe_b64decode
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from api_support import Caller, assert_problem, at_once, ok, sign_up, statuses
from support import Login

from cluster.run.services import Services

EVENT = {"starts_at": "2030-12-31T20:00:00Z", "venue": "Town hall"}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    return Caller(api.url, admin.headers)


def make(who: Caller, **fields: Any) -> dict[str, Any]:
    """A new event of theirs."""
    return ok(who.post("/events", {**EVENT, **fields}), 201)


def test_an_event_is_made_read_changed_and_deleted(ada: Caller) -> None:
    """The whole life of one, by its versions."""
    made = ada.post("/events", {**EVENT, "title": "Party", "ends_at": "2031-01-01T02:00:00+01:00"})
    event = ok(made, 201)
    path = f"/events/{event['id']}"
    assert (made.headers["Location"], made.headers["ETag"]) == (f"/api/v1{path}", '"1"')
    assert (event["ends_at"], event["address"], event["owner_id"]) == ("2031-01-01T01:00:00.000Z", "", ada.id)
    assert ok(ada.get(path)) == event
    assert ada.get(path, headers={"If-None-Match": '"1"'}).status_code == 304

    assert ok(ada.patch(path, {"venue": "$title"}, match='"1"'))["venue"] == "$title"
    assert_problem(ada.patch(path, {"venue": "x"}, match='"1"'), 412)
    assert_problem(ada.call("PATCH", path, json={"venue": "x"}), 428)
    replaced = ok(ada.put(path, EVENT, match='"2"'))
    assert (replaced["title"], replaced["ends_at"], replaced["version"]) == ("", None, 3)

    ok(ada.delete(path, match='"3"'), 204)
    assert_problem(ada.get(path), 404)


def test_a_repeated_event_with_its_key_is_made_once(ada: Caller) -> None:
    key = {"Idempotency-Key": ada.id}
    first, second = (ada.post("/events", EVENT, headers=key) for _ in range(2))

    assert ok(first, 201) == ok(second, 201)
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/starts_at"),
        ({"starts_at": "8pm"}, "/starts_at"),
        ({"starts_at": {"$gt": ""}}, "/starts_at"),
        ({**EVENT, "ends_at": "2030-12-31T19:00:00Z"}, "/ends_at"),
        ({**EVENT, "venue": "x" * 201}, "/venue"),
        ({**EVENT, "address": ["x"]}, "/address"),
        ({**EVENT, "owner_id": "0" * 24}, "/owner_id"),
        ({**EVENT, "version": 2}, "/version"),
        ({**EVENT, "date": "2030-12-31"}, "/date"),
    ],
)
def test_bad_input_names_the_field(ada: Caller, body: dict[str, Any], pointer: str) -> None:
    answer = ada.post("/events", body)

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_an_event_never_comes_to_end_before_it_starts(ada: Caller) -> None:
    """Whichever of the two is changed."""
    path = f"/events/{make(ada, ends_at='2030-12-31T22:00:00Z')['id']}"

    assert_problem(ada.patch(path, {"starts_at": "2030-12-31T23:00:00Z"}), 422)
    assert_problem(ada.patch(path, {"ends_at": "2030-12-31T19:00:00Z"}), 422)
    both = {"starts_at": "2031-01-01T20:00:00Z", "ends_at": "2031-01-01T21:00:00Z"}
    assert ok(ada.patch(path, both))["version"] == 2
    assert ok(ada.patch(path, {"ends_at": None}))["ends_at"] is None


def test_an_event_is_its_owners_and_admins(ada: Caller, api: Services, boss: Caller) -> None:
    """To others it does not exist, whatever they would do."""
    path, stranger = f"/events/{make(ada)['id']}", sign_up(api.url)

    assert_problem(stranger.get(path), 404)
    assert_problem(stranger.patch(path, {"ends_at": "2000-01-01T00:00:00Z"}), 404)
    assert_problem(stranger.put(path, EVENT), 404)
    assert_problem(stranger.delete(path), 404)
    assert ok(boss.patch(path, {"title": "by an admin"}))["owner_id"] == ada.id
    ok(boss.delete(path), 204)


def pages(who: Caller, **query: str) -> Iterator[dict[str, Any]]:
    """Every event of a list, page by page."""
    cursor: str | None = None
    while True:
        page = ok(who.get("/events", params={**query, "limit": "2", "cursor": cursor or None}))
        yield from page["data"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            return


def item_part(public_id: str) -> bytes:
    """Its own part of a public id: base64url does not sort as bytes do."""
    return urlsafe_b64decode(public_id)[12:]


def test_lists_are_in_order_both_ways(api: Services, boss: Caller) -> None:
    """Equal times too; and everybody's are for admins."""
    who = sign_up(api.url)
    made = [make(who, starts_at=f"2030-01-0{day}T00:00:00Z")["id"] for day in (3, 1, 2, 1, 2)]
    by_id = sorted(made, key=item_part)

    assert [event["id"] for event in pages(who)] == by_id[::-1]
    assert [event["id"] for event in pages(who, sort="id")] == by_id
    rising = [*sorted((made[1], made[3]), key=item_part), *sorted((made[2], made[4]), key=item_part), made[0]]
    assert [event["id"] for event in pages(who, sort="starts_at")] == rising
    assert [event["id"] for event in pages(who, sort="-starts_at")] == rising[::-1]
    late = {"starts_at__gte": "2030-01-02T00:00:00Z", "starts_at__lt": "2030-01-03T00:00:00Z"}
    assert [event["id"] for event in pages(who, **late)] == rising[2:4]
    assert_problem(who.get("/events", params={"scope": "all"}), 403)
    everybodys = [event["id"] for event in pages(boss, scope="all")]
    assert set(made) <= set(everybodys)


def test_events_are_paged_by_offset_and_counted(api: Services, boss: Caller) -> None:
    """As data providers of dashboards do it; and with some fields alone."""
    who = sign_up(api.url)
    made = [make(who, starts_at=f"2030-01-0{day}T00:00:00Z")["id"] for day in (1, 2, 3)]

    answer = who.get("/events", params={"offset": 1, "limit": 1, "sort": "starts_at", "fields": "venue"})

    assert ok(answer)["data"] == [{"id": made[1], "venue": "Town hall"}]
    assert answer.headers["Content-Range"] == "events 1-1/3"
    late = {"starts_at__gt": "2030-01-01T00:00:00Z", "count": "exact"}
    assert who.get("/events", params=late).headers["X-Total-Count"] == "2"
    everybodys = boss.get("/events", params={"scope": "all", "count": "estimated"})
    assert int(everybodys.headers["X-Total-Count"]) >= 3


@pytest.mark.parametrize(
    "query",
    [
        {"offset": "1", "cursor": "x"},
        {"fields": "owner"},
        {"sort": "title"},
        {"sort": "id", "starts_at__gt": "2030-01-01T00:00:00Z"},
        {"starts_at": "2030-01-01T00:00:00Z"},
        {"starts_at__gte": "8pm"},
        {"venue": "x"},
        {"limit": "0"},
        {"scope": "assigned"},
        {"cursor": "x"},
    ],
)
def test_a_list_is_asked_only_what_an_index_serves(ada: Caller, query: dict[str, str]) -> None:
    assert_problem(ada.get("/events", params=query), 422)


def test_two_changes_at_once_do_not_make_an_event_end_before_it_starts(ada: Caller) -> None:
    """Each is right for what it has read; the one that comes second is refused by the database."""
    for _ in range(15):
        path = f"/events/{make(ada, starts_at='2031-01-01T20:00:00Z', ends_at='2031-01-01T22:00:00Z')['id']}"
        changes = ({"starts_at": "2031-01-01T21:30:00Z"}, {"ends_at": "2031-01-01T21:00:00Z"})

        answers = at_once([partial(ada.patch, path, change) for change in changes])

        assert statuses(answers) == {200: 1, 422: 1}
        refused = next(answer for answer in answers if answer.status_code == 422)
        assert refused.json()["errors"][0]["pointer"] == "/ends_at"

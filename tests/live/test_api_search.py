"""Searches: of events, and of tasks by scope, with the bounds that all have. On a real cluster."""

from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, sign_up

from cluster.run.services import Services

RULE = {"field": "title", "operator": "like", "value": "PARTY"}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    """Somebody with six events, the last three of which are parties; in the hall are the even ones."""
    who = sign_up(api.url, name="Ada")
    for number in range(6):
        title, venue = "Party" if number > 2 else "Talk", "Town hall" if number % 2 == 0 else ""
        day = f"2030-01-0{number + 1}T00:00:00Z"
        ok(who.post("/events", {"title": title, "venue": venue, "starts_at": day}), 201)
    return who


def both(*rules: Any, condition: str = "AND") -> dict[str, Any]:
    return {"condition": condition, "rules": list(rules)}


def found(who: Caller, path: str, filters: Any, **body: Any) -> list[Any]:
    return list(ok(who.post(path, {"filters": filters, **body}))["data"])


def test_events_are_searched_by_groups_of_rules(api: Services, ada: Caller) -> None:
    """The caller's own alone, in the order asked for."""
    other = sign_up(api.url)
    ok(other.post("/events", {"title": "Party", "starts_at": "2030-01-01T00:00:00Z"}), 201)
    late = {"field": "starts_at", "operator": "gte", "value": "2030-01-05T00:00:00Z"}
    in_hall = {"field": "venue", "operator": "eq", "value": "Town hall"}

    days = [each["starts_at"][8:10] for each in found(ada, "/events/search", both(RULE), sort="starts_at")]
    assert days == ["04", "05", "06"]
    nested = both(RULE, both(late, in_hall), condition="OR")
    days = [each["starts_at"][8:10] for each in found(ada, "/events/search", nested, sort="-starts_at")]
    assert days == ["06", "05", "04"]
    assert len(found(ada, "/events/search", both(both(both(RULE, in_hall))))) == 1
    assert found(other, "/events/search", both(in_hall)) == []


def test_a_search_is_paged_counted_and_shown_as_a_list_is(ada: Caller) -> None:
    body = {"filters": both(RULE), "sort": "starts_at", "limit": 2, "fields": ["title"], "expand": ["owner"]}
    page = ok(ada.post("/events/search", body))
    rest = ok(ada.post("/events/search", {**body, "cursor": page["pagination"]["next_cursor"]}))
    whole = page["data"] + rest["data"]
    assert len(whole) == 3
    assert all(set(each) == {"id", "title", "owner"} and each["owner"]["name"] == "Ada" for each in whole)

    second = ada.post("/events/search", {**body, "offset": 1})
    assert ok(second)["data"] == whole[1:]
    assert second.headers["Content-Range"] == "events 1-2/3"
    assert ok(ada.post("/events/search", {**body, "count": "exact"}))["pagination"]["total"] == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filters": both(both(both(both(RULE))))},
        {"filters": both(*[RULE] * 31)},
        {"filters": both(both(*[RULE] * 16), both(*[RULE] * 15))},
        {"filters": both({**RULE, "field": "status"})},
        {"filters": both({**RULE, "field": "owner_id"})},
        {"filters": both({**RULE, "value": {"$ne": ""}})},
        {"filters": both({**RULE, "field": "starts_at", "operator": "exists", "value": True})},
        {"filters": both(RULE), "sort": "title"},
        {"filters": both(RULE), "fields": "title"},
        {"filters": both(RULE), "expand": ["project"]},
        {"filters": both(RULE), "offset": 10_001},
        {"filters": both(RULE), "scope": "all"},
    ],
)
def test_a_bad_search_is_refused(ada: Caller, body: Any) -> None:
    """Groups to three deep, thirty rules in all, fields and operators from a list."""
    assert_problem(ada.post("/events/search", body), 422)


def test_deep_nesting_is_refused_without_following_it(ada: Caller) -> None:
    text = '{"condition":"AND","rules":[' * 900 + "]}" * 900
    sent = {"data": f'{{"filters":{text}}}', "headers": {"Content-Type": "application/json"}}
    assert ada.call("POST", "/events/search", **sent).status_code in (400, 422)


def test_tasks_are_searched_in_a_scope(api: Services, ada: Caller) -> None:
    """One's own, those one is given, those of a project that one is in."""
    bob = sign_up(api.url)
    project_id = ok(ada.post("/projects", {"name": "Garden"}), 201)["id"]
    own = bob.task(title="party of Bob")
    given = ada.task(title="party for Bob", assignee_id=bob.id, due_at="2030-01-01T00:00:00Z")
    shared = ada.task(title="party of all", project_id=project_id)
    in_project = {"scope": "project", "project_id": project_id}

    assert found(bob, "/tasks/search", both(RULE)) == [own]
    assert found(bob, "/tasks/search", both(RULE), scope="assigned") == [given]
    assert_problem(bob.post("/tasks/search", {"filters": both(RULE), **in_project}), 422)
    ok(ada.call("PUT", f"/projects/{project_id}/members/{bob.id}"), 204)
    assert found(bob, "/tasks/search", both(RULE), **in_project) == [shared]
    for more in ({"scope": "all"}, {"scope": "project"}, {"scope": "assigned", "sort": "priority"}):
        assert_problem(bob.post("/tasks/search", {"filters": both(RULE), **more}), 422)

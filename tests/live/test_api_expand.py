"""Names beside ids: `expand` on lists and items, what it hides, what it costs. On a real cluster."""

from dataclasses import replace
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, sign_up
from bson import ObjectId
from pymongo.database import Database
from two_routers import door, newcomer

from cluster.local import LocalCluster
from cluster.run.services import Services

HOURLY = {"kind": "interval", "every_s": 3600}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url, name="Ada Lovelace")


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    return sign_up(api.url, name="Bob")


def person(who: Caller, name: str) -> dict[str, str]:
    return {"id": who.id, "username": who.username, "name": name}


def test_tasks_have_names_beside_their_ids(ada: Caller, bob: Caller) -> None:
    """Of those fields that are asked for; null where there is no id. With `fields`, and of the one task alone."""
    project = ok(ada.post("/projects", {"name": "Garden"}), 201)
    ok(ada.call("PUT", f"/projects/{project['id']}/members/{bob.id}"), 204)
    ada.task(title="nobody's", due_at="2031-01-02T00:00:00Z")
    given = ada.task(title="given", due_at="2031-01-01T00:00:00Z", project_id=project["id"], assignee_id=bob.id)
    all_three = {"expand": "owner,assignee,project"}

    first, second = ok(ada.get("/tasks", params={**all_three, "sort": "due_at", "limit": 2}))["data"]

    assert first == {
        **given,
        "owner": person(ada, "Ada Lovelace"),
        "assignee": person(bob, "Bob"),
        "project": {"id": project["id"], "name": "Garden"},
    }
    assert (second["assignee"], second["project"]) == (None, None)
    few = ok(ada.get("/tasks", params={"expand": "assignee", "fields": "title", "sort": "due_at", "limit": 1}))["data"]
    assert few == [{"id": given["id"], "title": "given", "assignee": person(bob, "Bob")}]
    for path, params in (
        (f"/tasks/{given['id']}", {}),
        ("/tasks", {"id": given["id"]}),
        ("/tasks", {"scope": "project", "project_id": project["id"]}),
        (f"/projects/{project['id']}/tasks", {}),
    ):
        found = ok(bob.get(path, params={**params, **all_three}))
        assert found.get("data", [found]) == [first], path
    assert "owner" not in ok(ada.get(f"/tasks/{given['id']}"))


def test_what_the_caller_may_not_see_has_its_id_alone(ada: Caller, bob: Caller, db: Database[dict[str, Any]]) -> None:
    """A project that one is not in, and whoever is gone."""
    project = ok(ada.post("/projects", {"name": "Secret"}), 201)
    ok(ada.call("PUT", f"/projects/{project['id']}/members/{bob.id}"), 204)
    task = ada.task(project_id=project["id"], assignee_id=bob.id)
    # As it is until the worker has taken the tasks off who has left.
    db["projects"].update_one({"_id": ObjectId(project["id"])}, {"$set": {"member_ids": []}})

    found = ok(bob.get(f"/tasks/{task['id']}", params={"expand": "project"}))
    listed = ok(bob.get("/tasks", params={"scope": "assigned", "expand": "project", "id": task["id"]}))["data"]
    assert found["project"] == listed[0]["project"] == {"id": project["id"]}
    assert ok(ada.get(f"/tasks/{task['id']}", params={"expand": "project"}))["project"]["name"] == "Secret"

    gone = ObjectId()
    db["tasks"].update_one(
        {"owner_id": ObjectId(ada.id), "project_id": ObjectId(project["id"])}, {"$set": {"assignee_id": gone}}
    )
    assert ok(ada.get(f"/tasks/{task['id']}", params={"expand": "assignee"}))["assignee"] == {"id": str(gone)}


def test_events_and_projects_have_the_name_of_their_owner(ada: Caller) -> None:
    own = person(ada, "Ada Lovelace")
    event = ok(ada.post("/events", {"starts_at": "2030-01-01T00:00:00Z"}), 201)
    project = ok(ada.post("/projects", {"name": "Garden"}), 201)
    for plural, item in (("events", event), ("projects", project)):
        assert ok(ada.get(f"/{plural}/{item['id']}", params={"expand": "owner"})) == {**item, "owner": own}
        assert {**item, "owner": own} in ok(ada.get(f"/{plural}", params={"expand": "owner"}))["data"]


def test_reminders_have_the_title_of_their_task(ada: Caller, bob: Caller) -> None:
    """As long as one sees it."""
    task = ada.task(title="Water the roses", assignee_id=bob.id)
    reminder = ok(bob.post("/reminders", {"task_id": task["id"], "schedule": HOURLY}), 201)
    path, asked = f"/reminders/{reminder['id']}", {"expand": "task"}

    assert ok(bob.get(path, params=asked))["task"] == {"id": task["id"], "title": "Water the roses"}
    ok(ada.patch(f"/tasks/{task['id']}", {"assignee_id": None}))
    assert ok(bob.get(path, params=asked))["task"] == {"id": task["id"]}
    assert ok(bob.get("/reminders", params=asked))["data"][0]["task"] == {"id": task["id"]}


def test_an_expanded_item_is_never_called_unchanged(api: Services, ada: Caller) -> None:
    """Names change without its version. Its weak ETag is that of a write all the same."""
    who = sign_up(api.url, name="Before")
    path = f"/tasks/{ada.task(assignee_id=who.id)['id']}"
    first = ada.get(path, params={"expand": "assignee"})
    assert first.headers["ETag"] == 'W/"1"'
    ok(who.patch("/me", {"name": "After"}))

    again = ada.get(path, params={"expand": "assignee"}, headers={"If-None-Match": 'W/"1"'})

    assert ok(again)["assignee"]["name"] == "After"
    assert ada.get(path, headers={"If-None-Match": 'W/"1"'}).status_code == 304
    assert ok(ada.patch(path, {"priority": 1}, match=again.headers["ETag"]))["version"] == 2


def test_a_page_takes_one_query_for_each_kind_of_name(cluster: LocalCluster) -> None:
    """However many tasks, people and projects there are on it."""
    with door(cluster, 0) as found:
        who = replace(found, headers=newcomer(found))
        for _ in range(3):
            project_id = who.call("POST", "/projects", {"name": "Garden"}).get_json()["id"]
            other = who.call("GET", "/me", headers=newcomer(found)).get_json()["id"]
            assert who.call("PUT", f"/projects/{project_id}/members/{other}").status_code == 204
            body = {"title": "x", "project_id": project_id, "assignee_id": other}
            assert who.call("POST", "/tasks", body).status_code == 201

        page = who.call("GET", "/tasks", expand="owner,assignee,project").get_json()["data"]

        assert {each["project"]["name"] for each in page} == {"Garden"}
        assert len({each["assignee"]["username"] for each in page}) == 3
        sent = [each["comment"] for each in who.recorder.commands if each["comment"] != "sessions.find_session"]
        lists = [name for name in sent if ".list_" in name]
        assert lists == ["tasks.list_tasks_of_owner", "users.list_names", "projects.list_names"]


@pytest.mark.parametrize(
    ("path", "words"), [("/tasks", "members"), ("/tasks", ""), ("/tasks", "owner_id"), ("/projects", "members")]
)
def test_nothing_else_is_expanded(ada: Caller, path: str, words: str) -> None:
    """Members of a project have a list of their own, page by page."""
    assert_problem(ada.get(path, params={"expand": words}), 422)

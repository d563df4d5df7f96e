"""react-admin's `ra-data-simple-rest`, the package as it comes, as a client. On a real cluster, through a real server.

The package is npm's; `npm install --prefix tests/node` puts it where these tests look.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_support import PASSWORD, Caller, assert_problem, ok, registration, sign_up
from support import Login

from cluster.run.services import ADMIN_USERNAME, Services

NODE = Path(__file__).parents[1] / "node"

needs_node = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (NODE / "node_modules" / "ra-data-simple-rest").exists(),
        reason="ra-data-simple-rest is not installed: npm install --prefix tests/node",
    ),
]


class Refused(Exception):
    """What the provider throws for a problem."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.status: int = error["status"]
        self.body: Any = error["body"]


class Provider:
    """The data provider of a dashboard that somebody has logged in to."""

    def __init__(self, who: Caller, password: str = PASSWORD) -> None:
        login = {"API_URL": f"{who.url}/api/v1", "LOGIN_NAME": who.username, "LOGIN_PASSWORD": password}
        self._process = subprocess.Popen(
            ["node", NODE / "provider.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={"PATH": os.environ["PATH"], **login},
        )  # fmt: skip

    def call(self, method: str, resource: str, **params: Any) -> Any:
        """What a method gives; raises `Refused`."""
        pipes = self._process
        assert pipes.stdin is not None and pipes.stdout is not None
        print(json.dumps({"method": method, "resource": resource, "params": params}), file=pipes.stdin, flush=True)
        answer = json.loads(pipes.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["value"]

    def rows(self, resource: str, field: str, order: str, page: int = 1, per_page: int = 25, **asked: Any) -> Any:
        """`getList`."""
        pagination, sort = {"page": page, "perPage": per_page}, {"field": field, "order": order}
        return self.call("getList", resource, pagination=pagination, sort=sort, filter=asked)

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture(scope="module")
def provider(ada: Caller) -> Iterator[Provider]:
    """Ada's."""
    opened = Provider(ada)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tasks(ada: Caller) -> list[dict[str, Any]]:
    """30 of ada's, which tests read only, the first is due first."""
    return [
        ada.task(title=f"Read {n}", due_at=f"2031-01-{n + 1:02}T09:00:00Z", priority=n % 5 + 1, tags=["read"])
        for n in range(30)
    ]


def titles(answer: Any) -> list[str]:
    return [row["title"] for row in answer["data"]]


class TestLists:
    """`getList`, `getMany`, `getManyReference`."""

    pytestmark = needs_node

    def test_a_page_is_sorted_and_counted(self, provider: Provider, tasks: list[dict[str, Any]]) -> None:
        upwards = provider.rows("tasks", "due_at", "ASC", page=2, per_page=10, q="read")
        downwards = provider.rows("tasks", "due_at", "DESC", page=3, per_page=10, q="read")

        assert titles(upwards) == [f"Read {n}" for n in range(10, 20)]
        assert titles(downwards) == [f"Read {n}" for n in reversed(range(10))]
        assert upwards["total"] == downwards["total"] == len(tasks)
        assert set(upwards["data"][0]) == set(tasks[0])

    def test_filters_have_values_instead_of_text(self, provider: Provider, tasks: list[dict[str, Any]]) -> None:
        """A number, a list, an operator; what was emptied does not count."""
        urgent = provider.rows("tasks", "priority", "ASC", q="read", priority=1)
        some = provider.rows("tasks", "priority", "ASC", q="Read", priority=[1, 2], status=["pending", "done"])
        late = provider.rows("tasks", "due_at", "ASC", due_at__gte="2031-01-29T00:00:00Z", q="", due_at__exists=True)

        assert {row["priority"] for row in urgent["data"]} == {1}
        assert (urgent["total"], some["total"]) == (6, 12)
        assert titles(late) == ["Read 28", "Read 29"]

    def test_an_export_asks_for_a_thousand_rows(self, provider: Provider, tasks: list[dict[str, Any]]) -> None:
        """It gets all there are up to that, more than a page of ours has."""
        assert len(provider.rows("tasks", "id", "ASC", per_page=1000, q="read")["data"]) == len(tasks)

    def test_many_are_shown_by_id(self, provider: Provider, bob: Caller, tasks: list[dict[str, Any]]) -> None:
        """In the order asked for; what one may not see is left out."""
        ids = [tasks[3]["id"], bob.task()["id"], tasks[1]["id"]]

        assert titles(provider.call("getMany", "tasks", ids=ids)) == ["Read 3", "Read 1"]

    def test_a_hundred_are_shown_by_id(self, provider: Provider, tasks: list[dict[str, Any]]) -> None:
        """As many as a page of 100 rows refers to fit in one request."""
        ids = [task["id"] for task in tasks[:25]] * 4

        assert len(provider.call("getMany", "tasks", ids=ids)["data"]) == 25

    def test_what_refers_to_something_is_listed(self, provider: Provider, ada: Caller) -> None:
        """The tasks of a project: no scope has to be known."""
        project = ok(ada.post("/projects", {"name": "Garden"}), 201)["id"]
        for n in range(3):
            ada.task(title=f"Plant {n}", project_id=project, due_at=f"2031-02-0{n + 1}T09:00:00Z")
        pagination, sort = {"page": 1, "perPage": 2}, {"field": "due_at", "order": "DESC"}

        found = provider.call(
            "getManyReference", "tasks", target="project_id", id=project, pagination=pagination, sort=sort, filter={}
        )
        assert (titles(found), found["total"]) == (["Plant 2", "Plant 1"], 3)

    def test_names_are_embedded(self, provider: Provider, ada: Caller, bob: Caller) -> None:
        """In lists, by id and alone; a record that is sent back with them is as good as one without."""
        task = ada.task(title="Embedded", assignee_id=bob.id)
        name, meta = {"id": bob.id, "username": bob.username, "name": "Ada"}, {"embed": ["assignee"]}

        one = provider.call("getOne", "tasks", id=task["id"], meta=meta)["data"]
        many = provider.call("getMany", "tasks", ids=[task["id"]], meta=meta)["data"]
        page = {"pagination": {"page": 1, "perPage": 5}, "sort": {"field": "id", "order": "DESC"}}
        listed = provider.call("getList", "tasks", filter={"q": "embedded"}, meta=meta, **page)["data"]

        assert [one] == many == listed == [{**task, "assignee": name}]
        twice = provider.call("getOne", "tasks", id=task["id"], meta={"embed": ["assignee"] * 4})["data"]
        assert twice == one
        done = provider.call("update", "tasks", id=task["id"], data={**one, "status": "done"})["data"]
        assert done["status"] == "done"


class TestItems:
    """`getOne`, `create`, `update`, `updateMany`, `delete`, `deleteMany`."""

    pytestmark = needs_node

    def test_a_task_lives_its_life(self, provider: Provider, ada: Caller) -> None:
        made = provider.call("create", "tasks", data={"title": "Write", "priority": 2, "description": None})["data"]
        assert (made["description"], made["priority"], made["version"]) == ("", 2, 1)
        assert provider.call("getOne", "tasks", id=made["id"])["data"] == made

        assert provider.call("update", "tasks", id=made["id"], data=made)["data"] == made
        record = {**made, "status": "done", "tags": ["x"]}
        changed = provider.call("update", "tasks", id=made["id"], data=record, previousData=made)["data"]
        assert (changed["status"], changed["tags"], changed["version"]) == ("done", ["x"], 2)
        assert changed["completed_at"] is not None

        assert provider.call("delete", "tasks", id=made["id"], previousData=changed)["data"] == changed
        assert_problem(ada.get(f"/tasks/{made['id']}"), 404)

    def test_an_event_lives_its_life(self, provider: Provider, ada: Caller) -> None:
        starts = {"starts_at": "2032-01-01T20:00:00Z"}
        made = provider.call("create", "events", data={**starts, "venue": "Hall"})["data"]
        changed = provider.call("update", "events", id=made["id"], data={**made, "venue": None}, previousData=made)
        assert (changed["data"]["venue"], changed["data"]["version"]) == ("", 2)
        assert provider.call("getMany", "events", ids=[made["id"]])["data"] == [changed["data"]]
        later = provider.rows("events", "starts_at", "DESC", starts_at__gte="2032-01-01T00:00:00Z")
        assert (later["data"], later["total"]) == ([changed["data"]], 1)

        assert provider.call("delete", "events", id=made["id"])["data"] == changed["data"]
        assert provider.rows("events", "id", "ASC") == {"data": [], "total": 0}

    def test_a_project_lives_its_life(self, provider: Provider, ada: Caller) -> None:
        made = provider.call("create", "projects", data={"name": "Orchard"})["data"]
        other = provider.call("create", "projects", data={"name": "Orchestra"})["data"]
        found = provider.rows("projects", "id", "DESC", per_page=1, q="orch", status=["active", "archived"])
        assert (found["data"], found["total"]) == ([other], 2)
        many = provider.call("getMany", "projects", ids=[other["id"], made["id"]])
        assert many["data"] == [other, made]

        ended = provider.call("update", "projects", id=made["id"], data={**made, "status": "archived"})["data"]
        assert (ended["status"], ended["version"]) == ("archived", 2)
        assert provider.call("deleteMany", "projects", ids=[made["id"], other["id"]])["data"] == [
            made["id"],
            other["id"],
        ]
        assert_problem(ada.get(f"/projects/{made['id']}"), 404)

    def test_an_untouched_schedule_does_not_begin_anew(self, provider: Provider, ada: Caller) -> None:
        """A form sends the whole record back; a reminder's schedule restarts when it is written."""
        hourly = {"kind": "interval", "every_s": 3600, "starts_at": "2030-01-01T00:00:00.000Z"}
        made = provider.call("create", "reminders", data={"task_id": ada.task()["id"], "schedule": hourly})["data"]
        same = provider.call("update", "reminders", id=made["id"], data=made, previousData=made)["data"]
        other = provider.call(
            "update", "reminders", id=made["id"], data={**made, "schedule": {**hourly, "every_s": 60}}
        )

        assert same == made
        assert (other["data"]["version"], other["data"]["schedule"]["every_s"]) == (2, 60)
        assert provider.call("deleteMany", "reminders", ids=[made["id"]])["data"] == [made["id"]]

    def test_many_are_changed_and_deleted(self, provider: Provider, ada: Caller) -> None:
        ids = [ada.task(title=f"Many {n}")["id"] for n in range(5)]

        assert provider.call("updateMany", "tasks", ids=ids, data={"status": "done"})["data"] == ids
        after = [ok(ada.get(f"/tasks/{task_id}")) for task_id in ids]
        assert {(task["status"], task["version"]) for task in after} == {("done", 2)}
        assert provider.call("deleteMany", "tasks", ids=ids[:4])["data"] == ids[:4]
        assert [ada.get(f"/tasks/{task_id}").status_code for task_id in ids] == [404, 404, 404, 404, 200]

    def test_an_assignee_sends_the_whole_record_and_may(self, api: Services, ada: Caller, bob: Caller) -> None:
        """What they may not change is as it was, so only the status is written."""
        task = ada.task(title="For bob", assignee_id=bob.id)
        of_bob = Provider(bob)
        try:
            done = of_bob.call("update", "tasks", id=task["id"], data={**task, "status": "done"})["data"]
            assert (done["status"], done["title"]) == ("done", "For bob")
            with pytest.raises(Refused) as refused:
                of_bob.call("update", "tasks", id=task["id"], data={**done, "title": "Mine"})
            assert refused.value.status == 403
        finally:
            of_bob.close()

    def test_an_admin_looks_after_users(self, api: Services, admin: Login) -> None:
        boss, name = Caller(api.url, username=ADMIN_USERNAME), registration()["username"]
        of_admin = Provider(boss, api.admin_password)
        try:
            account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "name": None}
            made = of_admin.call("create", "users", data=account)["data"]
            newest = of_admin.rows("users", "created_at", "DESC", per_page=1, role="member")
            assert (newest["data"], made["name"]) == ([made], "")
            disabled = of_admin.call("update", "users", id=made["id"], data={**made, "status": "disabled"})["data"]
            assert (disabled["status"], disabled["version"]) == ("disabled", 2)
            assert of_admin.call("getMany", "users", ids=[made["id"]])["data"] == [disabled]
            assert of_admin.call("delete", "users", id=made["id"])["data"] == disabled
            assert_problem(Caller(api.url, admin.headers).get(f"/users/{made['id']}"), 404)
        finally:
            of_admin.close()

    def test_people_are_chosen_from_the_directory(self, provider: Provider, ada: Caller, bob: Caller) -> None:
        """Before anything is typed, by what is typed, and by the id that a task has."""
        first = provider.rows("directory", "username", "ASC", per_page=2, q="")
        typed = provider.rows("directory", "username", "ASC", q=bob.username[:10].upper())
        known = provider.call("getMany", "directory", ids=[ada.id])["data"]

        assert len(first["data"]) == 2 <= first["total"]
        assert (typed["data"], typed["total"]) == ([{"id": bob.id, "username": bob.username, "name": "Ada"}], 1)
        assert known == [{"id": ada.id, "username": ada.username, "name": "Ada"}]
        with pytest.raises(Refused) as refused:
            provider.rows("users", "created_at", "DESC")
        assert refused.value.status == 403

    def test_a_copy_is_made_of_a_whole_record(self, provider: Provider, tasks: list[dict[str, Any]]) -> None:
        """As the button "Clone" does, which leaves out the id alone."""
        copied = {name: value for name, value in tasks[0].items() if name != "id"}
        made = provider.call("create", "tasks", data={**copied, "title": "Copied"})["data"]

        assert (made["due_at"], made["version"]) == (tasks[0]["due_at"], 1)
        assert made["id"] != tasks[0]["id"]
        provider.call("delete", "tasks", id=made["id"])

    def test_a_problem_reaches_the_dashboard_whole(self, provider: Provider) -> None:
        """With its status, code and fields."""
        with pytest.raises(Refused) as refused:
            provider.call("create", "tasks", data={"title": None, "priority": 9})
        assert refused.value.status == 422
        assert (refused.value.body["code"], len(refused.value.body["errors"])) == ("invalid", 2)
        with pytest.raises(Refused) as missing:
            provider.call("getOne", "tasks", id="A" * 32)
        assert missing.value.status == 404


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ('sort=["title","ASC"]', "/sort"),
        ('sort=["-id","ASC"]', "/sort"),
        ('sort=["id","up"]', "/sort"),
        ('sort=["id"]', "/sort"),
        ("sort=id", "/sort"),
        ("range=[0,1000]", "/range"),
        ("range=[10001,10001]", "/range"),
        ("range=[5,4]", "/range"),
        ("range=[-1,4]", "/range"),
        ("range=[0.0,4]", "/range"),
        ("range=[true,4]", "/range"),
        ("range=0-24", "/range"),
        ("filter=[]", "/filter"),
        ("filter={", "/filter"),
        ('filter={"color":"red"}', "/color"),
        ('filter={"limit":1000}', "/limit"),
        ('filter={"cursor":"x"}', "/cursor"),
        ('filter={"status":null}', "/status"),
        ('filter={"status":{"$ne":""}}', "/status"),
        ('filter={"status":["pending",{}]}', "/status"),
        ('filter={"$where":"1"}', "/$where"),
        ('filter={"id":["x"]}', "/id/0"),
        ('filter={"id":["x"],"status":"done"}', "/id/0"),
        ('filter={"project_id":"x"}', "/project_id"),
        ('embed=["secrets"]', "/embed"),
    ],
)
def test_a_list_that_cannot_be_served_says_why(ada: Caller, query: str, pointer: str) -> None:
    """Nothing is clamped and nothing left out of what was asked."""
    answer = ada.get(f"/simple-rest/tasks?{query}")

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_range_may_reach_beyond_the_end(ada: Caller, tasks: list[dict[str, Any]]) -> None:
    """The rows that are there, none of which is beyond; the total is told all the same."""
    del tasks
    total = ada.get("/simple-rest/tasks?range=[0,0]").headers["Content-Range"].partition("/")[2]
    beyond = ada.get("/simple-rest/tasks?range=[9000,9999]")

    assert ok(beyond) == []
    assert beyond.headers["Content-Range"] == f"tasks */{total}"


def test_a_version_is_heeded_where_it_is_sent(ada: Caller) -> None:
    """By a client that has been taught to."""
    task = ada.task()
    path = f"/simple-rest/tasks/{task['id']}"

    assert_problem(ada.put(path, {"title": "Old"}, match='"7"'), 412)
    assert ok(ada.put(path, {"title": "New"}, match='"1"'))["version"] == 2
    assert_problem(ada.delete(path, match='"1"'), 412)


def test_a_deletion_takes_no_key(ada: Caller) -> None:
    """Its answer is the record, which a repeated one could not find; so none is promised, and nothing is deleted."""
    path = f"/simple-rest/tasks/{ada.task()['id']}"

    assert_problem(ada.call("DELETE", path, {"Idempotency-Key": "once"}), 422)
    assert ada.get(path).status_code == 200


def test_unknown_fields_are_refused(ada: Caller) -> None:
    """What is neither shown nor written is a mistake."""
    answer = ada.call("PUT", f"/simple-rest/tasks/{ada.task()['id']}", json={"title": "x", "color": "red"})

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/color"]

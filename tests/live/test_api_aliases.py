"""The older paths, with the bodies that clients of them send. On a real cluster, through a real server."""

import shlex
from typing import Any

import pytest
import requests
from api_support import PASSWORD, Caller, assert_problem, log_in_as, ok, registration, sign_up
from support import Login

from cluster.run.services import Services

# As a document of an older service has them, but for the password, which is too short for ours.
CURLS = (
    """curl http://127.0.0.1:8081/register -X POST -H "Content-Type: application/json" """
    """--data '{"username":"test","password":"pass","email":"user@domain.com"}'""",
    """curl http://127.0.0.1:8081/login -X POST -H "Content-Type: application/json" """
    """--data '{"username":"test","password":"pass"}'""",
    """curl http://127.0.0.1:8081/events -X POST -H "Content-Type: application/json" """
    """-H "Authorization: Bearer $TOKEN" """
    """-d '{"date":"2023-12-31","time":"8pm","venue":"Event Venue","address":"Event Address"}'""",
)


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    return Caller(api.url, admin.headers)


def curl(line: str, url: str, token: str = "") -> requests.Response:
    """What `curl` would get for a pasted line, at our host and port and with a password that is long enough."""
    line = line.replace("http://127.0.0.1:8081", url).replace('"pass"', f'"{PASSWORD}"').replace("$TOKEN", token)
    words = shlex.split(line)
    options = list(zip(words[2::2], words[3::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    given = {name: value for name, value in options if name != "-H"}
    body = given.get("--data", given.get("-d"))
    return requests.request(given["-X"], words[1], headers=headers, data=body, timeout=40)


def test_pasted_lines_work(api: Services) -> None:
    """Sign up, log in, make an event at eight in the evening."""
    assert ok(curl(CURLS[0], api.url), 201)["username"] == "test"
    tokens = curl(CURLS[1], api.url)
    event = ok(curl(CURLS[2], api.url, ok(tokens)["access_token"]), 201)

    assert (event["starts_at"], event["venue"]) == ("2023-12-31T20:00:00.000Z", "Event Venue")
    assert tokens.headers["Link"] == '</api/v1/auth/login>; rel="successor-version"'
    assert tokens.headers["Cache-Control"] == "no-store"


def test_a_time_of_day_is_in_the_callers_time_zone(api: Services) -> None:
    who = sign_up(api.url)
    ok(who.patch("/me", {"time_zone": "Europe/Berlin"}))

    event = ok(who.post("//events", {"date": "2030-06-30", "time": "8pm", "venue": "V", "address": "A"}), 201)

    assert event["starts_at"] == "2030-06-30T18:00:00.000Z"
    task = ok(who.post("//tasks", {"title": "x", "due_date": "2030-06-30 20:00"}), 201)
    assert task["due_at"] == "2030-06-30T18:00:00.000Z"


@pytest.mark.parametrize("path", ["//register", "//users/register", "//users/signup", "/register", "/users/signup"])
def test_people_sign_up_at_each_path(api: Services, path: str) -> None:
    body = registration()
    del body["name"]

    made = Caller(api.url).post(path, body)

    assert ok(made, 201)["username"] == body["username"]
    assert made.headers["Deprecation"]
    assert_problem(Caller(api.url).post(path, {**body, "role": "admin"}), 422)
    assert_problem(Caller(api.url).post(path, {**registration(), "password": "pass"}), 422)


@pytest.mark.parametrize("path", ["//login", "//users/login", "/login", "/users/login"])
def test_people_log_in_at_each_path(api: Services, ada: Caller, path: str) -> None:
    email = ok(ada.get("/me"))["email"]
    for name in ({"username": ada.username}, {"email": email}):
        assert ok(Caller(api.url).post(path, {**name, "password": PASSWORD}))["token_type"] == "Bearer"
    assert_problem(Caller(api.url).post(path, {"username": ada.username, "password": "wrong horse"}), 401)


def test_tasks_live_their_life_without_versions(ada: Caller) -> None:
    """PUT changes what it is given."""
    made = ok(ada.post("//tasks", {"title": "Dig", "description": "deep", "status": "Pending", "priority": 1}), 201)
    path = f"//tasks/{made['id']}"

    changed = ada.call("PUT", path, json={"status": "Inprogress"})
    assert ok(changed)["status"] == "in_progress"
    assert (changed.json()["description"], changed.json()["priority"]) == ("deep", 1)
    assert changed.headers["Link"] == f'</api/v1/tasks/{made["id"]}>; rel="successor-version"'
    assert_problem(ada.call("PUT", path, {"If-Match": '"1"'}, json={"title": "x"}), 412)
    assert_problem(ada.call("PUT", path, json={"version": 7}), 422)
    assert_problem(ada.call("PUT", path[1:], json={"title": "x"}), 428)
    ok(ada.call("DELETE", path), 204)
    assert_problem(ada.call("DELETE", path), 404)


def test_tasks_are_listed_as_before(api: Services) -> None:
    """By status in either spelling, with `sort` bare, a limit and an order."""
    who = sign_up(api.url)
    made = [ok(who.post("/tasks/add_task", {"title": f"t{n}", "status": "Opened"}), 201)["id"] for n in range(4)]
    who.task(status="done")

    for path in ("//tasks", "//tasks/get_tasks", "/tasks/get_tasks"):
        for status in ("Pending", "pending"):
            answer = who.get(f"{path}?status={status}&sort&limit=3&order=asc")
            assert len(ok(answer)["data"]) == 3
            assert {task["id"] for task in answer.json()["data"]} <= set(made)
            assert 'rel="successor-version"' in answer.headers["Link"]
    page = ok(who.get("//tasks?status=Pending&limit=3"))
    rest = ok(who.call("GET", "/" + page["links"]["next"]))
    assert {task["id"] for task in page["data"] + rest["data"]} == set(made)
    assert_problem(who.get("/tasks?status=Pending"), 422)


@pytest.mark.parametrize("condition", ["OR", "AND"])
def test_tasks_are_searched_as_before(api: Services, condition: str) -> None:
    """Rules with the operators and the words of a status that older clients send."""
    who = sign_up(api.url)
    made = [
        who.task(title=title, status=status)["id"] for title, status in (("Dig", "pending"), ("Sow", "in_progress"))
    ]
    who.task(title="Rest", status="done")
    rules = [
        {"field": "status", "operator": "eq", "value": "Inprogress"},
        {"field": "title", "operator": "like", "value": "dig"},
        {"field": "status", "operator": "neq", "value": "Completed"},
    ]

    answer = who.post("//tasks/search", {"filters": {"condition": condition, "rules": rules}})

    assert {task["id"] for task in ok(answer)["data"]} == (set(made) if condition == "OR" else set())
    assert answer.headers["Deprecation"]
    bad = {"condition": "OR", "rules": [{"field": "status", "operator": "eq", "value": {"$ne": 1}}, 5]}
    assert_problem(who.post("//tasks/search", {"filters": bad}), 422)
    assert_problem(who.post("//tasks/search", {"filters": "x"}), 422)


def test_tasks_are_given_to_people_by_name(ada: Caller, bob: Caller) -> None:
    for name in (bob.username, bob.id):
        body = {"title": "x", "assigned_to": name, "deadline": "2030-12-31"}
        made = ok(ada.post("//tasks/add_task", body), 201)
        assert (made["assignee_id"], made["due_at"]) == (bob.id, "2030-12-31T23:59:59.000Z")
        assert made["id"] in [task["id"] for task in ok(bob.get("//tasks/get_my_task?limit=100"))["data"]]
    assert_problem(ada.post("//tasks/add_task", {"title": "x", "assigned_to": "nobody-there"}), 422)


def test_permissions_are_the_same(ada: Caller, bob: Caller, api: Services) -> None:
    """Other people's tasks, admins' lists, and calls without a token."""
    path = f"//tasks/{ada.task()['id']}"

    assert_problem(bob.call("PUT", path, json={"status": "Completed"}), 404)
    assert_problem(bob.call("DELETE", path), 404)
    for users in ("//users/get_users", "/users/get_users"):
        assert_problem(bob.get(users), 403)
    for each in ("//tasks", "//users_profile", "//scheduler/get_scheduled_tasks", "//tasks/get_my_task"):
        assert_problem(Caller(api.url).get(each), 401)


def test_admins_list_users(boss: Caller) -> None:
    assert ok(boss.get("//users/get_users?limit=1"))["data"]


def test_a_profile_is_read_and_changed(ada: Caller) -> None:
    for prefix in ("/", ""):
        assert ok(ada.get(f"{prefix}/users_profile"))["id"] == ada.id
        assert ok(ada.call("PUT", f"{prefix}/update_user", json={"name": "Ada King"}))["name"] == "Ada King"
    assert_problem(ada.call("PUT", "//update_user", json={"role": "admin"}), 422)


def test_a_password_is_changed(api: Services) -> None:
    who = sign_up(api.url)
    assert_problem(who.post("//users/change_password", {"new_password": "battery staple 8"}), 422)
    ok(who.post("//users/change_password", {"old_password": PASSWORD, "new_password": "battery staple 8"}), 204)
    assert log_in_as(api.url, who.username, "battery staple 8").id == who.id


@pytest.mark.parametrize(
    ("when", "kind"),
    [
        ({"run_at": "2100-01-01 09:00"}, "once"),
        ({"interval_minutes": 30}, "interval"),
        ({"cron": "0 9 * * 1-5"}, "cron"),
    ],
)
def test_alerts_are_scheduled(ada: Caller, when: dict[str, Any], kind: str) -> None:
    task_id = ada.task()["id"]

    made = ok(ada.post("//scheduler/schedule_task", {"task_id": task_id, **when}), 201)

    assert made["schedule"]["kind"] == kind
    listed = ok(ada.get("//scheduler/get_scheduled_tasks"))["data"]
    assert made["id"] in [reminder["id"] for reminder in listed]
    both = {"task_id": task_id, "interval_minutes": 5, "cron": "* * * * *"}
    for bad in ({"task_id": task_id}, both, {"task_id": task_id, "cron": "never"}):
        assert_problem(ada.post("//scheduler/schedule_task", bad), 422)


def test_the_service_tells_how_it_is(api: Services) -> None:
    """Without a token."""
    assert ok(Caller(api.url).get("//status")) == {"status": "ok"}
    assert {"users", "tasks", "projects", "events"} <= set(ok(Caller(api.url).get("//stats")))

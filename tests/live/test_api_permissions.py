"""Who may call what: every route by every kind of caller, generated from the routes. A real cluster, a real server.

What a caller may not see does not exist (404), what they see and may not do is 403, and without a token all is 401. A
caller who passes gets any other answer. A route with an id in its path that has no rule here fails.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from api_support import ENVIRON, PASSWORD, Caller, assert_problem, log_in_as, ok, registration, sign_up
from support import Login

from api import create_app, openapi
from api.endpoint import Access, Endpoint
from api.routes.aliases import ALIASES
from cluster.run.services import Services

KINDS = ("anonymous", "stranger", "assignee", "member", "owner", "admin")

PASS = 0
# rule -> what each kind of caller gets, in the order of KINDS
RULES: dict[str, tuple[int, ...]] = {
    "anyone": (PASS, PASS, PASS, PASS, PASS, PASS),
    "user": (401, PASS, PASS, PASS, PASS, PASS),
    "admin": (401, 403, 403, 403, 403, PASS),
    "owner": (401, 404, 404, 404, PASS, PASS),
    "owner alone": (401, 404, 404, 404, PASS, 404),
    "sees task": (401, 404, PASS, PASS, PASS, PASS),
    "changes task": (401, 404, 403, PASS, PASS, PASS),
    "deletes task": (401, 404, 403, 403, PASS, PASS),
    "sees project": (401, 404, 404, PASS, PASS, PASS),
    "changes project": (401, 404, 404, 403, PASS, PASS),
}
BY_ACCESS = {
    Access.ANYONE: "anyone",
    Access.ANYONE_OR_USER: "anyone",
    Access.USER: "user",
    Access.USER_NOW: "user",
    Access.TICKET: "user",
    Access.ADMIN: "admin",
}
# The rules of routes with an id in their path.
BY_ROUTE = {
    "get_task": "sees task",
    "put_task": "changes task",
    "patch_task": "sees task",
    "delete_task": "deletes task",
    "get_project": "sees project",
    "list_project_tasks": "sees project",
    "create_project_task": "sees project",
    "list_project_members": "sees project",
    "put_project": "changes project",
    "patch_project": "changes project",
    "delete_project": "changes project",
    "put_project_owner": "changes project",
    "put_project_member": "changes project",
    "delete_project_member": "changes project",
    "get_user": "owner",
    "put_user": "admin",
    "patch_user": "admin",
    "delete_user": "admin",
    "unlock_user": "admin",
    "delete_my_session": "owner alone",
    "get_import": "owner",
    "delete_import": "owner",
    **{f"{verb}_{noun}": "owner" for verb in ("get", "put", "patch", "delete") for noun in ("event", "reminder")},
}
# After these nothing else can be asked as the same person.
LAST_WORDS = {"logout", "logout_all", "delete_me", "patch_me", "put_my_password"}

ROUTES = {name: (str(rule), method, contract) for rule, method, contract, name in openapi._routes(create_app(ENVIRON))}


def canonical(name: str) -> str:
    """The route whose handler it has: its own, or that of an older path or of one for data providers."""
    path, method, _ = ROUTES[name]
    if name.startswith("simple_rest_"):
        return name.removeprefix("simple_rest_").replace("put_", "patch_")
    for alias in ALIASES:
        if name.startswith("alias_") and alias.method == method and path.removeprefix("/api/v1") == alias.path:
            return alias.view.partition(".")[2]
    return name


def rule_of(name: str) -> str:
    path, _, contract = ROUTES[name]
    return BY_ROUTE[canonical(name)] if "<" in path else BY_ACCESS[contract.access]


@dataclass(frozen=True)
class World:
    """People who stand to what the owner has as their names say; `extra` is one more member."""

    url: str
    people: dict[str, Caller]
    extra: Caller

    def someone(self, kind: str) -> Caller:
        """A person of that kind for what they cannot repeat."""
        if kind == "anonymous":
            return Caller(self.url)
        who = sign_up(self.url)
        if kind == "admin":
            ok(self.people["admin"].patch(f"/users/{who.id}", {"role": "admin"}))
        return who

    def project(self) -> str:
        """A new one of the owner, with its members."""
        owner, members = self.people["owner"], (self.people["member"], self.extra)
        project_id = str(ok(owner.post("/projects", {"name": "Garden"}), 201)["id"])
        for member in members:
            ok(owner.call("PUT", f"/projects/{project_id}/members/{member.id}"), 204)
        return project_id

    def task(self, kind: str) -> str:
        """A new one of the owner: the assignee's, or in a project."""
        own = {"project_id": self.project()} if kind == "member" else {"assignee_id": self.people["assignee"].id}
        return str(self.people["owner"].task(**own)["id"])

    def event(self) -> str:
        return str(ok(self.people["owner"].post("/events", {"starts_at": "2030-12-31T20:00:00Z"}), 201)["id"])

    def reminder(self) -> str:
        body = {"task_id": self.people["owner"].task()["id"], "schedule": {"kind": "interval", "every_s": 3600}}
        return str(ok(self.people["owner"].post("/reminders", body), 201)["id"])

    def import_(self) -> str:
        """A new one of the owner, who has no other then."""
        owner = self.people["owner"]
        for each in ok(owner.get("/imports"))["data"]:
            ok(owner.delete(f"/imports/{each['id']}"), 204)
        made = owner.call("POST", "/imports", {"Content-Type": "text/csv"}, data="title\nWrite\n")
        return str(ok(made, 202)["id"])

    def session(self) -> str:
        return log_in_as(self.url, self.people["owner"].username).refresh_token.partition(".")[0]

    def fill(self, path: str, kind: str, name: str) -> str:
        """The path, with new things of the owner for its ids."""
        users: dict[str, Callable[[], str]] = {
            "get_user": lambda: self.people["owner"].id,
            "put_project_member": lambda: self.people["stranger"].id,
            "delete_project_member": lambda: self.extra.id,
        }
        make: dict[str, Callable[[], str]] = {
            "task_id": lambda: self.task(kind),
            "project_id": self.project,
            "event_id": self.event,
            "reminder_id": self.reminder,
            "session_id": self.session,
            "import_id": self.import_,
            "user_id": users.get(name, lambda: sign_up(self.url).id),
        }
        return re.sub(r"<(\w+)>", lambda match: make[match[1]](), path)

    def body(self, name: str, contract: Endpoint, who: Caller) -> Any:
        """One that is taken from those who may."""
        own: dict[str, Callable[[], Any]] = {
            "register": registration,
            "create_user": registration,
            "login": lambda: {"username": self.extra.username, "password": PASSWORD},
            "refresh": lambda: {"refresh_token": sign_up(self.url).refresh_token},
            "put_user": lambda: (
                {**{k: registration()[k] for k in ("username", "email")}, "role": "member"} | {"status": "active"}
            ),
            "put_project_owner": lambda: {"user_id": self.extra.id},
            "put_task": lambda: {"title": "x"},
            "create_reminder": lambda: {**(contract.example or {}), "task_id": who.task()["id"] if who.id else "x"},
        }
        if contract.body is None:
            return None
        return own[name]() if name in own else dict(contract.example or {})


@pytest.fixture(scope="module")
def world(api: Services, admin: Login) -> World:
    boss = Caller(api.url, admin.headers, ok(Caller(api.url, admin.headers).get("/me"))["id"])
    people = {kind: sign_up(api.url) for kind in ("stranger", "assignee", "member", "owner")}
    return World(api.url, {"anonymous": Caller(api.url), **people, "admin": boss}, sign_up(api.url))


def test_every_route_with_an_id_has_a_rule() -> None:
    """And every rule its route."""
    with_ids = {canonical(name) for name, (path, _, _) in ROUTES.items() if "<" in path}
    assert with_ids <= set(BY_ROUTE)
    assert set(BY_ROUTE) - {"put_reminder"} <= with_ids


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_each_kind_of_caller_gets_what_the_rule_says(world: World, name: str) -> None:
    path, method, contract = ROUTES[name]
    route, found = canonical(name), {}
    for kind in KINDS:
        who = world.someone(kind) if route in LAST_WORDS else world.people[kind]
        place = world.fill(path, kind, route)
        body = world.body(route, contract, who)
        sent = {"data": contract.file.example} if contract.file else {"json": body}
        headers = {"Content-Type": contract.file.media} if contract.file else {}
        lasts = "text/event-stream" in contract.media
        answer = who.call(method, "/" + place, {"If-Match": "*", **headers}, stream=lasts, **sent)
        found[kind] = answer.status_code if answer.status_code in (401, 403, 404) else PASS
        assert answer.status_code < 500, answer.text
        if found[kind]:
            assert_problem(answer, found[kind])
        answer.close()

    assert found == dict(zip(KINDS, RULES[rule_of(name)], strict=True))


REFUSED = 422


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("project in a filter", (401, REFUSED, REFUSED, PASS, PASS, PASS)),
        ("project in a body", (401, REFUSED, REFUSED, PASS, PASS, PASS)),
        ("assignee in a filter", (401, 403, PASS, 403, 403, PASS)),
        ("task in a body", (401, REFUSED, PASS, PASS, PASS, PASS)),
        ("task in a filter", (401, 404, PASS, PASS, PASS, PASS)),
    ],
)
def test_an_id_elsewhere_is_checked_as_one_in_a_path(world: World, place: str, expected: tuple[int, ...]) -> None:
    """What one may not see is not found through a filter or a body either."""
    hourly = {"kind": "interval", "every_s": 3600}
    project_id, found = world.project(), {}
    for kind in KINDS:
        who, task_id = world.people[kind], world.task(kind)
        calls: dict[str, Callable[[], Any]] = {
            "project in a filter": lambda who=who: who.get(f"/tasks?scope=project&project_id={project_id}"),
            "project in a body": lambda who=who: who.post("/tasks", {"title": "x", "project_id": project_id}),
            "assignee in a filter": lambda who=who: who.get(f"/tasks?assignee_id={world.people['assignee'].id}"),
            "task in a body": lambda who=who, it=task_id: who.post("/reminders", {"task_id": it, "schedule": hourly}),
            "task in a filter": lambda who=who, it=task_id: who.get(f"/tasks?id={it}"),
        }
        answer = calls[place]()
        # A list of ids leaves out what one may not see.
        is_left_out = place == "task in a filter" and answer.status_code == 200 and not answer.json()["data"]
        found[kind] = 404 if is_left_out else answer.status_code if answer.status_code >= 400 else PASS

    assert found == dict(zip(KINDS, expected, strict=True))

"""The audit trail: who did what to which. On a real cluster, through a real server and its worker."""

from collections.abc import Callable
from typing import Any

import pytest
from api_support import PASSWORD, Caller, assert_problem, log_in_as, ok, registration, sign_up
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure
from support import Login
from two_routers import door, newcomer

from api.ids import parse_public_id
from api.store import audit
from cluster.local import LocalCluster
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
Entry = dict[str, Any]
DONE_S = 20
EVENT = {"starts_at": "2030-12-31T20:00:00Z"}
HOURLY = {"kind": "interval", "every_s": 3600}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    """Who owns most of what is changed here."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    """Somebody else."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    caller = Caller(api.url, admin.headers)
    return Caller(api.url, admin.headers, ok(caller.get("/me"))["id"])


def item_id(shown_id: str) -> ObjectId:
    """The `_id` behind an id as clients see it."""
    return ObjectId(shown_id) if len(shown_id) == 24 else parse_public_id(shown_id)[1]


def entries_of(db: Db, shown_id: str, action: str) -> list[Entry]:
    return list(db["audit"].find({"resource_id": item_id(shown_id), "action": action}))


# The path of something new, by what it is called.
MAKERS: dict[str, Callable[[Caller], str]] = {
    "task": lambda who: f"/tasks/{who.task()['id']}",
    "event": lambda who: f"/events/{ok(who.post('/events', EVENT), 201)['id']}",
    "reminder": lambda who: (
        f"/reminders/{ok(who.post('/reminders', {'task_id': who.task()['id'], 'schedule': HOURLY}), 201)['id']}"
    ),
    "project": lambda who: f"/projects/{ok(who.post('/projects', {'name': 'Garden'}), 201)['id']}",
}


@pytest.mark.parametrize("noun", MAKERS)
def test_a_deletion_leaves_one_entry(ada: Caller, db: Db, noun: str) -> None:
    """Who, what, at which version, on which request; and nothing for one that finds nothing."""
    path = MAKERS[noun](ada)
    shown_id = path.rpartition("/")[2]
    assert_problem(ada.delete(path, match='"7"'), 412)
    assert entries_of(db, shown_id, f"{noun}.delete") == []

    done = ada.delete(path, match='"1"')

    ok(done, 204)
    assert_problem(ada.delete(path), 404)
    (entry,) = entries_of(db, shown_id, f"{noun}.delete")
    assert entry["actor_id"] == ObjectId(ada.id)
    assert (entry["resource"], entry["ok"]) == (f"{noun}s", True)
    assert entry["request_id"] == done.headers["X-Request-Id"]
    expected = {"version": 1, "owner_id": ObjectId(ada.id)} | ({"member_ids": []} if noun == "project" else {})
    assert entry["before"] == expected


def test_a_deletion_tells_who_could_see_it(ada: Caller, bob: Caller, db: Db) -> None:
    """The assignee, and the project whose members saw it."""
    project = MAKERS["project"](ada)
    ok(ada.call("PUT", f"{project}/members/{bob.id}"), 204)
    project_id = ObjectId(project.rpartition("/")[2])
    task = ok(ada.post(f"{project}/tasks", {"title": "Dig", "assignee_id": bob.id}), 201)

    ok(ada.delete(f"/tasks/{task['id']}"), 204)
    ok(ada.delete(project), 204)

    (of_task,) = entries_of(db, task["id"], "task.delete")
    assert (of_task["before"]["assignee_id"], of_task["before"]["project_id"]) == (ObjectId(bob.id), project_id)
    (of_project,) = entries_of(db, str(project_id), "project.delete")
    assert of_project["before"]["member_ids"] == [ObjectId(bob.id)]
    assert of_project["before"]["version"] == 2


def in_bulk(who: Caller, task_id: str, is_atomic: bool) -> None:
    operations = [{"op": "delete", "id": task_id, "version": "*"}]
    answer = ok(who.post("/tasks/bulk", {"operations": operations, "atomic": is_atomic}))
    assert [each["status"] for each in answer["results"]] == [204]


def twice_with_a_key(who: Caller, task_id: str) -> None:
    key = {"Idempotency-Key": str(ObjectId())}
    for _ in range(2):
        ok(who.delete(f"/tasks/{task_id}", headers=key), 204)


WAYS: dict[str, Callable[[Caller, str], Any]] = {
    "in bulk": lambda who, task_id: in_bulk(who, task_id, False),
    "in an atomic bulk": lambda who, task_id: in_bulk(who, task_id, True),
    "at an older path": lambda who, task_id: ok(who.call("DELETE", f"//tasks/{task_id}"), 204),
    "twice with a key": twice_with_a_key,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_delete_leaves_the_same_entry(ada: Caller, db: Db, way: str) -> None:
    task_id = ada.task()["id"]

    WAYS[way](ada, task_id)

    (entry,) = entries_of(db, task_id, "task.delete")
    assert entry["actor_id"] == ObjectId(ada.id)


def test_nothing_is_deleted_without_its_entry(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are one transaction: where the entry cannot be written, the task stays."""

    def fail(entry: Entry) -> None:
        raise OperationFailure("no entry")

    with door(cluster, 0) as api:
        headers = newcomer(api)
        made = api.call("POST", "/tasks", {"title": "x"}, headers)
        path = f"/tasks/{made.get_json()['id']}"
        with monkeypatch.context() as patch:
            patch.setattr(audit, "insert_entry", fail)
            assert api.call("DELETE", path, None, {**headers, "If-Match": "*"}).status_code == 500
        assert api.call("GET", path, None, headers).status_code == 200
        assert api.call("DELETE", path, None, {**headers, "If-Match": "*"}).status_code == 204


def test_what_goes_with_a_user_has_its_entries(api: Services, boss: Caller, bob: Caller, db: Db) -> None:
    """Each names the admin who deleted the user, and the request."""
    gone = sign_up(api.url)
    paths = [MAKERS[noun](gone) for noun in ("task", "task", "event", "reminder")]
    assigned = ok(gone.post("/tasks", {"title": "x", "assignee_id": bob.id}), 201)

    done = boss.delete(f"/users/{gone.id}")

    ok(done, 204)
    (of_user,) = entries_of(db, gone.id, "user.delete")
    assert (of_user["actor_id"], of_user["before"]) == (ObjectId(boss.id), {"version": 1})
    wait_until("the purge", lambda: require_no_user(db, gone.id), DONE_S)
    wanted = {
        "before.owner_id": ObjectId(gone.id),
        "action": {"$in": ["task.delete", "event.delete", "reminder.delete"]},
    }
    found = list(db["audit"].find(wanted))
    # The reminder's own task is one more.
    assert len(found) == 6
    told = {(entry["actor_id"], entry["request_id"]) for entry in found}
    assert told == {(ObjectId(boss.id), done.headers["X-Request-Id"])}
    assert {item_id(path.rpartition("/")[2]) for path in paths} <= {entry["resource_id"] for entry in found}
    (of_assigned,) = entries_of(db, assigned["id"], "task.delete")
    assert of_assigned["before"]["assignee_id"] == ObjectId(bob.id)


def require_no_user(db: Db, user_id: str) -> None:
    if db["users"].count_documents({"_id": ObjectId(user_id)}):
        raise NotReady("still there")


def told_of(db: Db, who: Caller, action: str) -> list[Entry]:
    return list(db["audit"].find({"resource_id": ObjectId(who.id), "action": action}).sort("at"))


def test_logins_are_noted_whatever_comes_of_them(api: Services, db: Db) -> None:
    """When, whose, and why not; of names that nobody has, that somebody tried."""
    who = sign_up(api.url)
    before = db["audit"].count_documents({"detail.reason": "unknown_user"})
    for name in (who.username, "nobody-" + who.username):
        assert_problem(Caller(api.url).post("/auth/login", {"username": name, "password": "wrong horse 7"}), 401)

    succeeded, failed = told_of(db, who, "auth.login")

    assert (succeeded["ok"], succeeded["actor_id"]) == (True, ObjectId(who.id))
    assert succeeded["detail"]["session_id"] == who.refresh_token.partition(".")[0]
    # Nobody has shown to be anybody.
    assert (failed["ok"], failed["actor_id"], failed["detail"]["reason"]) == (False, None, "wrong_password")
    unknown = list(db["audit"].find({"detail.reason": "unknown_user"}).sort("at"))
    assert len(unknown) == before + 1
    assert (unknown[-1]["resource_id"], unknown[-1]["ok"]) == (None, False)
    assert unknown[-1]["detail"].keys() == failed["detail"].keys() == {"reason", "address"}


def test_a_disabled_user_who_tries_is_noted(api: Services, boss: Caller, db: Db) -> None:
    """Somebody knows the password: that is worth knowing."""
    who = sign_up(api.url)
    ok(boss.patch(f"/users/{who.id}", {"status": "disabled"}))

    assert_problem(Caller(api.url).post("/auth/login", {"username": who.username, "password": PASSWORD}), 401)

    assert [each["detail"].get("reason") for each in told_of(db, who, "auth.login")] == [None, "disabled"]


def test_the_failure_that_locks_an_account_says_so(cluster: LocalCluster, db: Db) -> None:
    """What the lock then refuses unseen is not noted: nobody fills the trail from outside."""
    with door(cluster, 0, LOGIN_TRIES_ACCOUNT="3") as api:
        headers = newcomer(api)
        me = api.call("GET", "/me", headers=headers).get_json()
        guess = {"username": me["username"], "password": "wrong horse 7"}
        found = [api.call("POST", "/auth/login", guess).status_code for _ in range(6)]

    assert found == [401] * 3 + [429] * 3
    failures = db["audit"].find({"resource_id": ObjectId(me["id"]), "action": "auth.login", "ok": False})
    assert [("locked_until" in each["detail"]) for each in failures.sort("at")] == [False, False, True]


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_a_failed_login_that_cannot_be_noted_is_not_answered(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """503 for whichever name, so that nothing is learned from it."""

    def fail(entry: Entry) -> None:
        raise AutoReconnect("the shard of this entry is away")

    with door(cluster, 0) as api:
        me = api.call("GET", "/me", headers=newcomer(api)).get_json()
        username = me["username"] if name == "known" else "nobody-" + me["username"]
        monkeypatch.setattr(audit, "insert_entry", fail)
        answer = api.call("POST", "/auth/login", {"username": username, "password": "wrong horse 7"})

    assert answer.status_code == 503


def test_there_is_no_login_without_its_entry(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets tokens that the trail does not know of."""

    def fail(entry: Entry) -> None:
        raise AutoReconnect("the shard of this entry is away")

    with door(cluster, 0) as api:
        me = api.call("GET", "/me", headers=newcomer(api)).get_json()
        monkeypatch.setattr(audit, "insert_entry", fail)
        answer = api.call("POST", "/auth/login", {"username": me["username"], "password": PASSWORD})

    assert answer.status_code in (503, 504)
    assert "access_token" not in answer.get_json()


def test_the_end_of_a_session_is_noted(api: Services, db: Db) -> None:
    """Which, and how it came; that it has ended before is not noted again."""
    who = sign_up(api.url)
    second, third = log_in_as(api.url, who.username), log_in_as(api.url, who.username)
    second_id = second.refresh_token.partition(".")[0]
    for _ in range(2):
        who.call("DELETE", f"/me/sessions/{second_id}")
    ok(third.post("/auth/logout"), 204)
    ok(who.post("/auth/logout-all"), 204)

    (ended,) = told_of(db, who, "auth.session_end")
    assert (ended["detail"]["session_id"], ended["actor_id"]) == (second_id, ObjectId(who.id))
    (left,) = told_of(db, who, "auth.logout")
    assert left["detail"]["session_id"] == third.refresh_token.partition(".")[0]
    assert len(told_of(db, who, "auth.logout_all")) == 1


def test_a_refresh_token_that_is_used_again_is_noted(api: Services, db: Db) -> None:
    """By nobody known: it may be a thief or the owner."""
    who = sign_up(api.url)
    session_id = who.refresh_token.partition(".")[0]
    token = who.refresh_token
    for _ in range(2):
        token = ok(Caller(api.url).post("/auth/refresh", {"refresh_token": token}))["refresh_token"]

    assert_problem(Caller(api.url).post("/auth/refresh", {"refresh_token": who.refresh_token}), 401)

    (reused,) = told_of(db, who, "auth.refresh_reuse")
    assert (reused["ok"], reused["actor_id"], reused["detail"]["session_id"]) == (False, None, session_id)


def test_changes_of_passwords_are_noted(api: Services, db: Db) -> None:
    """The one that was refused, and the one that was made."""
    who = sign_up(api.url)
    change = {"current_password": "wrong horse 7", "new_password": "battery staple 8"}
    assert_problem(who.put("/me/password", change), 422)
    ok(who.put("/me/password", {**change, "current_password": PASSWORD}), 204)

    refused, made = told_of(db, who, "auth.password_change")

    assert (refused["ok"], refused["detail"]["reason"]) == (False, "wrong_password")
    assert (made["ok"], made["actor_id"], made["after"]) == (True, ObjectId(who.id), {"version": 2})


def test_what_admins_do_to_users_is_noted(api: Services, boss: Caller, db: Db) -> None:
    """With the rights that it gives or takes; of other fields the names alone."""
    body = registration()
    who = Caller(api.url, id=ok(boss.post("/users", body), 201)["id"])
    path = f"/users/{who.id}"
    changed = boss.patch(path, {"role": "admin", "name": "Somebody Else"})
    ok(changed)
    ok(boss.patch(path, {"role": "member"}))
    ok(boss.patch(path, {"status": "disabled"}))
    ok(boss.post(f"{path}/unlock"), 204)

    (created,) = told_of(db, who, "user.create")
    raised, lowered, disabled = told_of(db, who, "user.update")
    assert {each["actor_id"] for each in (created, raised, lowered, disabled)} == {ObjectId(boss.id)}
    assert created["after"] == {"version": 1, "role": "member"}
    assert (raised["before"], raised["after"]) == ({"version": 1}, {"version": 2, "role": "admin"})
    assert raised["detail"] == {"fields": ["name", "role"]}
    assert raised["request_id"] == changed.headers["X-Request-Id"]
    assert lowered["after"] == {"version": 3, "role": "member"}
    assert disabled["after"] == {"version": 4, "status": "disabled"}
    assert [each["actor_id"] for each in told_of(db, who, "user.unlock")] == [ObjectId(boss.id)]


def test_a_sign_up_is_ones_own(api: Services, db: Db) -> None:
    who = sign_up(api.url)
    (created,) = told_of(db, who, "user.create")
    assert (created["actor_id"], created["after"]) == (ObjectId(who.id), {"version": 1, "role": "member"})


def test_who_comes_to_a_project_and_goes_is_noted(ada: Caller, bob: Caller, db: Db) -> None:
    """Each time by whom, and who it is; what changes nothing leaves nothing."""
    path = MAKERS["project"](ada)
    project_id = path.rpartition("/")[2]
    for _ in range(2):
        ok(ada.call("PUT", f"{path}/members/{bob.id}"), 204)
    ok(ada.put(f"{path}/owner", {"user_id": bob.id}))
    ok(ada.call("DELETE", f"{path}/members/{ada.id}"), 204)

    found = {action: entries_of(db, project_id, f"project.{action}") for action in PEOPLE}

    assert {action: [told(each) for each in each_of] for action, each_of in found.items()} == {
        "add_member": [(ada.id, bob.id, 2)],
        "hand_over": [(ada.id, bob.id, 3)],
        "remove_member": [(ada.id, ada.id, 4)],
    }


PEOPLE = ("add_member", "hand_over", "remove_member")


def told(entry: Entry) -> tuple[str, str, int]:
    """By whom, about whom, and the version that came of it."""
    return str(entry["actor_id"]), str(entry["detail"]["user_id"]), entry["after"]["version"]


def test_the_trail_holds_no_secret(api: Services, db: Db) -> None:
    """No password, right or wrong, no hash, no token; nor what was typed for a name."""
    body = registration(password="a quite unusual phrase 7")
    ok(Caller(api.url).post("/auth/register", body), 201)
    who = log_in_as(api.url, body["username"], body["password"])
    typed = {"username": "typed in the wrong field", "password": "another unusual phrase 8"}
    assert_problem(Caller(api.url).post("/auth/login", typed), 401)
    change = {"current_password": body["password"], "new_password": "a third unusual phrase 9"}
    ok(who.put("/me/password", change), 204)
    ok(who.patch("/me", {"name": "An Unusual Name"}))

    trail = "\n".join(map(str, db["audit"].find()))

    secret = who.refresh_token.partition(".")[2]
    for text in ("unusual", "argon2", "wrong field", secret, who.headers["Authorization"].split()[1], body["email"]):
        assert text.lower() not in trail.lower()

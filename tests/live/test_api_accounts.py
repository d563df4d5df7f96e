"""People: signing up, logging in and out, changing, being deleted. On a real cluster, through a real server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from api_support import PASSWORD, Caller, assert_problem, at_once, log_in_as, ok, registration, sign_up, statuses
from bson import ObjectId
from pymongo.database import Database
from support import Login

from api.throttle import account_key
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]

# A change must be seen by every process within two seconds; a loaded machine gets one more.
SEEN_S = 3


@pytest.fixture
def ada(api: Services) -> Caller:
    """Somebody new, logged in."""
    return sign_up(api.url)


@pytest.fixture
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    return Caller(api.url, admin.headers)


def wait_refused(caller: Caller) -> None:
    """Returns when every process refuses the caller's token; asks often enough to meet each of them."""

    def probe() -> None:
        if set(statuses(caller.get("/me") for _ in range(8))) != {401}:
            raise NotReady("still let in")

    wait_until("the end of a session", probe, SEEN_S)


def test_a_sign_up_leaves_claims_and_a_letter(api: Services, db: Db) -> None:
    """User, both claims and the outbox entry, in one transaction; no password anywhere."""
    body = registration()
    user = ok(Caller(api.url).post("/auth/register", body), 201)

    user_id = ObjectId(user["id"])
    stored = db["users"].find_one({"_id": user_id})
    assert stored is not None
    assert stored["password_hash"].startswith("$argon2id$")
    assert {claim["_id"] for claim in db["user_claims"].find({"user_id": user_id})} == {
        f"email:{body['email']}",
        f"username:{body['username']}",
    }
    assert db["outbox"].count_documents({"payload.user_id": user_id, "kind": "letter"}) == 1
    assert "password" not in str(user)


def insist(api: Services, path: str, body: dict[str, Any]) -> requests.Response:
    """The answer to a POST; 503, which a loaded machine gives to some of many, means that it may be repeated."""

    def ask() -> requests.Response:
        answer = Caller(api.url).post(path, body)
        if answer.status_code == 503:
            raise NotReady("503")
        return answer

    return wait_until(f"an answer to {path}", ask, 60)


def test_of_many_sign_ups_with_one_email_address_exactly_one_succeeds(api: Services, db: Db) -> None:
    """Whatever their case; the others are told so, and leave nothing."""
    email = registration()["email"]
    bodies = [registration(email=email.upper() if n % 2 else email) for n in range(100)]

    answers = at_once([lambda body=body: insist(api, "/auth/register", body) for body in bodies])

    assert statuses(answers) == {201: 1, 409: 99}
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409)
            assert answer.json()["code"] == "email_taken"
            assert answer.json()["errors"][0]["pointer"] == "/email"
    names = [f"username:{body['username']}" for body in bodies]
    assert db["user_claims"].count_documents({"_id": {"$in": names}}) == 1


def test_a_taken_username_is_a_conflict(api: Services, ada: Caller) -> None:
    """Case and full-width letters do not make another name."""
    answer = Caller(api.url).post("/auth/register", registration(username=ada.username.upper()))
    assert_problem(answer, 409)
    assert answer.json()["code"] == "username_taken"


def test_people_log_in_by_either_name(api: Services) -> None:
    body = registration()
    ok(Caller(api.url).post("/auth/register", body), 201)
    for name in ({"username": body["username"].upper()}, {"email": body["email"].upper()}):
        answer = Caller(api.url).post("/auth/login", {**name, "password": PASSWORD})
        assert {"access_token", "refresh_token", "token_type", "expires_in"} == set(ok(answer))
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_wrong_password_and_an_unknown_name_look_the_same(api: Services, ada: Caller) -> None:
    """Nobody learns which names exist."""
    wrong = Caller(api.url).post("/auth/login", {"username": ada.username, "password": "wrong horse"})
    unknown = Caller(api.url).post("/auth/login", {"username": ada.username + "x", "password": "wrong horse"})

    for answer in (wrong, unknown):
        assert_problem(answer, 401)
        assert answer.json()["code"] == "bad_credentials"
    assert wrong.json()["detail"] == unknown.json()["detail"]


def test_of_many_guesses_at_once_exactly_the_limit_is_checked(api: Services, ada: Caller) -> None:
    """The counter is one for all processes, and is counted before the password is."""
    guess = {"username": ada.username, "password": "wrong horse"}

    answers = at_once([lambda: insist(api, "/auth/login", guess) for _ in range(200)])

    assert statuses(answers) == {401: 10, 429: 190}
    limited = Caller(api.url).post("/auth/login", {**guess, "password": PASSWORD})
    assert_problem(limited, 429)
    assert 0 < int(limited.headers["Retry-After"]) <= 60


def fail_often(api: Services, username: str) -> requests.Response:
    """Wrong guesses until there is a lock; the answer that tells of it."""
    for _ in range(12):
        answer = Caller(api.url).post("/auth/login", {"username": username, "password": "wrong horse"})
        if answer.status_code == 429:
            return answer
    raise AssertionError("no lock")


def test_each_lock_is_twice_as_long_as_the_one_before(api: Services, ada: Caller, db: Db) -> None:
    """After a lock one guess is left, not ten more; a success forgets all of it."""
    locks = []
    for _ in range(3):
        locks.append(int(fail_often(api, ada.username).headers["Retry-After"]))
        # The lock has passed.
        ended = {"locked_until": datetime.now(UTC) - timedelta(seconds=1)}
        db["login_attempts"].update_one({"_id": account_key(ada.id)}, {"$set": ended})
    assert [55 < lock / 2**n <= 60 for n, lock in enumerate(locks)] == [True] * 3, locks

    assert log_in_as(api.url, ada.username).id == ada.id
    assert db["login_attempts"].find_one({"_id": account_key(ada.id)}) is None


def test_an_admin_unlocks_an_account(api: Services, boss: Caller, ada: Caller) -> None:
    fail_often(api, ada.username)

    ok(boss.post(f"/users/{ada.id}/unlock"), 204)

    assert log_in_as(api.url, ada.username).id == ada.id
    assert_problem(ada.post(f"/users/{ada.id}/unlock"), 403)


def test_verify_tells_whose_token_it_is(ada: Caller) -> None:
    verified = ok(ada.get("/auth/verify"))

    assert (verified["active"], verified["user_id"], verified["role"]) == (True, ada.id, "member")
    assert datetime.fromisoformat(verified["expires_at"]) > datetime.now(UTC)


def test_a_refresh_token_is_exchanged_once(api: Services, ada: Caller) -> None:
    """Of 50 at once one wins; the others are told so, and the winner's session lives."""
    caller = Caller(api.url)
    answers = at_once([lambda: caller.post("/auth/refresh", {"refresh_token": ada.refresh_token}) for _ in range(50)])

    assert statuses(answers) == {200: 1, 409: 49}
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert ok(caller.post("/auth/refresh", {"refresh_token": won["refresh_token"]}))
    assert ok(ada.get("/me"))["id"] == ada.id


def test_a_refresh_token_used_again_later_ends_the_session(api: Services, ada: Caller, db: Db) -> None:
    """Somebody else has it."""
    caller = Caller(api.url)
    won = ok(caller.post("/auth/refresh", {"refresh_token": ada.refresh_token}))
    session_id = ada.refresh_token.partition(".")[0]
    earlier = datetime.now(UTC) - timedelta(seconds=11)
    db["sessions"].update_one({"_id": session_id}, {"$set": {"rotated_at": earlier}})

    assert_problem(caller.post("/auth/refresh", {"refresh_token": ada.refresh_token}), 401)

    assert_problem(caller.post("/auth/refresh", {"refresh_token": won["refresh_token"]}), 401)
    wait_refused(ada)


def test_a_thief_who_rotated_often_is_found_out_by_the_owner(api: Services, ada: Caller) -> None:
    """The owner's token is then older than the one before the present one."""
    caller = Caller(api.url)
    stolen = ada.refresh_token
    for _ in range(3):
        stolen = ok(caller.post("/auth/refresh", {"refresh_token": stolen}))["refresh_token"]

    assert_problem(caller.post("/auth/refresh", {"refresh_token": ada.refresh_token}), 401)

    assert_problem(caller.post("/auth/refresh", {"refresh_token": stolen}), 401)


def test_a_made_up_secret_ends_nothing(api: Services, ada: Caller) -> None:
    """The session's id is in every access token: it must not be enough to end it."""
    made_up = ada.refresh_token.partition(".")[0] + "." + "x" * 43

    assert_problem(Caller(api.url).post("/auth/refresh", {"refresh_token": made_up}), 401)

    assert ok(Caller(api.url).post("/auth/refresh", {"refresh_token": ada.refresh_token}))


def test_a_logout_is_seen_by_every_process(ada: Caller) -> None:
    ok(ada.get("/me"))
    ok(ada.post("/auth/logout"), 204)
    wait_refused(ada)


def test_logout_all_ends_every_session(api: Services, ada: Caller) -> None:
    other = log_in_as(api.url, ada.username)
    ok(ada.post("/auth/logout-all"), 204)
    wait_refused(ada)
    wait_refused(other)


def test_a_person_sees_and_ends_their_sessions(api: Services, ada: Caller) -> None:
    other = log_in_as(api.url, ada.username)
    found = ok(ada.get("/me/sessions"))["data"]
    assert [session["current"] for session in found] == [False, True]

    ok(ada.delete(f"/me/sessions/{found[0]['id']}"), 204)

    wait_refused(other)
    assert ok(ada.get("/me"))
    stranger = sign_up(api.url)
    assert_problem(stranger.delete(f"/me/sessions/{found[1]['id']}"), 404)


def test_a_new_password_ends_every_other_session(api: Services, ada: Caller) -> None:
    other = log_in_as(api.url, ada.username)
    body = {"current_password": PASSWORD, "new_password": "battery staple 8"}
    assert_problem(ada.put("/me/password", {**body, "current_password": "wrong horse"}), 422)

    ok(ada.put("/me/password", body), 204)

    wait_refused(other)
    assert ok(ada.get("/me"))
    assert_problem(Caller(api.url).post("/auth/login", {"username": ada.username, "password": PASSWORD}), 401)
    assert log_in_as(api.url, ada.username, "battery staple 8").id == ada.id


def test_a_profile_is_changed_at_its_version(ada: Caller) -> None:
    """428 without one, 412 with an old one, and no version for a change of nothing."""
    before = ada.get("/me")
    assert before.headers["ETag"] == '"1"'
    assert_problem(ada.call("PATCH", "/me", json={"name": "Ada King"}), 428)

    changed = ada.patch("/me", {"name": "Ada King", "time_zone": "Europe/London"}, match='W/"1"')
    assert ok(changed)["name"] == "Ada King"
    assert changed.headers["ETag"] == '"2"'
    assert_problem(ada.patch("/me", {"name": "x"}, match='"1"'), 412)
    assert ada.patch("/me", {}, match='"2"').headers["ETag"] == '"2"'
    assert ada.get("/me", headers={"If-None-Match": '"2"'}).status_code == 304


def test_a_changed_email_address_frees_the_old_one(api: Services, ada: Caller, db: Db) -> None:
    old, new = ok(ada.get("/me"))["email"], registration()["email"]

    assert ok(ada.patch("/me", {"email": new}))["email"] == new

    assert_problem(Caller(api.url).post("/auth/register", registration(email=new)), 409)
    ok(Caller(api.url).post("/auth/register", registration(email=old)), 201)
    assert db["user_claims"].count_documents({"user_id": ObjectId(ada.id)}) == 2


def test_a_taken_email_address_changes_nothing(api: Services, ada: Caller) -> None:
    """The transaction is undone as a whole."""
    taken = ok(sign_up(api.url).get("/me"))["email"]

    assert_problem(ada.patch("/me", {"email": taken, "name": "Other"}), 409)

    me = ok(ada.get("/me"))
    assert (me["name"], me["version"]) == ("Ada", 1)


def test_of_many_who_want_one_new_name_exactly_one_gets_it(api: Services) -> None:
    people = [sign_up(api.url) for _ in range(6)]
    name = registration()["username"]

    answers = at_once([lambda who=who: who.patch("/me", {"username": name}) for who in people])

    assert statuses(answers) == {200: 1, 409: 5}


def test_of_many_changes_of_any_version_none_is_refused(api: Services, db: Db) -> None:
    """By an older path, whose clients know no versions, and by `If-Match: *`: the last one wins, with its claim."""
    who = sign_up(api.url)
    wanted = [registration()["username"] for _ in range(8)]

    answers = at_once(
        [lambda name=name: who.call("PUT", "//update_user", json={"username": name}) for name in wanted[:4]]
        + [lambda name=name: who.patch("/me", {"username": name}) for name in wanted[4:]]
    )

    assert statuses(answers) == {200: 8}
    kept = ok(who.get("/me"))
    assert (kept["username"] in wanted, kept["version"]) == (True, 9)
    ids = [f"username:{name}" for name in (*wanted, who.username)]
    assert [claim["_id"] for claim in db["user_claims"].find({"_id": {"$in": ids}})] == [f"username:{kept['username']}"]


def test_an_admin_makes_changes_and_disables_a_user(api: Services, boss: Caller) -> None:
    """Disabling is in force everywhere within two seconds, and logins end with it."""
    body = registration(role="member")
    made = boss.post("/users", body)
    path = f"/users/{ok(made, 201)['id']}"
    assert made.headers["Location"] == f"/api/v1{path}"
    person = log_in_as(api.url, body["username"])

    assert ok(boss.patch(path, {"status": "disabled"}, match='"1"'))["status"] == "disabled"

    wait_refused(person)
    assert_problem(Caller(api.url).post("/auth/refresh", {"refresh_token": person.refresh_token}), 401)
    assert_problem(Caller(api.url).post("/auth/login", {"username": body["username"], "password": PASSWORD}), 401)


def test_a_change_of_role_is_in_force_within_two_seconds(api: Services, boss: Caller, ada: Caller) -> None:
    """With the same token: the role in it counts for nothing."""
    assert_problem(ada.get("/users"), 403)
    ok(boss.patch(f"/users/{ada.id}", {"role": "admin"}))
    ok(ada.get("/users"))
    ok(boss.patch(f"/users/{ada.id}", {"role": "member"}))
    assert_problem(ada.get("/users"), 403)


def test_an_admin_replaces_a_user(boss: Caller, ada: Caller) -> None:
    """What is left out goes back to its default."""
    me = ok(ada.get("/me"))
    ok(ada.patch("/me", {"time_zone": "Europe/London"}))
    whole = {"username": me["username"], "email": me["email"], "role": "member", "status": "active"}

    replaced = ok(boss.put(f"/users/{ada.id}", whole))

    assert (replaced["name"], replaced["time_zone"], replaced["version"]) == ("", "UTC", 3)


def test_an_admin_cannot_lock_out_themselves(boss: Caller) -> None:
    """So that one always remains."""
    me = ok(boss.get("/me"))["id"]

    for answer in (boss.patch(f"/users/{me}", {"role": "member"}), boss.delete(f"/users/{me}"), boss.delete("/me")):
        assert_problem(answer, 409)
        assert answer.json()["code"] == "own_account"


def test_people_see_themselves_and_nobody_else(api: Services, ada: Caller) -> None:
    """Another id looks like none."""
    other = sign_up(api.url)

    assert ok(ada.get(f"/users/{ada.id}"))["id"] == ada.id
    for user_id in (other.id, str(ObjectId()), "x", "0" * 23):
        assert_problem(ada.get(f"/users/{user_id}"), 404)
    for answer in (ada.patch(f"/users/{other.id}", {"name": "x"}), ada.delete(f"/users/{other.id}")):
        assert_problem(answer, 403)
    assert_problem(ada.post("/users", registration()), 403)


def test_an_admins_list_of_users_is_whole(api: Services, boss: Caller) -> None:
    """Page by page, both ways, newest first by default."""
    made = [sign_up(api.url).id for _ in range(3)]
    for order in ("desc", "asc"):
        found, cursor = [], None
        while cursor or not found:
            page = ok(boss.get("/users", params={"limit": 7, "order": order, "role": "member", "cursor": cursor}))
            found += page["data"]
            cursor = page["pagination"]["next_cursor"]
        times = [(user["created_at"], user["id"]) for user in found]
        assert times == sorted(times, reverse=order == "desc")
        assert len(set(times)) == len(times)
        assert set(made) <= {user["id"] for user in found}
    assert_problem(boss.get("/users", params={"role": "member", "status": "active"}), 422)


def test_a_deleted_user_is_gone_with_all_that_was_theirs(api: Services, boss: Caller, db: Db) -> None:
    """Names at once, the rest soon after by the worker; other people's tasks lose their assignee."""
    gone, stays = sign_up(api.url), sign_up(api.url)
    email = ok(gone.get("/me"))["email"]
    for _ in range(3):
        gone.task()
    assigned = stays.task(assignee_id=gone.id)

    ok(boss.delete(f"/users/{gone.id}"), 204)

    ok(Caller(api.url).post("/auth/register", registration(email=email, username=gone.username)), 201)
    wait_refused(gone)
    assert_problem(boss.get(f"/users/{gone.id}"), 404)
    wait_until("the purge", lambda: require_purged(db, ObjectId(gone.id)), 20)
    after = ok(stays.get(f"/tasks/{assigned['id']}"))
    assert (after["assignee_id"], after["version"]) == (None, 2)


def test_what_is_written_for_a_deleted_user_goes_as_well(api: Services, db: Db) -> None:
    """A process that has not heard of the end yet lets a last thing in; the worker comes again when none can."""
    gone, member = sign_up(api.url), sign_up(api.url)
    user_id, after_the_last_write = ObjectId(gone.id), {"$gt": datetime.now(UTC) + timedelta(seconds=16)}
    task = gone.task()
    ok(gone.post("/events", {"starts_at": "2030-01-31T17:00:00Z"}), 201)
    ok(gone.post("/reminders", {"task_id": task["id"], "schedule": {"kind": "interval", "every_s": 86_400}}), 201)
    late = {name: db[name].find_one({"owner_id": user_id}) for name in ("tasks", "events", "reminders")}
    ok(gone.delete("/me", match="*"), 204)
    wait_until("the purge", lambda: require_purged(db, user_id), 20)

    for name, document in late.items():
        assert document is not None
        db[name].insert_one({**document, "_id": ObjectId()})
    shared = new_project(user_id, member_ids=[ObjectId(member.id)])
    db["projects"].insert_many([shared, new_project(user_id)])
    # It comes after the longest write that such a process can make; the test need not wait for that.
    waiting = {"kind": "purge_user", "payload.user_id": user_id, "state": "waiting"}
    second = db["outbox"].find_one({**waiting, "next_attempt_at": after_the_last_write})
    assert second is not None
    db["outbox"].update_one({"_id": second["_id"]}, {"$set": {"next_attempt_at": datetime.now(UTC)}})

    wait_until("the second purge", lambda: require_purged(db, user_id), 20)
    after = ok(member.get(f"/projects/{shared['_id']}"))
    assert (after["owner_id"], after["members"]) == (member.id, 0)


def require_purged(db: Db, user_id: ObjectId) -> None:
    """Nothing of that user is left."""
    owned = ("tasks", "events", "reminders", "projects")
    left = {name: db[name].count_documents({"owner_id": user_id}) for name in owned}
    left["users"] = db["users"].count_documents({"_id": user_id})
    if any(left.values()):
        raise NotReady(str(left))


def new_project(owner_id: ObjectId, **fields: Any) -> dict[str, Any]:
    """One as it is stored."""
    at = datetime.now(UTC)
    project = {"_id": ObjectId(), "owner_id": owner_id, "name": "Garden", "description": "", "version": 1}
    stamps = {"created_at": at, "updated_at": at, "updated_by": None, "request_id": None}
    return {**project, "member_ids": [], "status": "active", **stamps, **fields}


def test_a_person_deletes_themselves(api: Services) -> None:
    gone = sign_up(api.url)
    assert_problem(gone.call("DELETE", "/me"), 428)
    ok(gone.delete("/me", match='"1"'), 204)
    wait_refused(gone)


def test_who_owns_projects_cannot_be_deleted(api: Services, db: Db) -> None:
    """They are handed over first; the answer names them."""
    owner = sign_up(api.url)
    project = new_project(ObjectId(owner.id))
    db["projects"].insert_one(project)

    answer = owner.delete("/me")

    assert_problem(answer, 409)
    assert str(project["_id"]) in answer.json()["detail"]

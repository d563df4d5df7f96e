"""Letters with one-time tokens: a new password, a verified address. What is sent lies in files, as without a server."""

import email
import re
import stat
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from api_support import PASSWORD, Caller, assert_problem, at_once, log_in_as, ok, registration, sign_up, statuses
from bson import ObjectId
from pymongo.database import Database

from cluster.local import LocalCluster
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
NEW = "battery staple 8"
WELCOME, VERIFY, RESET = "Welcome to Shardboard", "Verify your e-mail address", "Choose a new password"
SENT_S = 15


@pytest.fixture
def ada(api: Services) -> Caller:
    """Somebody new, logged in."""
    return sign_up(api.url)


def letters_to(cluster: LocalCluster, address: str) -> list[EmailMessage]:
    """What was sent to an address, oldest first."""
    files = sorted(cluster.data_dir.letters.glob("*.eml"))
    found = [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [letter for letter in found if letter["To"] == address]


def wait_letter(cluster: LocalCluster, address: str, subject: str, number: int = 1) -> EmailMessage:
    """The letter of that subject; the last of `number`."""

    def probe() -> EmailMessage:
        found = [letter for letter in letters_to(cluster, address) if letter["Subject"] == subject]
        if len(found) < number:
            raise NotReady(f"{len(found)} letters")
        return found[-1]

    return wait_until(f"letter {number} of {subject!r}", probe, SENT_S)


def token_in(letter: EmailMessage) -> str:
    found = re.search(r"Token: (\S+)", letter.get_content())
    assert found, letter.get_content()
    return found[1]


def address_of(who: Caller) -> str:
    return str(ok(who.get("/me"))["email"])


def ask_for_reset(api: Services, cluster: LocalCluster, address: str, number: int = 1) -> str:
    """The token of the letter that was asked for."""
    ok(Caller(api.url).post("/auth/password-reset", {"email": address.upper()}), 202)
    return token_in(wait_letter(cluster, address, RESET, number))


def confirm(api: Services, token: str, password: str = NEW) -> Any:
    return Caller(api.url).post("/auth/password-reset/confirm", {"token": token, "new_password": password})


def test_a_forgotten_password_is_replaced_with_the_token_of_a_letter(
    api: Services, cluster: LocalCluster, ada: Caller
) -> None:
    """Every session ends, the old password is gone, a lock as well, and the person is told."""
    for _ in range(11):
        Caller(api.url).post("/auth/login", {"username": ada.username, "password": "wrong horse"})
    address = address_of(ada)
    token = ask_for_reset(api, cluster, address)

    ok(confirm(api, token), 204)

    assert_problem(Caller(api.url).post("/auth/refresh", {"refresh_token": ada.refresh_token}), 401)
    assert log_in_as(api.url, ada.username, NEW).id == ada.id
    assert_problem(Caller(api.url).post("/auth/login", {"username": ada.username, "password": PASSWORD}), 401)
    assert "Token" not in wait_letter(cluster, address, "Your password was changed").get_content()


def test_a_token_works_once_whoever_is_first(api: Services, cluster: LocalCluster, ada: Caller) -> None:
    token = ask_for_reset(api, cluster, address_of(ada))

    answers = at_once([lambda n=n: confirm(api, token, f"{NEW} {n}") for n in range(6)])

    found = statuses(answers)
    assert found[204] == 1
    # Several argue about one document: some may be asked to come back.
    assert set(found) <= {204, 422, 503, 504}
    assert confirm(api, token).json()["code"] == "bad_token"


def test_a_new_password_makes_older_tokens_void(api: Services, cluster: LocalCluster, ada: Caller) -> None:
    """However it was set."""
    first = ask_for_reset(api, cluster, address_of(ada))
    second = ask_for_reset(api, cluster, address_of(ada), 2)
    ok(confirm(api, second), 204)

    assert confirm(api, first).json()["code"] == "bad_token"


def test_a_refused_password_leaves_the_token(api: Services, cluster: LocalCluster, ada: Caller) -> None:
    token = ask_for_reset(api, cluster, address_of(ada))
    for password in ("short", "password1", ada.username):
        assert_problem(confirm(api, token, password), 422)
    ok(confirm(api, token), 204)


def test_whether_an_address_is_known_does_not_show(api: Services, cluster: LocalCluster, ada: Caller, db: Db) -> None:
    """The same answer, the same write; and no letter."""
    unknown, known = registration()["email"], address_of(ada)
    answers = [Caller(api.url).post("/auth/password-reset", {"email": name}) for name in (unknown, known)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 2
    assert db["outbox"].count_documents({"payload.email": {"$in": [unknown, known]}}) == 2
    wait_letter(cluster, known, RESET)
    assert letters_to(cluster, unknown) == []


def test_letters_to_one_address_are_limited(api: Services) -> None:
    """So that nobody's mailbox is filled, known or not."""
    address = registration()["email"]
    found = statuses(Caller(api.url).post("/auth/password-reset", {"email": address}) for _ in range(7))
    assert found == {202: 5, 429: 2}


def test_a_disabled_user_gets_no_letter(api: Services, cluster: LocalCluster, ada: Caller, db: Db) -> None:
    address = address_of(ada)
    db["users"].update_one({"_id": ObjectId(ada.id)}, {"$set": {"status": "disabled"}})
    ok(Caller(api.url).post("/auth/password-reset", {"email": address}), 202)

    def probe() -> None:
        if not db["outbox"].find_one({"payload.email": address, "state": "done"}):
            raise NotReady("not done")

    wait_until("the outbox", probe, SENT_S)
    assert [letter["Subject"] for letter in letters_to(cluster, address) if letter["Subject"] == RESET] == []


def test_an_address_is_verified_with_the_token_of_the_welcome(
    api: Services, cluster: LocalCluster, ada: Caller
) -> None:
    """And not again; a token of another purpose does not do."""
    address = address_of(ada)
    token = token_in(wait_letter(cluster, address, WELCOME))
    assert confirm(api, token).json()["code"] == "bad_token"
    assert ok(ada.get("/me"))["email_verified_at"] is None

    ok(Caller(api.url).post("/auth/verify-email", {"token": token}), 204)

    assert ok(ada.get("/me"))["email_verified_at"]
    assert_problem(Caller(api.url).post("/auth/verify-email", {"token": token}), 422)
    assert ada.post("/me/email-verification").json()["code"] == "email_verified"


def test_a_changed_address_must_be_verified_anew(api: Services, cluster: LocalCluster, ada: Caller) -> None:
    """The token for the old one is void, and its owner is told."""
    old, new = address_of(ada), registration()["email"]
    stale = token_in(wait_letter(cluster, old, WELCOME))
    ok(ada.patch("/me", {"email": new}))

    assert Caller(api.url).post("/auth/verify-email", {"token": stale}).json()["code"] == "bad_token"
    wait_letter(cluster, old, "Your e-mail address was changed")
    ok(ada.post("/me/email-verification"), 202)
    token = token_in(wait_letter(cluster, new, VERIFY, 2))
    ok(Caller(api.url).post("/auth/verify-email", {"token": token}), 204)
    assert ok(ada.get("/me"))["email_verified_at"]


def test_an_expired_token_is_void(api: Services, cluster: LocalCluster, ada: Caller, db: Db) -> None:
    """Before the server has removed it."""
    token = token_in(wait_letter(cluster, address_of(ada), WELCOME))
    after = {"$set": {"expires_at": db["users"].find_one({"_id": ObjectId(ada.id)})["created_at"]}}
    assert db["email_tokens"].update_many({"user_id": ObjectId(ada.id)}, after).matched_count == 1

    assert_problem(Caller(api.url).post("/auth/verify-email", {"token": token}), 422)


def test_a_token_is_nowhere_but_in_its_letter(api: Services, cluster: LocalCluster, ada: Caller, db: Db) -> None:
    """Not in the database, not in a log; and the letter is its owner's alone."""
    token = token_in(wait_letter(cluster, address_of(ada), WELCOME))

    for name in ("email_tokens", "outbox"):
        assert token not in str(list(db[name].find()))
    logs = list(cluster.data_dir.logs.glob("*"))
    assert logs
    assert [log for log in logs if token.encode() in log.read_bytes()] == []
    assert {stat.S_IMODE(file.stat().st_mode) for file in cluster.data_dir.letters.glob("*.eml")} == {0o600}

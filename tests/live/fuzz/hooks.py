"""What schemathesis cannot read from the document: who calls, values of our own formats, and what must exist.

Its process loads this module (`SCHEMATHESIS_HOOKS`). A case that is meant to be good gets what a client would have: ids
of things that are there, a key of its own, no cursor or token that only an answer can hold. Bad cases stay as they are.
"""

import json
import os
import secrets
import threading
from datetime import date
from typing import Any
from zoneinfo import available_timezones

import requests
import schemathesis
from hypothesis import strategies as st

URL, ROLE = os.environ["FUZZ_URL"], os.environ["FUZZ_ROLE"]
ADMIN = json.loads(os.environ["FUZZ_ADMIN"])
PASSWORD = "correct horse 7"
TIMEOUT_S = 20

# Whoever calls these is logged out by them: each call is made by somebody new.
LAST_WORDS = {
    *("logout", "logout_all", "delete_me", "put_my_password", "delete_my_session"),
    *("alias_post_users_change_password", "alias_post_api_v1_users_change_password"),
}

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
DAYS = st.dates(date(1900, 1, 1), date(9998, 1, 1)).map(date.isoformat)
# The formats of the document that only this API knows, or that it is stricter about.
FORMATS = {
    "username": st.from_regex(r"\A[a-z][a-z0-9._-]{7,30}[a-z0-9]\Z"),
    "email": st.from_regex(r"\A[a-z][a-z0-9]{7,15}@example\.org\Z"),
    "password": st.from_regex(r"\A[a-z][!-~]{14,40}\Z"),
    "time-zone": st.sampled_from(ZONES),
    "date": DAYS,
    "loose-time": DAYS | DAYS.map(lambda day: f"{day} 20:00") | DAYS.map(lambda day: f"{day}T20:00:00+02:00"),
    "clock": st.sampled_from(("8pm", "8:30 pm", "20:30", "00:00:59", "12am")),
    "cron": st.tuples(st.integers(0, 59), st.integers(0, 23), st.integers(1, 28)).map(
        "{0[0]} {0[1]} {0[2]} * *".format
    ),
    "sort-pair": st.sampled_from(('["id","ASC"]', '["id","DESC"]')),
    "row-range": st.tuples(st.integers(0, 9_000), st.integers(0, 900)).map(lambda it: f"[{it[0]},{it[0] + it[1]}]"),
    "conditions": st.just("{}"),
    "csv": st.sampled_from(("title\nDig\n", "title,status\r\nDig,done\r\n")),
    "status-word": st.sampled_from(("Pending", "Opened", "In Progress", "Completed", "cancelled")),
}
for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.serializer("text/csv")
def csv_of(context: Any, value: Any) -> bytes:
    return str(value).encode("utf-8", "replace")


# Why a request is refused that its schema lets through: rules between parameters, or with what there is.
RULES = (
    *("Cannot be asked for together with id", "Is given with scope=project", "Can be asked for only with"),
    *("Give a direction either as", "Give either a cursor or an offset", "are sorted by", "no index serves both"),
    *("Is not the present password", "Must be a member of the project", "Is used, expired or not ours"),
    *(
        "Must not be before starts_at",
        "Is another project than",
        "No such project of yours",
        "No task that you can see",
    ),
    *("Is asked for alone", "Is never due", "/filters/rules", "/filters: There are at most"),
    *("The task is closed", "Needed unless there is", "/sort: Must be one of: ", "Must be a list of some of"),
)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """A good case may be refused by a rule of `RULES`, as 422; everything else that fails is a finding."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 422:
        return True
    return not any(rule in response.json()["detail"] for rule in RULES)


def send(method: str, path: str, token: str = "", **sent: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*"} if token else {}
    answer = requests.request(method, f"{URL}/api/v1{path}", headers=headers, timeout=TIMEOUT_S, **sent)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def log_in(username: str, password: str = PASSWORD) -> str:
    return str(send("POST", "/auth/login", json={"username": username, "password": password})["access_token"])


def new_person() -> tuple[str, str]:
    """The id and token of somebody new, of the role that is asked for."""
    name = f"f{secrets.token_hex(8)}"
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "name": "Ada"}
    user_id = send("POST", "/auth/register", json=body)["id"]
    if ROLE == "admin":
        send("PATCH", f"/users/{user_id}", log_in(*ADMIN), json={"role": "admin"})
    return user_id, log_in(name)


class Caller:
    """The person of this run, and what they have."""

    def __init__(self) -> None:
        self.id, self.token = new_person()
        self.project_id = send("POST", "/projects", self.token, json={"name": "Garden"})["id"]
        self.task_id = send("POST", "/tasks", self.token, json={"title": "Dig"})["id"]


_lock = threading.Lock()
_caller: list[Caller] = []


def caller() -> Caller:
    with _lock:
        if not _caller:
            _caller.append(Caller())
        return _caller[0]


@schemathesis.auth(refresh_interval=None)
class Login:
    """The token of a case's caller."""

    def get(self, case: Any, context: Any) -> str:
        own = context.operation.definition.raw.get("operationId") in LAST_WORDS
        return new_person()[1] if own else caller().token

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Put what exists into a case that is meant to be good."""
    if case.meta is None or case.meta.generation.mode.value != "positive":
        return
    headers, query, body = case.headers or {}, case.query or {}, case.body
    headers.pop("X-Consistency-Token", None)
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = secrets.token_hex(16)
    # A few are as they come: stale.
    if len(headers.get("If-Match", "")) % 4:
        headers["If-Match"] = "*"
    headers.pop("Last-Event-ID", None)
    for name in ("cursor", "last_event_id", "ticket"):
        query.pop(name, None)
    if isinstance(body, dict):
        body.pop("cursor", None)
        mend(case.path, case.method, body)


def mend(path: str, method: str, body: dict[str, Any]) -> None:
    """The ids in a good body are those of things that the caller has."""
    me = caller()
    owned = {"project_id": me.project_id, "assignee_id": me.id, "assigned_to": me.id, "task_id": me.task_id}
    for name, value in owned.items():
        if body.get(name) is not None:
            body[name] = value
    # A change of another's task, or within a project, has narrower rules.
    if method != "POST" or "{project_id}" in path:
        for name in ("project_id", "assignee_id", "assigned_to"):
            body.pop(name, None)

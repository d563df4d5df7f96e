"""The older paths that clients know from elsewhere: the same handlers and permissions under other names.

Each is served with and without `/api/v1`, but for those that are ours there. They need no `If-Match`, take looser
bodies (`schemas.aliases`), and say by headers that they are deprecated and what to use instead. Bodies that no document
of theirs shows are assumed to have the obvious fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, after_this_request, url_for
from marshmallow import Schema

from .. import accounts, times
from ..auth import Principal
from ..db import Document
from ..endpoint import Kind, endpoint
from ..errors import Problem, invalid
from ..schemas import aliases as shapes
from ..schemas.base import load
from ..schemas.reminders import Schedule
from ..store import users
from .owned import PREFIX, View

# Since when: 1 January 2026. https://www.rfc-editor.org/rfc/rfc9745
DEPRECATED = "@1767225600"

Fields = dict[str, Any]
Translate = Callable[[Principal, Fields], Fields]


def to_task(caller: Principal, body: Fields) -> Fields:
    """A task's body in our names."""
    for name in ("due_date", "deadline"):
        if name in body:
            body["due_at"] = in_zone_of(caller, body.pop(name))
    if "assigned_to" in body:
        body["assignee_id"] = _person(body.pop("assigned_to"))
    return body


def to_event(caller: Principal, body: Fields) -> Fields:
    """An event's body in our names."""
    starts_at = in_zone_of(caller, datetime.combine(body.pop("date"), body.pop("time")))
    return {**body, "starts_at": starts_at, "ends_at": None}


def to_reminder(caller: Principal, body: Fields) -> Fields:
    """A reminder's body in our names."""
    if "run_at" in body:
        schedule = {"kind": "once", "at": in_zone_of(caller, body["run_at"])}
    elif "cron" in body:
        schedule = load(Schedule(), {"kind": "cron", "cron": body["cron"], "tz": _user(caller)["time_zone"]})
    else:
        schedule = {"kind": "interval", "every_s": 60 * body["interval_minutes"]}
    return {"task_id": body["task_id"], "schedule": schedule}


def to_password(caller: Principal, body: Fields) -> Fields:
    """A change of password in our names."""
    del caller
    return {**body, "current_password": body.get("current_password", body.get("old_password"))}


def to_search(caller: Principal, body: Fields) -> Fields:
    """A search whose rules name statuses in our words; whatever else is wrong with it, the search itself says."""
    del caller
    waiting: list[Any] = [body["filters"]]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part["rules"] if isinstance(part.get("rules"), list) else ()
            if part.get("field") == "status":
                part["value"] = _status(part.get("value"))
    return body


def _status(value: Any) -> Any:
    """A status in our words, or several; what is none is left for others to refuse."""
    if isinstance(value, list):
        return [shapes.status_of(each) or each if isinstance(each, str) else each for each in value]
    return shapes.status_of(value) or value if isinstance(value, str) else value


def to_query(caller: Principal, query: Fields) -> Fields:
    """A list's query without `?sort` alone."""
    del caller
    return {name: value for name, value in query.items() if value != ""}


def to_assigned(caller: Principal, query: Fields) -> Fields:
    """As `to_query`, of what is assigned to the caller."""
    return {**to_query(caller, query), "scope": "assigned"}


def in_zone_of(caller: Principal, value: datetime) -> datetime:
    """`value` in UTC; without an offset it is a time where the caller is."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(_user(caller)["time_zone"]))
    return times.to_milliseconds(value.astimezone(UTC))


def _user(caller: Principal) -> Document:
    user = users.find_user(caller.user_id)
    if user is None:
        raise Problem("unauthenticated", "The user is gone.")
    return user


def _person(name: Any) -> Any:
    """The id of a person who is named by it or by the username."""
    if not isinstance(name, str):
        return name
    user = accounts.find_by_name(name, None)
    if user is None:
        raise invalid("/assigned_to", "Nobody who can be given this task.")
    return user["_id"]


@dataclass(frozen=True)
class Alias:
    """One older path, and whose handler it has. `body` and `query` stand where theirs differ from ours."""

    method: str
    path: str
    view: str
    body: type[Schema] | None = None
    translate: Translate | None = None
    query: type[Schema] | None = None
    translate_query: Translate | None = None
    example: Mapping[str, Any] | None = None


TASK = {"title": "Write the report", "status": "Pending", "due_date": "2030-12-31"}
DONE = {"status": "Completed"}
EVENT = {"date": "2030-12-31", "time": "8pm", "venue": "Event Venue", "address": "Event Address"}
CHANGE = {"old_password": "correct horse 7", "new_password": "battery staple 8"}
ALERT = {"task_id": "A" * 32, "interval_minutes": 60}

TASK_LIST = Alias("GET", "/tasks", "tasks.list_tasks", query=shapes.AliasTaskQuery, translate_query=to_query)
NEW_TASK = Alias("POST", "/tasks", "tasks.create_task", shapes.AliasTaskCreate, to_task, example=TASK)
PASSWORD = "/users/change_password"
SCHEDULE = "/scheduler/schedule_task"

ALIASES: tuple[Alias, ...] = (
    Alias("GET", "/status", "health.get_status"),
    Alias("GET", "/stats", "stats.get_stats"),
    TASK_LIST,
    NEW_TASK,
    Alias("PUT", "/tasks/<task_id>", "tasks.patch_task", shapes.AliasTaskPatch, to_task, example=DONE),
    Alias("POST", "/tasks/search", "tasks.search_tasks", translate=to_search),
    Alias("DELETE", "/tasks/<task_id>", "tasks.delete_task"),
    replace(NEW_TASK, path="/tasks/add_task"),
    replace(TASK_LIST, path="/tasks/get_tasks"),
    replace(TASK_LIST, path="/tasks/get_my_task", translate_query=to_assigned),
    Alias("POST", "/register", "auth.register"),
    Alias("POST", "/users/register", "auth.register"),
    Alias("POST", "/users/signup", "auth.register"),
    Alias("POST", "/login", "auth.login"),
    Alias("POST", "/users/login", "auth.login"),
    Alias("GET", "/users_profile", "me.get_me"),
    Alias("PUT", "/update_user", "me.patch_me"),
    Alias("GET", "/users/get_users", "users.list_users"),
    Alias("POST", PASSWORD, "me.put_my_password", shapes.AliasPasswordChange, to_password, example=CHANGE),
    Alias("POST", "/events", "events.create_event", shapes.AliasEvent, to_event, example=EVENT),
    Alias("POST", SCHEDULE, "reminders.create_reminder", shapes.AliasSchedule, to_reminder, example=ALERT),
    Alias("GET", "/scheduler/get_scheduled_tasks", "reminders.list_reminders"),
)


def register(app: Flask) -> None:
    """Put every alias on `app`, whose own routes are there."""
    ours = {str(rule) for rule in app.url_map.iter_rules()}
    for alias in ALIASES:
        for path in (alias.path, PREFIX + alias.path):
            if path not in ours:
                name = f"alias_{alias.method}{path.split('<')[0]}".rstrip("/").replace("/", "_").lower()
                view = _alias_view(app, alias, name)
                app.add_url_rule(path, f"aliases.{name}", view, methods=[alias.method])


def _alias_view(app: Flask, alias: Alias, name: str) -> View:
    """The handler of the alias's own, behind its looser contract."""
    handler: Any = app.view_functions[alias.view]
    inner, contract = handler.__wrapped__, handler.contract

    def translated(**arguments: Any) -> Response:
        for part, translate in (("body", alias.translate), ("query", alias.translate_query)):
            if translate:
                arguments[part] = translate(arguments["caller"], arguments[part])
        response: Response = inner(**arguments)
        return response

    looser = replace(
        contract,
        summary=f"{contract.summary} (an older path)",
        body=alias.body or contract.body,
        query=alias.query or contract.query,
        example=alias.example if alias.body else contract.example,
        conditional=False,
        lenient=contract.conditional and contract.kind is Kind.WRITE,
        deprecated=True,
    )
    checked = endpoint(looser)(translated)

    def view(**arguments: Any) -> Response:
        successor = url_for(alias.view, **arguments)

        @after_this_request
        def mark(response: Response) -> Response:
            response.headers["Deprecation"] = DEPRECATED
            response.headers.add("Link", f'<{successor}>; rel="successor-version"')
            return response

        return checked(**arguments)

    view.__name__ = name
    view.contract = looser  # type: ignore[attr-defined]
    return view

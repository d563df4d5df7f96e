"""Statistics: without a token the number of each model, with one the figures of the caller's tasks."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response

from cluster.collections import TASK_STATUSES

from .. import times
from ..auth import Principal, require_admin
from ..db import Document
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..responses import json_response
from ..schemas.service import Stats, StatsQuery
from ..services import services
from ..store import events, projects, tasks, users

blueprint = Blueprint("stats", __name__)

DAYS = 30


@blueprint.get("/stats")
@endpoint(
    Endpoint(
        "Counts of all models without a token; with one, figures of tasks",
        Access.ANYONE_OR_USER,
        Kind.LIST,
        query=StatsQuery,
        answers={200: Stats},
        problems=("forbidden",),
    )
)
def get_stats(caller: Principal | None, query: dict[str, Any]) -> Response:
    if caller is None:
        return json_response(_remembered("models", _models))
    if query["scope"] == "all":
        require_admin(caller)
        return json_response(_remembered(f"all {query['tz']}", lambda: _of_all(query["tz"])))
    return json_response({**_of_owner(caller, query["tz"]), "age_s": 0})


def _remembered(name: str, count: Callable[[], Document]) -> Document:
    """What `count` answered last in this process, unless it is too old; with its age."""
    here = services()
    counted_at, figures = here.statistics.get(name, (float("-inf"), {}))
    if time.monotonic() - counted_at >= here.settings.stats_cache_s:
        counted_at, figures = here.statistics[name] = time.monotonic(), count()
    return {**figures, "age_s": int(time.monotonic() - counted_at)}


def _models() -> Document:
    return {
        "scope": "models",
        "counted_at": times.show(times.now()),
        "count_kind": "estimated",
        "users": users.estimate_users(),
        "tasks": tasks.estimate_tasks(),
        "projects": projects.estimate_projects(),
        "events": events.estimate_events(),
    }


def _of_owner(caller: Principal, tz: str) -> Document:
    at = times.now()
    rows = tasks.count_of_owner(caller.user_id, at)
    return _figures("mine", at, rows, tasks.count_done_per_day_of_owner(caller.user_id, _since(at), tz))


def _of_all(tz: str) -> Document:
    at = times.now()
    return _figures("all", at, tasks.count_of_all(at), tasks.count_done_per_day_of_all(_since(at), tz))


def _since(at: datetime) -> datetime:
    return at - timedelta(days=DAYS)


def _figures(scope: str, at: datetime, rows: list[Document], days: list[Document]) -> Document:
    """The figures in the rows that the store counted, one a status and priority."""
    by_status, by_priority = Counter(dict.fromkeys(TASK_STATUSES, 0)), Counter({str(n): 0 for n in range(1, 6)})
    for row in rows:
        by_status[row["_id"]["status"]] += row["count"]
        by_priority[str(row["_id"]["priority"])] += row["count"]
    return {
        "scope": scope,
        "counted_at": times.show(at),
        "count_kind": "exact",
        "total": sum(by_status.values()),
        "by_status": dict(by_status),
        "by_priority": dict(by_priority),
        "overdue": sum(row["overdue"] for row in rows),
        "done_per_day": {day["_id"]: day["count"] for day in days},
    }

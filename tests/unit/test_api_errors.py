"""The one error shape, and what a driver's error means to a client."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from api_support import ENVIRON, assert_problem
from flask import Flask
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteError,
    WTimeoutError,
)
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

from api import create_app, watch
from api.errors import BY_STATUS, KINDS, from_driver

WATCH = watch.WriteWatch()
SECRET = "host-7.internal:27017 { title: 'secret' }"


@pytest.fixture(autouse=True)
def fresh_watch() -> Iterator[None]:
    watch.begin()
    yield
    watch.begin()


def started(name: str, **command: Any) -> None:
    WATCH.started(CommandStartedEvent({name: "tasks", **command}, "db", 1, ("h", 1), 1))


def succeeded(name: str, **reply: Any) -> None:
    WATCH.succeeded(CommandSucceededEvent(timedelta(), reply, name, 1, ("h", 1), 1))


def failed(name: str, **failure: Any) -> None:
    WATCH.failed(CommandFailedEvent(timedelta(), failure, name, 1, ("h", 1), 1))


PASSING = [
    ServerSelectionTimeoutError(SECRET),
    WaitQueueTimeoutError(SECRET),
    AutoReconnect(SECRET),
    NetworkTimeout(SECRET),
    ExecutionTimeout(SECRET, 50),
    OperationFailure(SECRET, 10107),
    OperationFailure(SECRET, 112, {"errorLabels": ["TransientTransactionError"]}),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_before_a_write_is_sent_a_failure_is_certain(error: PyMongoError) -> None:
    """503: nothing was applied, repeat it."""
    problem = from_driver(error)

    assert problem is not None
    assert problem.code == "unavailable"
    assert problem.headers["Retry-After"]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_after_a_write_was_sent_its_outcome_is_unknown(error: PyMongoError) -> None:
    """504, whatever the driver says: an earlier attempt may have been applied."""
    started("insert")

    problem = from_driver(error)

    assert problem is not None
    assert problem.code == "unknown_outcome"


def test_a_time_zone_that_the_server_does_not_know_is_the_clients_to_change() -> None:
    """Python's list is newer than the server's."""
    problem = from_driver(OperationFailure(SECRET, 40485))

    assert problem is not None
    assert (problem.code, [error.pointer for error in problem.errors]) == ("invalid", ["/tz"])


def test_a_write_concern_error_is_always_unknown() -> None:
    """It can come with `n: 1`."""
    started("update")
    succeeded("update", n=0, writeConcernError={"code": 64})

    problem = from_driver(WTimeoutError(SECRET, 64))

    assert problem is not None
    assert problem.code == "unknown_outcome"


@pytest.mark.parametrize(
    ("name", "reply", "in_doubt"),
    [
        ("update", {"n": 0}, False),
        ("update", {"n": 1}, True),
        ("delete", {"n": 0}, False),
        ("insert", {"n": 0, "writeErrors": [{"code": 11000}]}, False),
        ("findAndModify", {"value": None, "lastErrorObject": {"n": 0}}, False),
        ("findAndModify", {"value": {}, "lastErrorObject": {"n": 1}}, True),
        ("commitTransaction", {"ok": 1}, True),
    ],
)
def test_a_write_that_changed_nothing_leaves_no_doubt(name: str, reply: dict[str, Any], in_doubt: bool) -> None:
    """A read that fails after it may be answered as a read."""
    started(name)
    succeeded(name, **reply)

    assert watch.write_in_doubt() is in_doubt


def test_a_change_stays_in_doubt_when_a_later_write_changes_nothing() -> None:
    started("update")
    succeeded("update", n=1)
    started("delete")
    succeeded("delete", n=0)

    assert watch.write_in_doubt()


def test_the_commit_of_a_transaction_that_changed_nothing_is_no_doubt() -> None:
    """Nor does it take away the doubt about what was written before."""
    for is_in_doubt in (False, True):
        if is_in_doubt:
            started("insert")
            succeeded("insert", n=1)
        started("findAndModify", startTransaction=True, autocommit=False)
        succeeded("findAndModify", lastErrorObject={"n": 0})
        started("commitTransaction", autocommit=False)

        assert watch.write_in_doubt() is is_in_doubt


def test_statements_of_a_transaction_are_applied_by_its_commit_alone() -> None:
    started("insert", startTransaction=True, autocommit=False)
    succeeded("insert", n=1)
    assert not watch.write_in_doubt()

    started("commitTransaction", autocommit=False)
    assert watch.write_in_doubt()

    failed("commitTransaction", errorLabels=["TransientTransactionError"])
    assert not watch.write_in_doubt()


def test_reads_and_counters_of_tries_are_no_doubt() -> None:
    started("find")
    WATCH.started(CommandStartedEvent({"findAndModify": "login_attempts"}, "db", 1, ("h", 1), 1))

    assert not watch.write_in_doubt()


def test_a_write_that_waits_long_is_counted_until_its_request_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one shard's election does not take all threads. A failed write is tried again: it waits still."""
    started("insert")
    assert watch.stuck_writes() == 0
    monkeypatch.setattr(watch, "STUCK_AFTER_S", -1)
    assert watch.stuck_writes() == 1
    failed("insert")
    assert watch.stuck_writes() == 1

    watch.end()
    assert watch.stuck_writes() == 0


def test_a_write_that_is_answered_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of many quick writes, or one that works on between them, holds nobody up."""
    monkeypatch.setattr(watch, "STUCK_AFTER_S", -1)
    started("insert")
    succeeded("insert", n=1)
    assert watch.stuck_writes() == 0

    started("insert")
    assert watch.stuck_writes() == 1


def test_a_duplicate_is_a_conflict() -> None:
    problem = from_driver(DuplicateKeyError(SECRET, 11000))
    assert problem is not None
    assert KINDS[problem.code].status == 409


@pytest.mark.parametrize("error", [WriteError(SECRET, 121), OperationFailure(SECRET, 13), PyMongoError(SECRET)])
def test_a_fault_of_ours_is_no_passing_failure(error: PyMongoError) -> None:
    """A validator or a missing privilege will refuse the next try too."""
    assert from_driver(error) is None


@pytest.fixture(scope="module")
def failing_app() -> Flask:
    """The application with routes that fail in every way."""
    app = create_app(ENVIRON)

    @app.get("/fail/<kind>")
    def fail(kind: str) -> Any:
        kinds: dict[str, Exception] = {
            "bug": RuntimeError(SECRET),
            "driver": ServerSelectionTimeoutError(SECRET),
            "validator": WriteError(SECRET, 121, {"errInfo": SECRET}),
        }
        raise kinds[kind]

    return app


@pytest.mark.parametrize(("kind", "status"), [("bug", 500), ("driver", 503), ("validator", 500)])
def test_an_error_tells_nothing_of_the_inside(
    failing_app: Flask, capfd: pytest.CaptureFixture[str], kind: str, status: int
) -> None:
    """No driver message, document, host or traceback, in the answer or in the log."""
    answer = failing_app.test_client().get(f"/fail/{kind}")

    assert answer.status_code == status
    assert_problem(answer, status)
    assert "internal:27017" not in answer.text
    assert "internal:27017" not in capfd.readouterr().err


def test_codes_and_statuses_agree() -> None:
    assert {status for status, code in BY_STATUS.items() if KINDS[code].status != status} == set()

"""Counting failed logins, as far as it needs no database."""

import pytest
from api_support import ENVIRON, assert_problem

from api import accounts, create_app
from api.passwords import Passwords, TooManyHashes
from api.store import login_attempts
from api.store.login_attempts import Attempt


def test_a_login_that_was_not_checked_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its 503 says that it may be repeated: ten of them must not lock anybody out."""
    counted: list[str] = []

    def count(key: str, at: object, limit: object) -> Attempt:
        counted.append(key)
        return Attempt(False, None)

    def refuse(*_: object) -> bool:
        raise TooManyHashes

    monkeypatch.setattr(accounts, "find_by_name", lambda *_: None)
    monkeypatch.setattr(login_attempts, "count_attempt", count)
    monkeypatch.setattr(login_attempts, "take_back_attempt", lambda key, _: counted.remove(key))
    monkeypatch.setattr(Passwords, "matches", refuse)

    answer = create_app(ENVIRON).test_client().post("/api/v1/auth/login", json={"username": "ada", "password": "x"})

    assert_problem(answer, 503)
    assert counted == []

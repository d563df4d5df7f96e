"""Passwords: which may be one, and how many are hashed at once."""

import threading

import pytest

from api.metrics import Metrics
from api.passwords import COMMON, Passwords, TooManyHashes, problem_of

TAKEN = Metrics().hashes
CHEAP = Passwords(64, 1, 1, slots=1, wait_ms=50, taken=TAKEN)


@pytest.mark.parametrize(
    "password", ["short12", "password1", "Password1", "zzzzzzzzzz", "Ada-Lovelace", "x7" * 65, "ü7" * 50]
)
def test_a_poor_password_is_refused(password: str) -> None:
    """Short, common, repetitive, one's own name, or over 128 bytes."""
    assert problem_of(password, "ada-lovelace", "ada@example.org")


@pytest.mark.parametrize("password", ["correct horse 7", "пароль123", "x7" * 64])
def test_a_fair_password_is_taken(password: str) -> None:
    """Any characters, to 128 bytes."""
    assert problem_of(password, "ada") is None


def test_common_passwords_are_long_enough_to_matter() -> None:
    """Shorter ones are refused anyway."""
    assert min(map(len, COMMON)) >= 8
    assert {word for word in COMMON if word != word.casefold()} == set()


def test_a_password_matches_its_hash_alone() -> None:
    stored = CHEAP.hash("correct horse 7")

    assert CHEAP.matches(stored, "correct horse 7")
    assert not CHEAP.matches(stored, "correct horse 8")
    assert not CHEAP.matches("not a hash", "correct horse 7")


def test_nobody_matches_even_the_dummy() -> None:
    """The hash that is checked for unknown users lets nobody in."""
    assert not CHEAP.matches(None, "nobody has this password")


def test_a_hash_of_other_parameters_is_outdated() -> None:
    """It is made anew at the next login."""
    stored = CHEAP.hash("correct horse 7")

    assert not CHEAP.is_outdated(stored)
    assert Passwords(128, 1, 1, 1, 0, TAKEN).is_outdated(stored)


def test_more_hashes_than_slots_are_refused() -> None:
    """A flood of logins takes no more cores and memory than it was given."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        CHEAP._in_slot(lambda: held.set() or release.wait(5))

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    with pytest.raises(TooManyHashes):
        CHEAP.hash("correct horse 7")
    release.set()
    holder.join()
    assert CHEAP.hash("correct horse 7")


def test_hashes_are_made_in_as_many_threads_as_there_are_slots() -> None:
    """Each thread that has hashed keeps the memory of one: request threads must not."""
    hasher, names = Passwords(64, 1, 1, slots=2, wait_ms=1000, taken=TAKEN), set()
    work = lambda: names.add(threading.current_thread().name)  # noqa: E731
    callers = [threading.Thread(target=hasher._in_slot, args=(work,)) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert {name.partition("_")[0] for name in names} == {"argon2"}
    assert len(names) <= 2

"""The locks hold what the lists ask for, with hashes; `scripts/lock` writes them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {
    "requirements.txt": "scripts/requirements.lock",
    "requirements-dev.txt": "scripts/requirements-dev.lock",
    "scripts/supply-chain.txt": "scripts/supply-chain.lock",
}
REMEDY = "run scripts/lock and commit what it writes"


def normal(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(name: str) -> dict[str, str]:
    """What a list names itself, e.g. `{"flask": "3.1.3"}`; every line is an exact version."""
    lines = [line.partition(";")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    pins = [line.partition("==") for line in lines if line and not line.startswith(("#", "-r"))]
    assert all(version for _, _, version in pins), f"{name} has a line without =="
    return {normal(package): version for package, _, version in pins}


def locked(name: str) -> dict[str, tuple[str, str]]:
    """What a lock holds: the version of each package, and the rest of its entry."""
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)
    found = [re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)(.*)", entry, re.DOTALL) for entry in entries if entry.strip()]
    return {normal(match[1]): (match[2], match[3]) for match in found if match}


@pytest.mark.parametrize(("name", "lock"), LOCKS.items())
def test_what_is_listed_is_locked(name: str, lock: str) -> None:
    """At the same version: what is tested here is what is installed elsewhere."""
    versions = {package: version for package, (version, _) in locked(lock).items()}

    assert {p: versions.get(p) for p in listed(name)} == listed(name), f"{lock} is behind: {REMEDY}"


@pytest.mark.parametrize(("name", "lock"), LOCKS.items())
def test_what_is_locked_is_still_asked_for(name: str, lock: str) -> None:
    """A package that was taken from the list is not installed any longer."""
    own = {package for package, (_, entry) in locked(lock).items() if re.search(rf"-r {re.escape(name)}\b", entry)}

    assert own == set(listed(name)), f"{lock} is behind: {REMEDY}"


@pytest.mark.parametrize("lock", LOCKS.values())
def test_everything_locked_has_a_hash(lock: str) -> None:
    """A file that was changed on its way is refused by pip."""
    assert [package for package, (_, entry) in locked(lock).items() if "--hash=sha256:" not in entry] == []


def test_tests_run_with_what_is_shipped() -> None:
    """The development lock holds the other one, version by version and hash by hash."""
    shipped, developed = locked("scripts/requirements.lock"), locked("scripts/requirements-dev.lock")

    def pins(lock: dict[str, tuple[str, str]], package: str) -> tuple[str, list[str]]:
        return lock[package][0], re.findall(r"sha256:\w+", lock[package][1])

    assert {p: pins(developed, p) for p in shipped} == {p: pins(shipped, p) for p in shipped}, REMEDY

"""What ends somebody's access is in force in processes that have just let them in: within two seconds, or at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from api_support import PASSWORD, registration
from two_routers import Door, door, token_of

from cluster.local import LocalCluster
from cluster.run.services import ADMIN_USERNAME, Services
from cluster.wait import NotReady, wait_until

NEW = {"current_password": PASSWORD, "new_password": "battery staple 8"}
ANY = {"If-Match": "*"}
# Within two seconds; a loaded machine gets one more.
SEEN_S = 3


@dataclass(frozen=True)
class World:
    """One process where things are done, and another that remembers what was before."""

    here: Door
    there: Door
    boss: Door


@pytest.fixture(scope="module")
def world(cluster: LocalCluster, api: Services) -> Iterator[World]:
    with door(cluster, 0) as here, door(cluster, 1) as there:
        yield World(here, there, replace(here, headers=token_of(here, ADMIN_USERNAME, api.admin_password)))


@dataclass(frozen=True)
class Person:
    """Somebody with one login, as both processes know them."""

    id: str
    username: str
    here: Door
    there: Door

    def role_there(self) -> Any:
        """The role that the other process sees; None when it lets nobody in."""
        answer = self.there.call("GET", "/auth/verify")
        return answer.get_json()["role"] if answer.status_code == 200 else None


def newcomer(world: World) -> Person:
    """Whom the other process has just let in."""
    body = registration()
    made = world.here.call("POST", "/auth/register", body)
    assert made.status_code == 201
    headers = token_of(world.here, body["username"], PASSWORD)
    at_both = (replace(world.here, headers=headers), replace(world.there, headers=headers))
    person = Person(made.get_json()["id"], body["username"], *at_both)
    assert person.role_there() == "member"
    return person


def change_password_elsewhere(world: World, who: Person) -> int:
    other = replace(world.here, headers=token_of(world.here, who.username, PASSWORD))
    return other.call("PUT", "/me/password", NEW).status_code


# Each answers with the status of what it did.
ENDINGS: dict[str, Callable[[World, Person], int]] = {
    "a logout": lambda _, who: who.here.call("POST", "/auth/logout").status_code,
    "a logout everywhere": lambda _, who: who.here.call("POST", "/auth/logout-all").status_code,
    "a new password": change_password_elsewhere,
    "their own deletion": lambda _, who: who.here.call("DELETE", "/me", headers=ANY).status_code,
    "an admin who disables them": lambda world, who: (
        world.boss.call("PATCH", f"/users/{who.id}", {"status": "disabled"}, ANY).status_code
    ),
    "an admin who deletes them": lambda world, who: (
        world.boss.call("DELETE", f"/users/{who.id}", None, ANY).status_code
    ),
}


def test_whoever_is_out_is_out_everywhere_within_two_seconds(world: World) -> None:
    """Whatever it was that ended their session, a process that remembers it lets them in no longer than that."""
    people = {name: newcomer(world) for name in ENDINGS}
    for name, end in ENDINGS.items():
        # What the other process remembers is as young as can be.
        assert people[name].role_there() == "member"
        assert end(world, people[name]) in (200, 204), name

    def probe() -> None:
        inside = [name for name, who in people.items() if who.role_there() is not None]
        if inside:
            raise NotReady(f"let in after {', '.join(inside)}")

    wait_until("the end of their sessions", probe, SEEN_S)


def test_a_new_role_is_seen_everywhere_within_two_seconds(world: World) -> None:
    """Though the token says another one."""
    who = newcomer(world)
    assert world.boss.call("PATCH", f"/users/{who.id}", {"role": "admin"}, ANY).status_code == 200

    def probe() -> None:
        if who.role_there() != "admin":
            raise NotReady("still a member")

    wait_until("the new role", probe, SEEN_S)


@pytest.mark.parametrize("change", [{"status": "disabled"}, {"role": "member"}])
def test_what_is_powerful_does_not_believe_what_is_remembered(world: World, change: dict[str, str]) -> None:
    """Routes of admins, and those about passwords, read anew: not one more request gets through."""
    who = newcomer(world)
    assert world.boss.call("PATCH", f"/users/{who.id}", {"role": "admin"}, ANY).status_code == 200
    assert who.there.call("GET", "/audit").status_code == 200

    assert world.boss.call("PATCH", f"/users/{who.id}", change, ANY).status_code == 200

    is_out = change.get("status") == "disabled"
    assert who.there.call("GET", "/audit").status_code == (401 if is_out else 403)
    assert who.there.call("PUT", "/me/password", NEW).status_code == (401 if is_out else 204)

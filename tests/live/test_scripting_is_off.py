"""No JavaScript runs on any server: `--noscripting` on every member and router, whoever asks."""

from collections.abc import Callable, Iterator
from typing import Any

import pymongo
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from cluster.connections import Connections, system_login
from cluster.local import LocalCluster
from cluster.roles import ADMIN, API

Things = Collection[dict[str, Any]]

FUNCTION = {"body": "function() { return true }", "args": [], "lang": "js"}
ACCUMULATOR = {
    "init": "function() { return 0 }",
    "accumulate": "function(state) { return state }",
    "accumulateArgs": [],
    "merge": "function(a, b) { return a }",
    "lang": "js",
}

SCRIPTS: dict[str, Callable[[Things], Any]] = {
    "$where": lambda things: things.find_one({"$where": "true"}),
    "$where in a count": lambda things: things.database.command("count", things.name, query={"$where": "true"}),
    "$function in a filter": lambda things: things.find_one({"$expr": {"$function": FUNCTION}}),
    "$function in a projection": lambda things: list(things.aggregate([{"$project": {"x": {"$function": FUNCTION}}}])),
    "$accumulator": lambda things: list(
        things.aggregate([{"$group": {"_id": None, "x": {"$accumulator": ACCUMULATOR}}}])
    ),
    "mapReduce": lambda things: things.database.command(
        "mapReduce", things.name, map="function() { emit(1, 1) }", reduce="function() { return 1 }", out={"inline": 1}
    ),
}


@pytest.fixture(scope="module")
def routers(cluster: LocalCluster) -> Iterator[list[Things]]:
    """A collection that has documents, through each router, as the API's user and as root."""
    logins = [cluster.login(account).options() for account in (API, ADMIN)]
    clients = [MongoClient[dict[str, Any]](r.address, **login) for r in cluster.cluster.routers for login in logins]
    try:
        yield [client[cluster.database]["migrations"] for client in clients]
    finally:
        for client in clients:
            client.close()


@pytest.fixture(scope="module")
def members(cluster: LocalCluster) -> Iterator[list[Things]]:
    """As `routers`: each member itself, as the one who may do everything there."""
    with Connections(system_login(cluster.secrets)) as connections:
        yield [
            connections.member(member)
            .get_database("admin", read_preference=pymongo.ReadPreference.SECONDARY_PREFERRED)
            .get_collection("system.version")
            for member in cluster.cluster.members
        ]


@pytest.mark.parametrize("script", SCRIPTS)
def test_routers_run_no_script(routers: list[Things], script: str) -> None:
    """Neither for the API's user, who may read the collection, nor for root."""
    for things in routers:
        assert things.find_one() is not None  # else nothing would be evaluated
        with pytest.raises(OperationFailure) as refused:
            SCRIPTS[script](things)
        assert is_for_scripting(refused.value), refused.value


@pytest.mark.parametrize("script", SCRIPTS)
def test_members_run_no_script(members: list[Things], script: str) -> None:
    """Not even for the members' own identity."""
    for things in members:
        assert things.find_one() is not None
        with pytest.raises(OperationFailure) as refused:
            SCRIPTS[script](things)
        assert is_for_scripting(refused.value), refused.value


def is_for_scripting(error: OperationFailure) -> bool:
    """Whether it was refused because of the script, not because of who asked or how.

    The stand-in knows no mapReduce at all.
    """
    text = str(error).lower()
    return "script" in text or "no such command: 'mapreduce'" in text

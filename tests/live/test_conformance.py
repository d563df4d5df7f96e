"""What a router answers, command by command: MongoDB's own mongos and the stand-in must agree with the same table."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conformance import collections, greeting, people, ranges, reading, router, writing
from conformance.row import COMMAND_NOT_FOUND, DB, OLDEST, Row
from conformance.stage import PLAIN, Stage
from pymongo import MongoClient

from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.router.commands import COMMANDS

CONCERNS = (greeting, reading, writing, collections, ranges, people, router)
ROWS: tuple[Row, ...] = tuple(row for concern in CONCERNS for row in concern.ROWS)
LEAST_VERSIONS = {name: min(row.since for row in ROWS if row.command == name) for name in {row.command for row in ROWS}}
UNAUTHORIZED = 13
# These may be said by whoever connects: to find out what this is, and to log in.
BEFORE_LOGIN = {name for name, command in COMMANDS.items() if command.needs is None}


def first_router(cluster: LocalCluster) -> str:
    """Cursors live on one router, and so do commands in turn."""
    return cluster.cluster.routers[0].address


@pytest.fixture(scope="module")
def connect(cluster: LocalCluster) -> Iterator[MongoClient[Any]]:
    """A client of one router that may do everything."""
    login = cluster.login(ADMIN)
    with MongoClient[Any](first_router(cluster), **login.options()) as client:
        yield client


@pytest.fixture(scope="module")
def stage(connect: MongoClient[Any]) -> Iterator[Stage]:
    """The collections that the rows ask about; the balancer is left as it was found."""
    mode = connect.admin.command("balancerStatus")["mode"]
    stage = Stage(connect)
    stage.build()
    yield stage
    stage.remove()
    connect.admin.command("balancerStart" if mode == "full" else "balancerStop")


@pytest.fixture
def nobody(cluster: LocalCluster) -> Iterator[MongoClient[Any]]:
    """A client of one router that has not logged in."""
    with MongoClient[Any](first_router(cluster), **cluster.login(ADMIN).tls_options()) as client:
        yield client


def test_every_command_of_the_stand_in_has_a_row():
    """A command that is added must say what it answers."""
    assert set(COMMANDS) - {row.command for row in ROWS} == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_answer(row: Row, stage: Stage, cluster: LocalCluster):
    """The router answers as the row says, in the order of its commands."""
    if stage.version < row.since:
        pytest.skip(f"from MongoDB {row.since[0]}.{row.since[1]} on")
    try:
        if row.alone:
            login = cluster.login(ADMIN)
            with MongoClient[Any](first_router(cluster), **login.options()) as client:
                Stage(client).play(row)
        else:
            stage.play(row)
    finally:
        if row.changes:
            stage.clean()


@pytest.mark.parametrize("name", sorted(name for name, least in LEAST_VERSIONS.items() if least > (4, 4)))
def test_a_command_of_a_newer_version_is_refused_by_name(name: str, stage: Stage):
    """Whoever asks an older server learns that it lacks the command, not that something failed."""
    if stage.version >= LEAST_VERSIONS[name]:
        pytest.skip(f"this server has {name}")
    assert stage.send({name: 1}, "admin")["code"] == COMMAND_NOT_FOUND


def test_nothing_but_the_greeting_is_answered_before_login(nobody: MongoClient[Any], stage: Stage):
    """Every other command is refused before anything else about it is looked at."""
    outside = Stage(nobody)
    names = [name for name, least in LEAST_VERSIONS.items() if name in COMMANDS and stage.version >= least]
    codes = {name: outside.send({name: 1}, "admin").get("code") for name in sorted(names)}
    assert {name for name, code in codes.items() if code != UNAUTHORIZED} == BEFORE_LOGIN


@pytest.fixture
def reader(connect: MongoClient[Any], stage: Stage, cluster: LocalCluster) -> Iterator[Stage]:
    """A user who may read one collection and nothing else."""
    name, password = "conformance_reader", secrets.token_urlsafe()
    may_find = {"resource": {"db": DB, "collection": PLAIN}, "actions": ["find"]}
    connect.admin.command("createRole", name, privileges=[may_find], roles=[])
    connect.admin.command("createUser", name, pwd=password, roles=[name])
    login = replace(cluster.login(ADMIN), username=name, password=password)
    with MongoClient[Any](first_router(cluster), **login.options()) as client:
        yield Stage(client)
    connect.admin.command("dropUser", name)
    connect.admin.command("dropRole", name)


def test_a_user_lists_only_what_it_may_read(reader: Stage):
    """The names of other collections and databases are not told."""
    listed = reader.send({"listCollections": 1, "nameOnly": True, "authorizedCollections": True}, DB)
    assert [found["name"] for found in listed["cursor"]["firstBatch"]] == [PLAIN]
    assert reader.send({"listCollections": 1}, DB)["code"] == UNAUTHORIZED
    databases = reader.send({"listDatabases": 1, "nameOnly": True}, "admin")["databases"]
    assert databases == [{"name": DB}]


def test_a_user_is_refused_what_it_was_not_granted(reader: Stage):
    """Of all that changes something, or shows the cluster, a reader of one collection may do nothing."""
    done = [row.title for row in ROWS if row.since == OLDEST and row.changes and _is_answered(reader, row)]
    assert done == []


def _is_answered(reader: Stage, row: Row) -> bool:
    """Whether the first command of a row is done for a user."""
    asked = row.asks[0]
    is_change = (
        not callable(asked.command) and "lsid" not in asked.command and next(iter(asked.command)) != "listShards"
    )
    return is_change and reader.send(asked.command, asked.db).get("code") != UNAUTHORIZED

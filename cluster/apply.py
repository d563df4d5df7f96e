"""Runs the operations of `cluster/operations.py` through a router."""

from collections.abc import Iterable

from pymongo.errors import OperationFailure

from .connections import Client, why
from .errors import ClusterError
from .operations import Command, DropCollection, Operation, commands_of
from .wait import NotReady, wait_until

# Sharding and index builds take cluster-wide locks: another one, or the balancer, may hold them for a while.
LOCK_TIMEOUT_S = 60
# LockBusy, ConflictingOperationInProgress: another collection of the same database is being sharded.
BUSY_CODES = frozenset({46, 117})


def apply(client: Client, database: str, operations: Iterable[Operation]) -> None:
    """Runs each operation; one that was done already changes nothing.

    Raises:
        ClusterError: a collection to be dropped holds documents, or a server refused; what came before stays done.
        WaitTimeout: the turn did not come within a minute.
    """
    planned = tuple(operations)
    for operation in planned:
        if isinstance(operation, DropCollection):
            require_empty(client, database, operation.name)
    for command in commands_of(planned, database):
        run(client, command)


def require_empty(client: Client, database: str, collection: str) -> None:
    """Raises ClusterError when the collection holds a document."""
    if client[database][collection].find_one({}, {"_id": 1}) is not None:
        raise ClusterError(
            f"{database}.{collection} holds documents and was not dropped: copy what is needed, empty it, "
            "then run the same command again."
        )


def run(client: Client, command: Command) -> None:
    """Runs one command as soon as its turn comes.

    Raises:
        OperationFailure: it was refused.
        WaitTimeout: its turn did not come within a minute.
    """

    def probe() -> None:
        try:
            client[command.database].command(dict(command.document))
        except OperationFailure as error:
            if error.code in command.done:
                return
            if error.code not in BUSY_CODES:
                raise
            raise NotReady(why(error)) from error

    name, target = next(iter(command.document.items()))
    wait_until(f"{name} of {target}", probe, LOCK_TIMEOUT_S)

"""What one client is told of a change: exactly what a GET at that moment could have shown them.

A client sees through keys: their own id, and the ids of their projects. The projects are read once, when the client
comes, and then followed in the stream itself, so that at each change they are those of its moment. A change from
before the projects were read is told only if a query that asks as the client confirms it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from bson import ObjectId, Timestamp
from pymongo.client_session import ClientSession

from .. import owned
from ..auth import Principal
from ..db import SESSION, Document, deadline
from ..errors import Problem
from ..owned import Resource
from ..projects import dump_project
from ..resources import EVENTS, REMINDERS, TASKS
from ..services import services
from ..store import projects
from ..store.changes import time_of
from .change import DELETED, REMOVED, Change, Place

OWNED: dict[str, Resource] = {resource.plural: resource for resource in (TASKS, EVENTS, REMINDERS)}
DUMPS = {**{plural: resource.dump for plural, resource in OWNED.items()}, "projects": dump_project}


@dataclass(frozen=True)
class Told:
    """What a client is told; the item of a deleted or removed one is gone."""

    kind: str
    change: Change
    document: Document | None = None

    def body(self) -> Document:
        """The data of the event."""
        found = {"resource": self.change.resource, "id": self.change.id, "version": self.change.version}
        if self.document is None:
            return found
        return {**found, "item": DUMPS[self.change.resource](self.document)}


class Viewer:
    """One client, as the stream passes by. Every change must be shown to them, in its order.

    `projects_at` are the projects and the versions at which they were read. `confirm` answers the document that the
    client sees at this moment, if any; it is asked about changes that are no later than `settled`. Of those, one who
    `is_new` hears nothing: they were made before their answer began.
    """

    def __init__(
        self,
        caller_id: ObjectId,
        projects_at: Mapping[ObjectId, int],
        settled: Place,
        confirm: Callable[[Change], Document | None],
        resources: Collection[str],
        sees_all: bool = False,
        is_new: bool = False,
    ) -> None:
        self._caller_id, self._sees_all = caller_id, sees_all
        self._keys, self._settled = {caller_id, *projects_at}, settled
        self._projects_at = projects_at
        # Projects that were deleted: what becomes of their tasks is told, what is in them is not.
        self._deleted: set[ObjectId] = set()
        self._confirm, self._resources, self._is_new = confirm, resources, is_new

    def told_of(self, change: Change) -> Told | None:
        """What to tell, if anything."""
        is_asked = change.resource in self._resources and (change.place > self._settled or not self._is_new)
        told = self._judge(change) if is_asked else None
        if change.resource == "projects":
            self._follow(change)
        return told

    def _judge(self, change: Change) -> Told | None:
        if change.kind == DELETED:
            sees = self._sees_all or not change.audience.isdisjoint(self._keys | self._deleted)
            return Told(DELETED, change) if sees else None
        document = self._visible(change)
        if document is not None:
            return Told(change.kind, change, document)
        lost = change.left & (self._keys | self._deleted)
        return Told(REMOVED, change) if lost and not self._sees_all else None

    def _visible(self, change: Change) -> Document | None:
        if self._sees_all:
            return change.document
        if change.document is None or change.audience.isdisjoint(self._keys):
            return None
        if change.owner_id == self._caller_id or change.place > self._settled:
            return change.document
        present = self._confirm(change)
        return present if present and present["version"] == change.version else None

    def _follow(self, change: Change) -> None:
        """Keep the keys to the projects of this moment; what was known when they were read is no news."""
        project_id = change.item_id
        if change.version <= self._projects_at.get(project_id, 0) and change.kind != DELETED:
            return
        if change.kind == DELETED:
            if project_id in self._keys:
                self._deleted.add(project_id)
            self._keys.discard(project_id)
        elif change.document is not None and self._caller_id in change.audience:
            self._keys.add(project_id)
        elif change.document is not None or self._caller_id in change.left:
            self._keys.discard(project_id)


def make_viewer(
    caller: Principal, resources: Collection[str], sees_all: bool, known: Timestamp, is_new: bool
) -> Viewer:
    """The viewer for `caller`, whose projects are read as of `known` or later."""
    connection = services().connection
    with connection.client.start_session(causal_consistency=True) as session:
        token = SESSION.set(session)
        try:
            versions = _projects_as_of(known, session, caller)
            at = time_of(session)
            if is_new:
                # What is no later is not told. Some of it may just have been written, and be read by nobody yet: when
                # this has been answered, the lists that the client loads have it.
                _projects_as_of(at, session, caller)
        finally:
            SESSION.reset(token)
    # No number is that high: everything of this cluster time is included.
    settled = Place(at.time, at.inc, 2**31)
    # Admins follow their own as everybody does, unless they ask for all.
    plain = replace(caller, role="member")

    def confirm(change: Change) -> Document | None:
        return _present(plain, change)

    return Viewer(caller.user_id, versions, settled, confirm, resources, sees_all, is_new)


def _projects_as_of(moment: Timestamp, session: ClientSession, caller: Principal) -> dict[ObjectId, int]:
    """Each with its version, from all shards, none of which answers before all of it up to `moment` can be read."""
    session.advance_operation_time(moment)
    return projects.list_project_versions_of(caller.user_id)


def _present(caller: Principal, change: Change) -> Document | None:
    """The document as the caller sees it now."""
    with deadline(services().settings.deadline_item_ms), services().changes.looking_up:
        if change.owner_id is None:
            return projects.find_project(change.item_id, projects.taken_part_in_by(caller.user_id))
        try:
            return owned.find_item(OWNED[change.resource], caller, change.owner_id, change.item_id)
        except Problem:
            return None

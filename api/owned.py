"""Owned resources: what belongs to one person and is made, read, changed and deleted by its public id.

What they have in common is here, once; what sets one apart is its `Resource` in `resources`. A rule about who may is
part of the query's filter. Where the first command finds nothing, a second one with the caller's projects may.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bson import ObjectId
from flask import g
from marshmallow import Schema

from . import access, audit, times
from .auth import Principal
from .db import Document
from .errors import Problem
from .expand import Expansions
from .responses import missed, unless_stale
from .schemas.base import Dump, compile_dump
from .services import services
from .store import audit as entries
from .store import projects
from .store.owned import Versions, at_versions, change, new_document
from .store.owned_queries import OwnedQueries

Fields = Mapping[str, Any]
# `actor_id` and `request_id` of who does it.
Author = Mapping[str, Any]
# The item as it is before a change, if the caller may see it; 404 otherwise.
Current = Callable[[], Document]


def build_plainly(owner_id: ObjectId, fields: Fields) -> Document:
    """A first version that holds what the client sent."""
    return new_document({**fields, "owner_id": owner_id}, owner_id, g.get("request_id"), times.now())


def change_plainly(fields: Fields, actor_id: ObjectId) -> list[Document]:
    """The update that sets what the client sent."""
    return change(fields, actor_id, g.get("request_id"), times.now())


def nothing_to_check(caller: Principal, owner_id: ObjectId, fields: Fields, current: Current | None) -> None:
    """Everything that its schema lets through may be written."""


def goes_with_anything(fields: Fields) -> Document:
    """No field has to do with another."""
    return {}


def nothing_contradicts(item: Fields) -> None:
    """See `goes_with_anything`."""


def nothing_to_follow(items: Sequence[Document], author: Author) -> None:
    """Nothing else goes with them."""


@dataclass(frozen=True)
class Resource:
    """What sets one owned resource apart.

    Attributes:
        noun: what one of them is called, e.g. `task`; a path has it as `<task_id>`.
        plural: its path and collection.
        queries: the store's.
        rules: who may see, change and delete one.
        item: how one is shown.
        create: the body of POST, and of PUT unless `has_put` is false.
        patch: the body of PATCH.
        problems: codes that its writes can answer besides those of every resource.
        build: a first version from the owner and the loaded body.
        change: the update from the loaded body and who makes it.
        check: refuses what only the database can refuse; `current` is None for a new item.
        goes_with: what the rest of an item must be for these fields to be set; part of the update's filter.
        check_whole: refuses an item whose fields contradict each other, as `goes_with` has it.
        expansions: what `expand` adds, by the names of the fields of `item`.
        on_delete: leaves work that follows, in the transaction which deletes some of them for somebody.
    """

    noun: str
    plural: str
    queries: OwnedQueries
    rules: access.Rules
    item: type[Schema]
    create: type[Schema]
    patch: type[Schema]
    example: Fields
    patch_example: Fields
    has_put: bool = True
    problems: tuple[str, ...] = ()
    build: Callable[[ObjectId, Fields], Document] = build_plainly
    change: Callable[[Fields, ObjectId], list[Document]] = change_plainly
    check: Callable[[Principal, ObjectId, Fields, Current | None], None] = nothing_to_check
    goes_with: Callable[[Fields], Document] = goes_with_anything
    check_whole: Callable[[Fields], None] = nothing_contradicts
    expansions: Expansions = field(default_factory=dict)
    on_delete: Callable[[Sequence[Document], Author], None] = nothing_to_follow

    @cached_property
    def dump(self) -> Dump:
        """The function that shows one."""
        return compile_dump(self.item)


def find_item(resource: Resource, caller: Principal, owner_id: ObjectId, item_id: ObjectId) -> Document:
    """The item, if the caller may see it.

    Raises:
        Problem: 404.
    """
    condition, item = resource.rules.sees(caller, owner_id), None
    if condition is not None:
        item = resource.queries.find_item(owner_id, item_id, condition)
    if item is None and condition != access.EVERYTHING and resource.rules.through_projects:
        item = resource.queries.find_item(owner_id, item_id, _in_projects_of(caller))
    if item is None:
        raise Problem("not_found")
    return item


def find_items(
    resource: Resource, caller: Principal, keys: Sequence[tuple[ObjectId, ObjectId]]
) -> dict[tuple[ObjectId, ObjectId], Document]:
    """Those of the items that are there and the caller's to see, by owner and id."""
    conditions = {owner_id: resource.rules.sees(caller, owner_id) for owner_id, _ in keys}
    asked = [(key, seen) for key in keys if (seen := conditions[key[0]]) is not None]
    found = _by_key(resource.queries.list_items_by_key(asked)) if asked else {}
    hidden = [key for key in keys if key not in found and conditions[key[0]] != access.EVERYTHING]
    if hidden and resource.rules.through_projects:
        mine = _in_projects_of(caller)
        found |= _by_key(resource.queries.list_items_by_key([(key, mine) for key in hidden]))
    return found


def _by_key(items: list[Document]) -> dict[tuple[ObjectId, ObjectId], Document]:
    return {(item["owner_id"], item["_id"]): item for item in items}


def check_fields(
    resource: Resource, caller: Principal, owner_id: ObjectId, fields: Fields, item_id: ObjectId | None = None
) -> None:
    """Refuse what may not be written, before a transaction begins.

    Raises:
        Problem: 422, or 404 where the item is not the caller's to see.
    """
    current = None if item_id is None else lambda: find_item(resource, caller, owner_id, item_id)
    resource.check(caller, owner_id, fields, current)


def update_item(
    resource: Resource, caller: Principal, key: tuple[ObjectId, ObjectId], fields: Fields, versions: Versions
) -> Document:
    """The item with `fields`.

    Raises:
        Problem: 404 not to be seen, 412 at another version, 422 the rest of it contradicts `fields`, 403 not theirs.
    """
    owner_id, item_id = key
    if not fields:
        return unless_stale(find_item(resource, caller, owner_id, item_id), versions)
    changes = resource.change(fields, caller.user_id)
    conditions = {**at_versions(versions), **resource.goes_with(fields)}
    allowed, item = resource.rules.changes(caller, owner_id, fields.keys()), None
    if allowed is not None:
        item = resource.queries.update_item(owner_id, item_id, {**allowed, **conditions}, changes)
    if item is None and allowed != access.EVERYTHING and resource.rules.through_projects:
        item = resource.queries.update_item(owner_id, item_id, {**_in_projects_of(caller), **conditions}, changes)
    if item is None:
        found = unless_stale(find_item(resource, caller, owner_id, item_id), versions)
        resource.check_whole({**found, **fields})
        raise missed(found, versions)
    return item


def delete_item(resource: Resource, caller: Principal, key: tuple[ObjectId, ObjectId], versions: Versions) -> None:
    """Remove the item, in one transaction with its audit entry.

    Raises:
        Problem: as `update_item`.
    """
    owner_id, item_id = key
    author: dict[str, Any] = {"actor_id": caller.user_id, "request_id": g.get("request_id")}
    allowed = resource.rules.deletes(caller, owner_id)
    if allowed is None:
        raise missed(find_item(resource, caller, owner_id, item_id), versions)

    def work() -> None:
        item = resource.queries.delete_item(owner_id, item_id, {**allowed, **at_versions(versions)})
        if item is None:
            # Within the transaction, which is then given up: a commit that is lost would leave a doubt about nothing.
            raise missed(find_item(resource, caller, owner_id, item_id), versions)
        entries.insert_entry(audit.deletion(resource.plural, item, **author))
        resource.on_delete([item], author)

    services().connection.in_transaction(work)


def _in_projects_of(caller: Principal) -> Document:
    return access.in_projects(projects.list_project_ids_of(caller.user_id))

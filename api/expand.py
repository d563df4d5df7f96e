"""Names beside ids: what `?expand=assignee,project` adds to items, by one query for each kind of thing on a page.

Names are all that is added. What is gone, or not the caller's to see, has its id alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from bson import ObjectId

from . import access
from .auth import Principal
from .db import Document
from .lists import Expand
from .schemas.base import Dump, compile_dump
from .schemas.names import PersonName, ProjectName
from .store import projects, users

_dump_person, _dump_project = compile_dump(PersonName), compile_dump(ProjectName)


@dataclass(frozen=True)
class Kind:
    """A kind of things that have names.

    Attributes:
        read: those of the keys that the caller may see, as they are shown.
        show_id: a key as clients know it.
    """

    read: Callable[[Principal, Sequence[Any]], Mapping[Any, Mapping[str, Any]]]
    show_id: Callable[[Any], str] = str


@dataclass(frozen=True)
class Expansion:
    """What one word of `expand` adds: a thing of `kind`, whose key stands in the item; None where there is none."""

    kind: Kind
    key_of: Callable[[Document], Any]


Expansions = Mapping[str, Expansion]


def _people(caller: Principal, user_ids: Sequence[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    """Everybody may know everybody's names."""
    del caller
    return {user["_id"]: _dump_person(user) for user in users.list_names(user_ids)}


def _projects(caller: Principal, project_ids: Sequence[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    found = projects.list_names(project_ids, access.sees_project(caller))
    return {project["_id"]: _dump_project(project) for project in found}


PEOPLE, PROJECTS = Kind(_people), Kind(_projects)

OWNER = Expansion(PEOPLE, itemgetter("owner_id"))
ASSIGNEE = Expansion(PEOPLE, itemgetter("assignee_id"))
PROJECT = Expansion(PROJECTS, itemgetter("project_id"))


def for_caller(expansions: Expansions, caller: Principal) -> Expand:
    """What lists and items call to add names."""
    return partial(_added, expansions, caller)


def _added(expansions: Expansions, caller: Principal, names: Sequence[str], documents: Sequence[Document]) -> Dump:
    """The function that gives what `names` add to one of `documents`."""
    chosen = {name: expansions[name] for name in names}
    wanted: dict[Kind, dict[Any, None]] = {each.kind: {} for each in chosen.values()}
    for each in chosen.values():
        keys = map(each.key_of, documents)
        wanted[each.kind].update(dict.fromkeys(key for key in keys if key is not None))
    known = {kind: kind.read(caller, list(keys)) if keys else {} for kind, keys in wanted.items()}

    def added(document: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _shown(each, dict(document), known[each.kind]) for name, each in chosen.items()}

    return added


def _shown(
    expansion: Expansion, document: Document, known: Mapping[Any, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    key = expansion.key_of(document)
    return None if key is None else known.get(key, {"id": expansion.kind.show_id(key)})

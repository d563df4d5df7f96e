"""What makes a function a named query: it is given its collection, and every command it sends carries its name."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pymongo.collection import Collection

from ..db import SESSION, Document
from ..services import services

P = ParamSpec("P")
T = TypeVar("T")

Documents = Collection[Document]

# name -> the query. A test compares the names with those declared.
QUERIES: dict[str, Callable[..., Any]] = {}


class _Named:
    """A collection whose commands carry `name` as their comment and run in the session of the running transaction."""

    __slots__ = ("_collection", "_extra")

    def __init__(self, collection: Documents, name: str) -> None:
        self._collection = collection
        self._extra: dict[str, Any] = {"comment": name}
        session = SESSION.get()
        if session is not None:
            self._extra["session"] = session

    def __getattr__(self, method: str) -> Any:
        return partial(getattr(self._collection, method), **self._extra)


def queries_of(
    collection: str, noun: str = "item"
) -> Callable[[Callable[Concatenate[Documents, P], T]], Callable[P, T]]:
    """The decorator of a module's queries: `query = queries_of("tasks")`, then

    @query
    def find_task(tasks: Documents, owner_id: ObjectId, task_id: ObjectId) -> Document | None: ...

    is called as `find_task(owner_id, task_id)` and known as `tasks.find_task`. Queries that several collections share
    say "item" for what each calls its `noun`.
    """

    def query(function: Callable[Concatenate[Documents, P], T]) -> Callable[P, T]:
        name = f"{collection}.{function.__name__.replace('item', noun)}"

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            named = _Named(services().connection.collection(collection), name)
            return function(cast(Documents, named), *args, **kwargs)

        QUERIES[name] = call
        return call

    return query

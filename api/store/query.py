"""What makes a function a named query: it is given its collection, and every command it sends carries its name."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pymongo.collection import Collection
from pymongo.read_preferences import SecondaryPreferred

from cluster.queries import QUERIES as DECLARED
from cluster.queries import Scatter

from ..db import SESSION, Document
from ..preferences import EVENTUAL, PARTIAL, READING, Reading
from ..services import services
from .partial import PartialFind

P = ParamSpec("P")
T = TypeVar("T")

Documents = Collection[Document]

# name -> the query. A test compares the names with those declared.
QUERIES: dict[str, Callable[..., Any]] = {}


class _Named:
    """A collection whose commands carry `name` as their comment and run in the session of the running transaction."""

    __slots__ = ("_collection", "_extra", "_reading")

    def __init__(self, collection: Documents, name: str) -> None:
        self._collection = collection
        self._extra: dict[str, Any] = {"comment": name}
        session = SESSION.get()
        if session is not None:
            self._extra["session"] = session
        self._reading = READING.get()
        if self._reading is not None and EVENTUAL in self._reading.wishes:
            self._collection = collection.with_options(read_preference=SecondaryPreferred())

    def __getattr__(self, method: str) -> Any:
        if self._reading is not None and method == "find" and self._may_be_partial(self._reading):
            return PartialFind(self._collection, self._reading, self._extra)
        return partial(getattr(self._collection, method), **self._extra)

    def _may_be_partial(self, reading: Reading) -> bool:
        """A list of several shards may leave some out; one of a single shard is there or not."""
        return PARTIAL in reading.wishes and isinstance(DECLARED[self._extra["comment"]], Scatter)


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

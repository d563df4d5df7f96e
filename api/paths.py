"""What an id in a path looks like: a path that has none there is no path of that route.

So `PUT /tasks/search` is a wrong method of the search (405), not a task called "search".
"""

from typing import Any

from werkzeug.routing import BaseConverter, Map, Rule

from .ids import OBJECT_ID_PATTERN, PUBLIC_ID_PATTERN

# As `tokens` makes them, with room for other lengths.
SESSION_ID_PATTERN = "^[A-Za-z0-9_-]{16,64}$"

# The name of a path's argument -> its pattern. One that is not here may be anything.
PATH_PATTERNS = {
    **dict.fromkeys(("user_id", "project_id", "import_id"), OBJECT_ID_PATTERN),
    **dict.fromkeys(("task_id", "event_id", "reminder_id"), PUBLIC_ID_PATTERN),
    "session_id": SESSION_ID_PATTERN,
}


class PatternConverter(BaseConverter):
    """Lets through a text that has one pattern, as it is."""

    def __init__(self, map: Map, pattern: str) -> None:
        super().__init__(map)
        self.regex = pattern.removeprefix("^").removesuffix("$")


class IdRule(Rule):
    """A route whose arguments have the pattern of their name: `/tasks/<task_id>`."""

    def get_converter(self, variable_name: str, *given: Any) -> BaseConverter:
        pattern = PATH_PATTERNS.get(variable_name)
        if pattern is None or self.map is None:
            return super().get_converter(variable_name, *given)
        return PatternConverter(self.map, pattern)

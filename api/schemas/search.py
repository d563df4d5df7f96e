"""A search: nested groups of rules, checked as a whole before any of it is read. Pure.

`{"condition": "AND", "rules": [{"field": "status", "operator": "in", "value": ["pending"]}, {"condition": "OR", ...}]}`
The check walks the groups without recursion and counts, so neither depth nor number can be used against it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields

from ..errors import Problem, invalid
from .base import Strict, own_fields
from .fields import Choice, Int, ShortList, Text
from .filters import COUNTS, DEFAULT_LIMIT, MAX_LIKE, MAX_LIMIT, MAX_OFFSET, RANGES, Clause, contains

MAX_DEPTH = 3
MAX_RULES = 30
MAX_VALUES = 100

JOINS = {"AND": "$and", "OR": "$or"}
OPERATORS = ("eq", "neq", "in", *RANGES, "like", "exists")

# The operators of a text, of what is compared, and of a person or project.
TEXT = ("eq", "neq", "in", "like")
RANGE = ("eq", "gt", "gte", "lt", "lte")
REFERENCE = ("eq", "neq", "in", "exists")


@dataclass(frozen=True)
class Searchable:
    """A field that rules may name: how its values are read, and which operators it has."""

    field: fields.Field
    operators: tuple[str, ...]


class Rules(fields.Raw):
    """The groups of a search as they came: `clause_of` reads them. The document shows their whole shape."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        inner = rule = _object(
            field={"type": "string"},
            operator={"type": "string", "enum": list(OPERATORS)},
            value={"type": ["string", "number", "boolean", "array"], "items": {}, "maxItems": MAX_VALUES},
        )
        for _ in range(MAX_DEPTH):
            rules = {"type": "array", "minItems": 1, "maxItems": MAX_RULES, "items": inner}
            group = _object(condition={"type": "string", "enum": list(JOINS)}, rules=rules)
            inner = {"anyOf": [group, rule]}
        self.rules = group


def _object(**properties: Any) -> dict[str, Any]:
    """An object with these properties, no fewer and no more."""
    needed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **needed}


def search_schema(
    name: str,
    item: type[Schema],
    sorts: Sequence[str],
    example: Mapping[str, Any],
    extra: Mapping[str, fields.Field],
) -> type[Schema]:
    """The body of a search: groups of rules, nested up to 3 deep, 30 rules in all; and which page of what they find."""
    shown = list(own_fields(item))
    added = [each for each in item().fields if each not in shown]
    body: dict[str, fields.Field] = {
        "filters": Rules(required=True, metadata={"example": example}),
        **extra,
        "sort": Choice(*(sign + sort for sort in sorts for sign in ("", "-"))),
        "limit": Int(1, MAX_LIMIT, load_default=DEFAULT_LIMIT),
        "cursor": Text(1000, 1, metadata={"description": "`pagination.next_cursor` of the page before."}),
        "offset": Int(0, MAX_OFFSET),
        "count": Choice(*COUNTS),
        "fields": ShortList(Choice(*shown), len(shown)),
        "expand": ShortList(Choice(*added), len(added)),
    }
    made: type[Schema] = Strict.from_dict(body, name=name)
    return made


def clause_of(searchable: Mapping[str, Searchable], tree: Any, pointer: str = "/filters") -> Clause:
    """The filter that `tree` means.

    Raises:
        Problem: 422 that names the part which is wrong.
    """
    _check_shape(tree, pointer)
    return _group(searchable, tree, pointer)


def residual(clause: Clause) -> Clause:
    """`clause`, so that it is no bound of an index scan: whatever it says, a list keeps the order of its index.

    Values of the sort's own field (`priority` 1 or 5) would become points, which a server sorts in memory: see
    `paging`. It takes no bounds from an alternative that no index serves: no document is without a version.
    """
    return {"$or": [clause, {"version": None}]}


def _check_shape(tree: Any, pointer: str) -> None:
    """Groups are groups, not too deep, and there are not too many rules."""
    rules, waiting = 0, [(tree, pointer, 1)]
    while waiting:
        part, at, depth = waiting.pop()
        if not isinstance(part, dict):
            raise invalid(at, "Must be an object.")
        if "rules" not in part and "condition" not in part and depth > 1:
            rules += 1
        elif depth > MAX_DEPTH:
            raise invalid(at, f"Groups are nested at most {MAX_DEPTH} deep.")
        else:
            inner = _inner(part, at)
            waiting += [(each, f"{at}/rules/{number}", depth + 1) for number, each in enumerate(inner)]
        if rules > MAX_RULES:
            raise invalid(pointer, f"There are at most {MAX_RULES} rules.")


def _inner(group: Mapping[str, Any], at: str) -> list[Any]:
    if not isinstance(group.get("condition"), str) or group["condition"] not in JOINS:
        raise invalid(f"{at}/condition", "Must be AND or OR.")
    inner = group.get("rules")
    if not isinstance(inner, list) or not 1 <= len(inner) <= MAX_RULES:
        raise invalid(f"{at}/rules", f"Must be a list of 1 to {MAX_RULES} rules and groups.")
    if len(group) > 2:
        raise invalid(at, "Has condition and rules, and nothing else.")
    return inner


def _group(searchable: Mapping[str, Searchable], group: Mapping[str, Any], at: str) -> Clause:
    """Called on what `_check_shape` has let through: at most `MAX_DEPTH` deep."""
    parts = []
    for number, each in enumerate(group["rules"]):
        read = _group if "rules" in each else _rule
        parts.append(read(searchable, each, f"{at}/rules/{number}"))
    return {JOINS[group["condition"]]: parts}


def _rule(searchable: Mapping[str, Searchable], rule: Mapping[str, Any], at: str) -> Clause:
    if set(rule) != {"field", "operator", "value"}:
        raise invalid(at, "Has field, operator and value, and nothing else.")
    name, operator = rule["field"], rule["operator"]
    if not isinstance(name, str) or name not in searchable:
        raise invalid(f"{at}/field", f"Must be one of {', '.join(searchable)}.")
    found = searchable[name]
    if not isinstance(operator, str) or operator not in found.operators:
        raise invalid(f"{at}/operator", f"Of {name}: must be one of {', '.join(found.operators)}.")
    try:
        return {name: _condition(found.field, operator, rule["value"])}
    except ValidationError as error:
        raise _refusal(f"{at}/value", error) from None


def _refusal(at: str, error: ValidationError) -> Problem:
    return invalid(at, "; ".join(str(message) for message in error.messages))


def _condition(field: fields.Field, operator: str, value: Any) -> Any:
    if operator == "exists":
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return {"$ne": None} if value else None
    if operator == "like":
        return contains(Text(MAX_LIKE, 1).deserialize(value))
    if operator == "in":
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_VALUES:
            raise ValidationError(f"Must be a list of 1 to {MAX_VALUES} values.")
        return {"$in": [field.deserialize(each) for each in value]}
    read: Callable[[Any], Any] = field.deserialize
    if operator == "eq":
        return {"$eq": read(value)}
    return {"$ne" if operator == "neq" else RANGES[operator]: read(value)}

"""Which problems a function can raise, found in its code and in that of all it names. Nothing is run.

A name is looked up as Python would: among the function's own cells, then in its module. Of what a function is given by
its caller, only `resource` is followed.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from types import FunctionType
from typing import Any

from api import errors, resources
from api.owned import Resource
from api.store.claims import ClaimTaken

# Exceptions that become problems on their way out.
TAKEN = {"email_taken", "username_taken"}


RESOURCES = {each.noun: each for each in vars(resources).values() if isinstance(each, Resource)}

# A function of ours, and the noun of the resource that it is given, if it takes one.
Work = tuple[FunctionType, str]


def problems_of(function: FunctionType) -> set[str]:
    """The codes of the problems that `function` can raise, by itself or by what it calls."""
    waiting: list[Work] = [(function, "")]
    known, found = set(waiting), set()
    while waiting:
        codes, named = _read(*waiting.pop())
        found |= codes
        waiting += named - known
        known |= named
    return found


@cache
def _read(function: FunctionType, noun: str) -> tuple[frozenset[str], frozenset[Work]]:
    """The codes in one function, and the functions of ours that it names."""
    names = _names(function)
    if "resource" in function.__code__.co_varnames:
        names["resource"] = RESOURCES.get(noun)
    targets, codes = [], set()
    for node in _code(function):
        if isinstance(node, ast.Call):
            codes |= _codes_in(node, _resolve(node.func, names))
        if isinstance(node, ast.Name | ast.Attribute):
            targets.append(_resolve(node, names))
    about = next((each.noun for each in targets if isinstance(each, Resource)), noun)
    named = {(plain, about) for each in targets if (plain := _ours(each)) is not None}
    return frozenset(codes), frozenset(named)


def _ours(target: Any) -> FunctionType | None:
    """The function, without what its decorators put around it, if it is one of the API's."""
    plain = inspect.unwrap(target) if callable(target) else None
    if not isinstance(plain, FunctionType) or plain is errors.invalid or plain is errors.unavailable:
        return None
    return plain if plain.__module__.startswith("api.") else None


def _code(function: FunctionType) -> Iterator[ast.AST]:
    """The nodes of a function but for its decorators, which run when it is defined."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except SyntaxError:  # A lambda in the middle of a line.
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
    yield from ast.walk(tree)


def _names(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    known = {**function.__globals__, **{name: cell.cell_contents for name, cell in cells}}
    return {name: value for name, value in known.items() if name not in function.__code__.co_varnames}


def _resolve(node: ast.AST, names: dict[str, Any]) -> Any:
    """What `projects.update` or `resource.queries.find_item` is; None where that depends on the call."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if not isinstance(node, ast.Attribute) or (base := _resolve(node.value, names)) is None:
        return None
    try:
        return getattr(base, node.attr, None)
    except RuntimeError:  # Of the present request, and there is none.
        return None


def _codes_in(call: ast.Call, target: Any) -> set[str]:
    if target is errors.unavailable:
        return {"unavailable"}
    if target is ClaimTaken:
        return TAKEN
    if target is errors.invalid:
        return _words(call.args[2]) if len(call.args) > 2 else {"invalid"}
    return _words(call.args[0]) if target is errors.Problem else set()


def _words(node: ast.AST) -> set[str]:
    """The codes that stand in an expression: in both branches of a choice."""
    values = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return {value for value in values if value in errors.KINDS}

"""Headers in the OpenAPI document: which ones a route takes and answers follows from its contract."""

from typing import Any

from .endpoint import Access, Endpoint, Kind

HEADERS: dict[str, dict[str, Any]] = {
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The item's ETag, or * for any version.",
        "schema": {"type": "string", "examples": ["*"]},
        "example": "*",
    },
    "PerhapsIfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The item's ETag: 412 unless it still has it. Without it, any version is overwritten.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "An ETag: 304 while the item still has it.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The answer to the first request with this key is sent again for 24 hours.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The id of the last event that was received: what came after it is told first.",
        "schema": {"type": "string"},
    },
    "ConsistencyToken": {
        "name": "X-Consistency-Token",
        "in": "header",
        "description": "Of a write's answer: what is read is at least as new as that write, whoever serves it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{80}$"},
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "Of lists: `consistency=eventual` lets secondaries answer, `partial` lets a list of several "
        "shards leave out those that do not answer. `route-report` tells an admin in `X-Route` which shards were "
        "asked.",
        "schema": {"type": "string", "examples": ["consistency=eventual, partial"]},
    },
}
ANSWERED = {
    "ETag": {"description": "The item's version, for `If-Match`.", "schema": {"type": "string", "examples": ['"3"']}},
    "Location": {"description": "The path of what was made.", "schema": {"type": "string"}},
    "Link": {"description": "The pages after and before, as `next` and `prev`.", "schema": {"type": "string"}},
    "TotalCount": {"description": "How many there are, where they are counted.", "schema": {"type": "integer"}},
    "ContentRange": {
        "description": "`tasks 0-24/142`, of a page by offset.",
        "schema": {"type": "string", "pattern": r"^\w+ ([0-9]+-[0-9]+|\*)/[0-9]+$"},
    },
    "ConsistencyToken": {
        "description": "Send it with a read that must see this write.",
        "schema": {"type": "string"},
    },
    "PreferenceApplied": {"description": "What of `Prefer` was done.", "schema": {"type": "string"}},
    "Route": {"description": "`targeted shard-2` or `scatter 2/2`.", "schema": {"type": "string"}},
}


def of_request(method: str, contract: Endpoint) -> list[str]:
    """The names, in `HEADERS`, of what can be sent."""
    found = []
    if contract.conditional:
        found.append("IfNoneMatch" if method == "GET" else "IfMatch")
    if contract.lenient:
        found.append("PerhapsIfMatch")
    if contract.idempotent:
        found.append("IdempotencyKey")
    if contract.event:
        found.append("LastEventId")
    if contract.access is not Access.ANYONE and contract.kind is not Kind.WRITE:
        found += ["ConsistencyToken", "Prefer"]
    return found


def of_answer(status: int, contract: Endpoint) -> dict[str, Any]:
    """The headers of an answer of success that are not those of every answer."""
    named = {}
    if status == 201 or (contract.conditional and status in (200, 304)):
        named["ETag"] = "ETag"
    if status == 201:
        named["Location"] = "Location"
    if contract.access is not Access.ANYONE:
        if contract.kind is Kind.WRITE:
            named["X-Consistency-Token"] = "ConsistencyToken"
        else:
            named |= {"Preference-Applied": "PreferenceApplied", "X-Route": "Route"}
    if contract.query and status == 200:
        named |= _of_page(set(contract.query().fields))
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in named.items()}


def _of_page(parameters: set[str]) -> dict[str, str]:
    """The headers of a list, by what it can be asked."""
    named = {"Link": "Link"} if "cursor" in parameters else {}
    if parameters & {"offset", "range"}:
        named |= {"Content-Range": "ContentRange", "X-Total-Count": "TotalCount"}
    return named

"""Wire shapes of the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId
from marshmallow import ValidationError, fields

from .. import ids, times
from ..audit import ACTIONS
from .base import Shown
from .fields import Choice, Id, Instant
from .filters import Filter, page_parameters, query_schema

RESOURCES = tuple(ACTIONS)
ALL_ACTIONS = tuple(action for actions in ACTIONS.values() for action in actions)

EITHER_ID = f"{ids.OBJECT_ID_PATTERN}|{ids.PUBLIC_ID_PATTERN}"


class DocumentId(fields.String):
    """The id of a document as clients see it, whatever it is of; loaded as its `_id`."""

    of_document = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": EITHER_ID}, **kwargs)

    @staticmethod
    def to_wire(entry: Mapping[str, Any]) -> str | None:
        if entry["resource_id"] is None:
            return None
        owner_id = None
        if entry["resource"] not in ("projects", "users"):
            owner_id = {**entry.get("before", {}), **entry.get("after", {})}.get("owner_id")
        return ids.public_id(owner_id, entry["resource_id"]) if owner_id else str(entry["resource_id"])

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return ids.parse_public_id(value)[1] if len(value) > 24 else ids.parse_object_id(value)
        except ids.BadId:
            raise ValidationError("Not a valid id.") from None


class Facts(fields.Dict):
    """Names with versions, ids, times or words."""

    @staticmethod
    def to_wire(value: Mapping[str, Any] | None) -> dict[str, Any]:
        return {name: _plain(each) for name, each in (value or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return times.show(value)
    return str(value) if isinstance(value, ObjectId) else value


class AuditEntry(Shown):
    """Who did what to which. Names of fields and versions, never what was written into them."""

    id = Id(attribute="_id")
    at = Instant()
    actor_id = Id(allow_none=True, metadata={"description": "Null where nobody had shown who they are."})
    action = fields.String(metadata={"example": "task.update"})
    resource = fields.String(metadata={"example": "tasks"})
    resource_id = DocumentId(allow_none=True)
    request_id = fields.String(allow_none=True)
    ok = fields.Boolean(metadata={"description": "False for what was tried and refused."})
    before = Facts(metadata={"description": "The version before and, of what was deleted, who could see it."})
    after = Facts(metadata={"description": "The version after, and rights that were given."})
    detail = Facts(metadata={"description": "Such as `fields`, the names of what was changed, or a `reason`."})


AUDIT_FILTERS = (
    Filter("actor_id", lambda: Id(), ("eq",)),
    Filter("action", lambda: Choice(*ALL_ACTIONS), ("eq", "in"), ALL_ACTIONS),
    Filter("resource", lambda: Choice(*RESOURCES), ("eq",), RESOURCES),
    Filter("resource_id", lambda: DocumentId(), ("eq",)),
    Filter("at", lambda: Instant(), ("gt", "gte", "lt", "lte")),
)

AuditQuery = query_schema("AuditQuery", AUDIT_FILTERS, ("at",), page_parameters(AuditEntry))

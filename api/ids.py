"""The public id of an owned resource: it carries the whole shard key, so a route knows its shard without a lookup.

base64url(owner_id (12 bytes) + _id (12 bytes)) is 32 characters without padding, e.g. `ZTFhMmIz...`.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from bson import ObjectId

PUBLIC_ID_PATTERN = "^[A-Za-z0-9_-]{32}$"
OBJECT_ID_PATTERN = "^[0-9a-f]{24}$"

_PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{32}")
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")


class BadId(ValueError):
    """The text is no id that this API ever gave out. A path answers 404, a body or filter 422."""


def public_id(owner_id: ObjectId, item_id: ObjectId) -> str:
    """The id that clients see of `item_id`, owned by `owner_id`."""
    return urlsafe_b64encode(owner_id.binary + item_id.binary).decode("ascii")


def parse_public_id(text: str) -> tuple[ObjectId, ObjectId]:
    """`(owner_id, _id)` of a public id; 24 bytes fill 32 characters exactly, so there is one text for each pair.

    Raises:
        BadId: other length, or characters that `b64decode` would skip.
    """
    if not isinstance(text, str) or not _PUBLIC_ID.fullmatch(text):
        raise BadId("not a public id")
    raw = urlsafe_b64decode(text)
    return ObjectId(raw[:12]), ObjectId(raw[12:])


def parse_object_id(text: str) -> ObjectId:
    """An ObjectId from its 24 lower-case hex digits, the only form in which it is shown.

    Raises:
        BadId: anything else.
    """
    if not isinstance(text, str) or not _OBJECT_ID.fullmatch(text):
        raise BadId("not an id")
    return ObjectId(text)

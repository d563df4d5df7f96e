"""Wire shapes of people and their logins."""

import re
import unicodedata
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validate, validates_schema

from cluster.collections import ROLES, USER_STATUSES

from .. import passwords
from ..names import fold
from .base import Shown, Strict, one_of
from .fields import Choice, Id, Instant, Int, Preferences, Text, TimeZone
from .filters import Filter, id_parameter, page_parameters, query_schema

MAX_EMAIL = 254

# No '@', so that a name is never taken for an e-mail address.
_USERNAME = re.compile(r"[^\W_][\w.-]{2,31}")


class Username(Text):
    """3 to 32 letters, digits, `.`, `_` or `-`, kept in normal form (NFKC)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(32, 3, metadata={"format": "username", **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        name = unicodedata.normalize("NFKC", super()._deserialize(value, attr, data, **kwargs))
        if not _USERNAME.fullmatch(name):
            raise ValidationError("Must be 3 to 32 letters, digits, '.', '_' or '-', the first a letter or digit.")
        return name


class Email(Text):
    """An e-mail address, kept in its normal form; whether it exists is not asked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(MAX_EMAIL, 3, metadata={"format": "email", **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            address = validate_email(text, check_deliverability=False).normalized
        except EmailNotValidError:
            raise ValidationError("Not a valid e-mail address.") from None
        # Claims are kept folded, which lengthens some letters.
        if len(fold(address)) > MAX_EMAIL:
            raise ValidationError("Not a valid e-mail address.")
        return address


def _password(**kwargs: Any) -> Text:
    """A password as a client sends it; what a new one must be is `WithNewPassword`'s to say."""
    return Text(1024, 1, load_only=True, metadata={"format": "password", **kwargs.pop("metadata", {})}, **kwargs)


def _new_password(example: str) -> Text:
    """One that a client chooses."""
    bounds = {"minLength": passwords.MIN_CHARACTERS, "maxLength": passwords.MAX_BYTES}
    return _password(required=True, metadata={**bounds, "example": example})


class WithNewPassword(Strict):
    """A body whose `password` is a new one."""

    password = _new_password("correct horse 7")

    @validates_schema
    def check_password(self, data: dict[str, Any], **_: Any) -> None:
        names = (data.get("username", ""), data.get("email", ""))
        problem = passwords.problem_of(data.get("password", ""), *names)
        if problem:
            raise ValidationError(problem, "password")


class Registration(WithNewPassword):
    username = Username(required=True, metadata={"example": "ada"})
    email = Email(required=True, metadata={"example": "ada@example.org"})
    name = Text(200, load_default="", metadata={"example": "Ada Lovelace"})


class UserCreate(Registration):
    """A user as an admin makes one."""

    role = Choice(*ROLES, load_default="member")
    time_zone = TimeZone(load_default="UTC")
    preferences = Preferences(load_default=dict)


class MePatch(Strict):
    """What people may change of themselves."""

    username = Username()
    email = Email()
    name = Text(200, metadata={"example": "Ada King"})
    time_zone = TimeZone(metadata={"example": "Europe/London"})
    preferences = Preferences(metadata={"example": {"theme": "dark"}})


class UserPatch(MePatch):
    """What an admin may change of anybody."""

    role = Choice(*ROLES)
    status = Choice("active", "disabled")


class UserPut(Strict):
    """What an admin may write, whole; what may be left out goes back to its default."""

    username = Username(required=True, metadata={"example": "ada"})
    email = Email(required=True, metadata={"example": "ada@example.org"})
    name = Text(200, load_default="", metadata={"example": "Ada King"})
    role = Choice(*ROLES, required=True, metadata={"example": "member"})
    status = Choice("active", "disabled", required=True, metadata={"example": "active"})
    time_zone = TimeZone(load_default="UTC")
    preferences = Preferences(load_default=dict)


class User(Shown):
    """A person as they and admins see them."""

    id = Id(attribute="_id")
    username = fields.String()
    email = fields.String()
    name = fields.String()
    role = Choice(*ROLES)
    status = fields.String(validate=validate.OneOf(USER_STATUSES))
    time_zone = fields.String()
    preferences = fields.Dict()
    created_at = Instant()
    updated_at = Instant()
    last_login_at = Instant(allow_none=True)
    email_verified_at = Instant(allow_none=True)
    version = Int(1)


class Person(Shown):
    """What everybody may know of somebody, so that tasks can be given to them."""

    id = Id(attribute="_id")
    username = fields.String()
    name = fields.String()


DirectoryQuery = query_schema(
    "DirectoryQuery",
    (),
    ("username", "name"),
    {
        "q": Text(
            32,
            1,
            metadata={"description": "How the name begins, in any case; anyhow, unless given."},
        ),
        "by": Choice("username", "name", metadata={"description": "Which name: `username` (default) or `name`."}),
        "id": id_parameter(Id()),
        **page_parameters(Person),
    },
)

USER_FILTERS = (
    Filter("role", lambda: Choice(*ROLES), ("eq", "neq", "in"), ROLES),
    Filter("status", lambda: Choice(*USER_STATUSES), ("eq", "neq", "in"), USER_STATUSES),
)
UserQuery = query_schema(
    "UserQuery", USER_FILTERS, ("created_at",), {"id": id_parameter(Id()), **page_parameters(User)}
)


class Login(Strict):
    """One of `username` and `email`, and the password."""

    rules = one_of("username", "email")

    username = Text(254, 1, metadata={"example": "ada"})
    email = Text(254, 1)
    password = _password(required=True, metadata={"example": "correct horse 7"})

    @validates_schema
    def check_one_name(self, data: dict[str, Any], **_: Any) -> None:
        if ("username" in data) == ("email" in data):
            raise ValidationError("Give either username or email.", "username")


class Refresh(Strict):
    refresh_token = Text(256, 1, required=True, metadata={"example": "the refresh_token of your login"})


class TokenPair(Shown):
    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String(validate=validate.Equal("Bearer"))
    expires_in = Int(1, metadata={"description": "Seconds until the access token expires."})


class Verified(Shown):
    active = fields.Boolean()
    user_id = Id()
    role = Choice(*ROLES)
    session_id = fields.String()
    expires_at = Instant()


class PasswordChange(Strict):
    current_password = _password(required=True, metadata={"example": "correct horse 7"})
    new_password = _new_password("battery staple 8")


class EmailAddress(Strict):
    email = Email(required=True, metadata={"example": "ada@example.org"})


class LetterToken(Strict):
    """The token of a letter."""

    token = Text(128, 1, required=True, metadata={"example": "kq3uU1cPq0tJ9xkqk3o0bW4oGm8sX6hT5yZ2vR7nE1A"})


class PasswordReset(LetterToken):
    new_password = _new_password("battery staple 8")


class Session(Shown):
    """One login of the caller."""

    id = fields.String(attribute="_id")
    created_at = Instant()
    last_used_at = Instant()
    expires_at = Instant()
    user_agent = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    current = fields.Boolean()

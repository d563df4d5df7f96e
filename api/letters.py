"""What letters say. Pure: from a kind and a person to a message; `worker` sends them."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import quote

from .one_time import RESET, VERIFY


@dataclass(frozen=True)
class Kind:
    """A kind of letter: its subject, its text, and the page of the dashboard where its token is to be given."""

    subject: str
    text: str
    page: str = ""


KINDS: Mapping[str, Kind] = {
    "welcome": Kind(
        "Welcome to Shardboard",
        "you have an account now; your username is {username}.\n\nTell us that this address is yours:",
        "/verify-email",
    ),
    VERIFY: Kind("Verify your e-mail address", "tell us that this address is yours:", "/verify-email"),
    RESET: Kind(
        "Choose a new password",
        "somebody, most likely you, has asked for a new password of {username}. If it was not you, nothing has "
        "changed and you need do nothing.\n\nChoose one within {minutes} minutes:",
        "/reset-password",
    ),
    "password_changed": Kind(
        "Your password was changed",
        "the password of {username} was changed and every other session has ended. If it was not you, ask for a new "
        "password at once and tell an administrator.",
    ),
    "email_changed": Kind(
        "Your e-mail address was changed",
        "{username} has another e-mail address now, and this one gets no more letters. If it was not you, tell an "
        "administrator.",
    ),
}


def purpose_of(letter: str) -> str | None:
    """What the token in a letter is for; None where it has none."""
    return {"welcome": VERIFY, VERIFY: VERIFY, RESET: RESET}.get(letter)


def compose(
    letter: str, to: str, user: Mapping[str, str], token: str | None, dashboard_url: str, minutes: int
) -> EmailMessage:
    """The message. The token stands behind a `#`: browsers send that part to no server, so no log of one holds it."""
    kind = KINDS[letter]
    lines = [f"Hello {user['name'] or user['username']},", kind.text.format(username=user["username"], minutes=minutes)]
    if token is not None:
        link = f"{dashboard_url}{kind.page}#token={quote(token)}"
        lines.append(link if dashboard_url else f"Token: {token}")
    message = EmailMessage()
    message["Subject"], message["To"] = kind.subject, to
    message.set_content("\n\n".join(lines) + "\n")
    return message

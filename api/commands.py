"""What a person or a script asks of the API's database besides serving: the first admin, sample data."""

import secrets

from flask import Flask

from . import accounts
from .db import Document, deadline
from .passwords import problem_of
from .schemas.accounts import UserCreate
from .schemas.base import load
from .store.claims import ClaimTaken

# A command may wait for an election and more.
COMMAND_MS = 60_000


class CommandError(Exception):
    """A command cannot do what it was asked. The message is one sentence; what it names is the remedy."""


def first_admin(app: Flask, username: str, email: str, password: str | None) -> str:
    """Make an admin unless there is one of that name; says in one sentence what was done.

    Without a password one is made and told, once. With one, the password of an admin who is there is left alone.
    """
    with app.app_context(), deadline(COMMAND_MS):
        found = accounts.find_by_name(username, None)
        if found is not None:
            return _already(found)
        chosen = password or secrets.token_urlsafe(15)
        problem = problem_of(chosen, username, email)
        if problem:
            raise CommandError(f"The password is refused: {problem[0].lower()}{problem[1:]}")
        body = {"username": username, "email": email, "password": chosen, "name": "Administrator", "role": "admin"}
        try:
            accounts.create_user(load(UserCreate(), body), None)
        except ClaimTaken as error:
            raise CommandError(f"The {error.kind} is taken: choose another.") from error
    told = "" if password else f" The password is {chosen}"
    return f"The admin {username} was made.{told}"


def _already(user: Document) -> str:
    if user["role"] != "admin":
        raise CommandError(f"{user['username']} exists and is no admin: choose another --username.")
    return f"The admin {user['username']} exists; nothing was changed."

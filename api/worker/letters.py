"""Sends letters. Until there is a mail server, into a directory, one file a letter that only its owner can read."""

import os
import secrets
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import structlog

from .. import accounts, letters, one_time, times
from ..db import Document
from ..services import services
from ..store import users

log = structlog.get_logger(__name__)


def send_letter(payload: Mapping[str, Any]) -> None:
    """Send one to a person who is still there and active; `payload` names them by id or by address.

    A letter that is sent again has a token of its own. The log names the letter and the person, never what it says.
    """
    user = _receiver(payload)
    if user is None or user["status"] != "active":
        log.info("letter_without_receiver", letter=payload["letter"])
        return
    settings, purpose = services().settings, letters.purpose_of(payload["letter"])
    token = one_time.issue(user, purpose) if purpose else None
    to, minutes = payload.get("to") or user["email"], settings.reset_token_s // 60
    message = letters.compose(payload["letter"], to, user, token, settings.dashboard_url, minutes)
    _deliver(message, settings.letters_dir)
    log.info("letter", letter=payload["letter"], user_id=str(user["_id"]), delivered=bool(settings.letters_dir))


def _receiver(payload: Mapping[str, Any]) -> Document | None:
    if "email" in payload:
        return accounts.find_by_name(None, payload["email"])
    return users.find_user(payload["user_id"])


def _deliver(message: EmailMessage, directory: str) -> None:
    """Write `message` as a file, in one step. Without a directory nobody gets it."""
    if not directory:
        return
    at, place = times.now(), Path(directory)
    message["Date"] = format_datetime(at)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}-{secrets.token_hex(4)}.eml"
    fresh = place / f".{name}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(bytes(message))
    fresh.replace(place / name)

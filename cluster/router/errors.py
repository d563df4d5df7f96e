"""Errors as commands answer them: a code, its name, a message, labels."""

from typing import Any

# Only the codes that this program raises or acts on itself; those of members pass through unchanged.
# https://www.mongodb.com/docs/manual/reference/error-codes/
CODES = {
    "InternalError": 1,
    "BadValue": 2,
    "HostUnreachable": 6,
    "FailedToParse": 9,
    "Unauthorized": 13,
    "TypeMismatch": 14,
    "NoSuchKey": 4,
    "UserNotFound": 11,
    "ProtocolError": 17,
    "AuthenticationFailed": 18,
    "IllegalOperation": 20,
    "InvalidBSON": 22,
    "NamespaceNotFound": 26,
    "CursorNotFound": 43,
    "MaxTimeMSExpired": 50,
    "CommandNotFound": 59,
    "ShardKeyNotFound": 61,
    "WriteConcernFailed": 64,
    "ShardNotFound": 70,
    "InvalidOptions": 72,
    "InvalidNamespace": 73,
    "NetworkTimeout": 89,
    "ShutdownInProgress": 91,
    "OperationFailed": 96,
    "CommandNotSupported": 115,
    "NamespaceNotSharded": 118,
    "FailedToSatisfyReadPreference": 133,
    "CommandNotSupportedOnView": 166,
    "CommandOnShardedViewNotSupportedOnMongod": 169,
    "TimeProofMismatch": 204,
    "InvalidResumeToken": 260,
    "StaleConfig": 13388,
    "StaleDbVersion": 249,
    "NoSuchTransaction": 251,
    "OperationNotSupportedInTransaction": 263,
    "ShardCannotRefreshDueToLocksHeld": 267,
    "TooManyFilesOpen": 264,
    # Codes without a name of their own
    "Location40414": 40414,
    "Location40415": 40415,
    "Location50738": 50738,
}

# "Not applied, and another member may do it" and "the connection or the member went away": what may be retried.
# https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
NOT_PRIMARY = {10107, 13435, 10058}
GOING_AWAY = {11600, 11602, 91, 189, 13436}
NETWORK = {6, 7, 89, 9001}
RETRYABLE = NOT_PRIMARY | GOING_AWAY | NETWORK | {262, 134}
STALE = {CODES["StaleConfig"], CODES["StaleDbVersion"], 150, 151, 63, 334}


class CommandError(Exception):
    """A command that is answered `ok: 0`, e.g. `CommandError("BadValue", "limit must not be negative")`."""

    def __init__(self, name: str, message: str, labels: tuple[str, ...] = (), **extra: Any) -> None:
        super().__init__(message)
        self.name, self.code, self.message, self.labels, self.extra = name, CODES[name], message, labels, extra

    def reply(self) -> dict[str, Any]:
        reply = {"ok": 0.0, "errmsg": self.message, "code": self.code, "codeName": self.name, **self.extra}
        if self.labels:
            reply["errorLabels"] = list(self.labels)
        return reply


def is_stale(reply: dict[str, Any]) -> bool:
    """Whether a member says that it does not own what it was asked for, or not in that version.

    It may say so inside `writeErrors` of an `ok: 1` reply.
    """
    if not reply.get("ok"):
        return reply.get("code") in STALE
    return any(error["code"] in STALE for error in reply.get("writeErrors", ()))


def code_of(reply: dict[str, Any]) -> int:
    """The error's code; 0 for success."""
    return 0 if reply.get("ok") else int(reply.get("code", 8))

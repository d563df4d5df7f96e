"""MongoDB's wire protocol: messages in and out of a socket.

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

import socket
import struct
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument

OP_REPLY = 1
OP_QUERY = 2004
OP_MSG = 2013

CHECKSUM_PRESENT = 1 << 0
MORE_TO_COME = 1 << 1
EXHAUST_ALLOWED = 1 << 16
REQUIRED_BITS = 0xFFFF  # an unknown bit among the low 16 must be refused

MAX_MESSAGE_BYTES = 48_000_000
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_BODY_BYTES = MAX_DOCUMENT_BYTES + 16 * 1024
HEADER = struct.Struct("<iiii")
INT32 = struct.Struct("<i")

# Nested values stay raw: a router forwards most of what it carries without looking inside.
RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_MS
)
# The commands that carry their bulk in a document sequence (section kind 1), and its name.
SEQUENCES = {"insert": "documents", "update": "updates", "delete": "deletes",
             "clusterInsert": "documents", "clusterUpdate": "updates", "clusterDelete": "deletes"}  # fmt: skip


class ProtocolError(Exception):
    """The peer sent bytes that are no message. The connection must end: where the next message starts is unknown."""


class ConnectionLost(Exception):
    """The peer went away. What had been sent to it may or may not have been done."""


@dataclass
class Message:
    """A command, e.g. `Message({"ping": 1, "$db": "admin"}, request_id=7)`; values inside are raw."""

    body: dict[str, Any]
    request_id: int = 0
    flags: int = 0
    is_op_query: bool = field(default=False)
    size: int = 0

    @property
    def name(self) -> str:
        return next(iter(self.body), "")

    @property
    def wants_reply(self) -> bool:
        return not self.flags & MORE_TO_COME


def read_message(sock: socket.socket) -> Message:
    """The next command on a socket.

    Raises: ConnectionLost at the end of the stream, ProtocolError for bytes that are no command.
    """
    length, request_id, _, opcode = HEADER.unpack(_read_exactly(sock, HEADER.size))
    if not HEADER.size < length <= MAX_MESSAGE_BYTES:
        raise ProtocolError(f"message length {length}")
    payload = _read_exactly(sock, length - HEADER.size)
    if opcode not in (OP_MSG, OP_QUERY):
        raise ProtocolError(f"opcode {opcode}")
    try:
        message = parse_op_msg(payload) if opcode == OP_MSG else parse_op_query(payload)
    except (InvalidBSON, struct.error, IndexError, ValueError, RecursionError) as error:
        raise ProtocolError(str(error)) from error
    message.request_id, message.size = request_id, length
    return message


def _read_exactly(sock: socket.socket, size: int) -> memoryview:
    buffer = bytearray(min(size, 1 << 16))
    filled = 0
    while filled < size:
        if filled == len(buffer):
            # Grow only as bytes arrive: a length that lies must not cost memory.
            buffer.extend(bytes(min(size - filled, len(buffer))))
        try:
            count = sock.recv_into(memoryview(buffer)[filled:])
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        if not count:
            raise ConnectionLost("end of stream")
        filled += count
    return memoryview(buffer)[:size]


def parse_op_msg(payload: memoryview) -> Message:
    """Flags, one body (kind 0) and any number of document sequences (kind 1), which become lists in the body."""
    (flags,) = struct.unpack_from("<I", payload)
    if flags & REQUIRED_BITS & ~(CHECKSUM_PRESENT | MORE_TO_COME):
        raise ProtocolError(f"unknown required flags {flags:#x}")
    end = len(payload) - (4 if flags & CHECKSUM_PRESENT else 0)
    body: dict[str, Any] | None = None
    sequences: dict[str, list[RawBSONDocument]] = {}
    position = 4
    while position < end:
        kind, position = payload[position], position + 1
        size = _size_at(payload, position, end)
        section = payload[position : position + size]
        position += size
        if kind == 0 and body is None:
            body = decode_top(section)
        elif kind == 1:
            name, documents = _parse_sequence(section)
            if name in sequences:
                raise ProtocolError(f"document sequence {name!r} twice")
            sequences[name] = documents
        else:
            raise ProtocolError(f"section kind {kind}")
    if not body or set(body) & set(sequences):
        raise ProtocolError("no body, or a field that is both in the body and a document sequence")
    return Message({**body, **sequences}, flags=flags)


def _size_at(payload: memoryview, position: int, end: int) -> int:
    (size,) = INT32.unpack_from(payload, position)
    if size < 5 or position + size > end:
        raise ProtocolError(f"section of {size} bytes")
    return size


def _parse_sequence(section: memoryview) -> tuple[str, list[RawBSONDocument]]:
    data = bytes(section)
    stop = data.index(b"\0", 4)
    documents, position = [], stop + 1
    while position < len(data):
        size = _size_at(section, position, len(data))
        documents.append(RawBSONDocument(data[position : position + size], RAW))
        position += size
    return data[4:stop].decode(), documents


def parse_op_query(payload: memoryview) -> Message:
    """The legacy first message of drivers: a command on `<db>.$cmd`.

    https://www.mongodb.com/docs/manual/legacy-opcodes/
    """
    data = bytes(payload)
    stop = data.index(b"\0", 4)
    namespace = data[4:stop].decode()
    if not namespace.endswith(".$cmd"):
        raise ProtocolError(f"OP_QUERY on {namespace!r}: only commands are served")
    start = stop + 1 + 8
    body = decode_top(memoryview(data)[start : start + _size_at(payload, start, len(data))])
    if "$query" in body:
        body = dict(body["$query"].items())
    body["$db"] = namespace.removesuffix(".$cmd")
    return Message(body, is_op_query=True)


def decode_top(data: memoryview | bytes) -> dict[str, Any]:
    """A document whose top level is a plain dictionary and whose nested documents stay raw."""
    if len(data) > MAX_BODY_BYTES:
        raise ProtocolError(f"document of {len(data)} bytes")
    return dict(RawBSONDocument(bytes(data), RAW).items())


def encode_command(body: dict[str, Any], request_id: int, flags: int = 0) -> bytes:
    """An OP_MSG; the bulk of a write travels as a document sequence, which may exceed one document's limit."""
    name = SEQUENCES.get(next(iter(body)))
    sequence = b""
    if name is not None and name in body:
        body = dict(body)
        documents = body.pop(name)
        bulk = b"".join(document.raw if isinstance(document, RawBSONDocument) else bson.encode(document)
                        for document in documents)  # fmt: skip
        title = name.encode() + b"\0"
        sequence = b"\x01" + INT32.pack(4 + len(title) + len(bulk)) + title + bulk
    section = b"\0" + bson.encode(body, codec_options=RAW)
    length = HEADER.size + 4 + len(section) + len(sequence)
    return HEADER.pack(length, request_id, 0, OP_MSG) + struct.pack("<I", flags) + section + sequence


def encode_reply(reply: dict[str, Any], to: Message, request_id: int) -> bytes:
    """The answer to a message, in the opcode in which it was asked."""
    document = bson.encode(reply, codec_options=RAW)
    if to.is_op_query:
        head = struct.pack("<iqii", 8, 0, 0, 1)  # AwaitCapable; no cursor; one document
        return (
            HEADER.pack(HEADER.size + len(head) + len(document), request_id, to.request_id, OP_REPLY) + head + document
        )
    length = HEADER.size + 5 + len(document)
    return HEADER.pack(length, request_id, to.request_id, OP_MSG) + b"\0\0\0\0\0" + document


def read_reply(sock: socket.socket) -> dict[str, Any]:
    """The body of the next OP_MSG on a socket to a member."""
    return read_message(sock).body

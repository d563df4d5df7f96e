"""The wire protocol of the stand-in router: whatever bytes arrive, the answer is a message or a ProtocolError."""

import contextlib
import socket
import struct
import threading

import bson
import pytest
from bson import Int64
from bson.raw_bson import RawBSONDocument
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.router import wire


def receive(data: bytes) -> wire.Message:
    """What `read_message` makes of bytes that a peer sends before it hangs up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=_send_and_close, args=(theirs, data))
        sender.start()
        try:
            ours.settimeout(5)
            return wire.read_message(ours)
        finally:
            ours.close()
            sender.join()


def _send_and_close(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the reader had enough


def op_msg(
    *sections: bytes, flags: int = 0, tail: bytes = b"", request_id: int = 7, opcode: int = wire.OP_MSG
) -> bytes:
    payload = struct.pack("<I", flags) + b"".join(sections) + tail
    return wire.HEADER.pack(16 + len(payload), request_id, 0, opcode) + payload


def body(document: dict) -> bytes:
    return b"\0" + bson.encode(document)


def sequence(name: bytes, *documents: dict) -> bytes:
    bulk = name + b"\0" + b"".join(bson.encode(document) for document in documents)
    return b"\x01" + struct.pack("<i", 4 + len(bulk)) + bulk


def test_a_command_is_read_with_its_document_sequence():
    """Kind 1 sections become lists in the body, so that handlers see one shape."""
    message = receive(op_msg(body({"insert": "t", "$db": "d"}), sequence(b"documents", {"_id": 1}, {"_id": 2})))
    assert message.name == "insert"
    assert message.request_id == 7
    assert [document["_id"] for document in message.body["documents"]] == [1, 2]


def test_what_was_encoded_is_read_back_unchanged():
    """64-bit integers stay 64 bits wide and nested documents keep their bytes."""
    documents = [RawBSONDocument(bson.encode({"_id": Int64(5), "a": {"b": [1, None]}}))]
    message = receive(wire.encode_command({"insert": "t", "documents": documents, "$db": "d", "big": Int64(1)}, 3))
    assert message.body["documents"][0].raw == documents[0].raw
    assert type(message.body["big"]) is Int64


def test_a_checksum_is_left_aside():
    """A driver may send a CRC-32C; the four bytes are no section."""
    message = receive(op_msg(body({"ping": 1, "$db": "d"}), flags=wire.CHECKSUM_PRESENT, tail=b"\1\2\3\4"))
    assert message.name == "ping"


def test_the_legacy_handshake_is_read():
    """Drivers say hello in OP_QUERY before they know better."""
    payload = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode({"isMaster": 1})
    message = receive(wire.HEADER.pack(16 + len(payload), 9, 0, wire.OP_QUERY) + payload)
    assert message.is_op_query
    assert message.body == {"isMaster": 1, "$db": "admin"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (wire.HEADER.pack(15, 1, 0, wire.OP_MSG), "shorter than its header"),
        (wire.HEADER.pack(-1, 1, 0, wire.OP_MSG), "negative length"),
        (wire.HEADER.pack(wire.MAX_MESSAGE_BYTES + 1, 1, 0, wire.OP_MSG), "longer than the limit"),
        (op_msg(body({"ping": 1}), opcode=2012), "compressed without having been offered"),
        (op_msg(body({"ping": 1}), opcode=4242), "unknown opcode"),
        (op_msg(body({"ping": 1}), flags=1 << 5), "unknown required flag"),
        (op_msg(), "no section"),
        (op_msg(b"\0" + b"\5\0\0\0\0"), "empty body"),
        (op_msg(body({"ping": 1}), body({"ping": 1})), "two bodies"),
        (op_msg(b"\2" + bson.encode({"ping": 1})), "unknown kind of section"),
        (op_msg(b"\0" + struct.pack("<i", 2**30)), "section longer than the message"),
        (op_msg(b"\0" + struct.pack("<i", -5) + b"\0"), "section of negative length"),
        (op_msg(body({"insert": "t"}), sequence(b"documents", {}), sequence(b"documents", {})), "sequence twice"),
        (op_msg(body({"insert": "t", "documents": []}), sequence(b"documents", {})), "field twice"),
        (op_msg(body({"ping": 1})[:-1] + b"\1"), "document without its end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_message_is_refused(data: bytes, why: str):
    """Each ends the connection: where the next message would start is unknown."""
    with pytest.raises((wire.ProtocolError, wire.ConnectionLost)):
        receive(data)


def test_half_a_message_is_a_lost_connection():
    """A client that vanishes in mid-message is no protocol error."""
    with pytest.raises(wire.ConnectionLost):
        receive(op_msg(body({"ping": 1, "$db": "d"}))[:-3])


def test_a_length_that_lies_costs_no_memory():
    """The buffer grows as bytes arrive, not as the header promises."""
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(wire.ConnectionLost):
        receive(wire.HEADER.pack(wire.MAX_MESSAGE_BYTES, 1, 0, wire.OP_MSG) + b"x" * 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_deep_nesting_is_carried():
    """200 levels, twice what the server allows: the router forwards, the server refuses."""
    document: dict = {}
    for _ in range(200):
        document = {"a": document}
    assert receive(op_msg(body({"find": "t", "filter": document, "$db": "d"}))).name == "find"


valid = st.sampled_from([
    op_msg(body({"ping": 1, "$db": "admin"})),
    op_msg(body({"insert": "t", "$db": "d"}), sequence(b"documents", {"_id": 1}, {"_id": "x" * 40})),
    op_msg(body({"find": "t", "filter": {"a": 1}, "$db": "d"}), flags=wire.CHECKSUM_PRESENT, tail=b"abcd"),
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.builds(lambda data, cut: data[:cut], valid, st.integers(0, 120))))
def test_any_bytes_end_in_a_message_or_a_refusal(data: bytes):
    """Random and cut bytes."""
    with contextlib.suppress(wire.ProtocolError, wire.ConnectionLost):
        assert receive(data).body


@settings(max_examples=400, deadline=None)
@given(valid, st.integers(0, 119), st.integers(0, 255))
def test_a_garbled_byte_ends_in_a_message_or_a_refusal(data: bytes, place: int, value: int):
    """One byte changed anywhere, also in lengths, flags and types."""
    garbled = bytearray(data)
    garbled[place % len(garbled)] = value
    with contextlib.suppress(wire.ProtocolError, wire.ConnectionLost, TimeoutError):
        receive(bytes(garbled))

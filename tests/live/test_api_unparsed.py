"""Requests that never reach the application: answered in the one shape, and nothing of them is logged."""

import json
import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from cluster.run.services import Services

SECRET = "eyJhbGciOiJIUzI1NiJ9.of-somebody"


def answer_to(api: Services, sent: bytes) -> tuple[HTTPResponse, bytes]:
    """What comes back for these bytes."""
    at = urlsplit(api.url)
    assert at.hostname and at.port
    with socket.create_connection((at.hostname, at.port), timeout=20) as connection:
        connection.sendall(sent)
        response = HTTPResponse(connection)
        response.begin()
        return response, response.read()


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "uri_too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"x" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: x\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
        (b"GET /\r\n\r\n", 400, "bad_request"),
        (b"<html> / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
        (f"GET / HTTP/1.1\r\nAuthorization\t: {SECRET}\r\n\r\n".encode(), 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"),
    ],
    ids=lambda value: value[:24].decode() if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_parsed_has_the_one_shape(api: Services, sent: bytes, status: int, code: str) -> None:
    """No page, no word of the server, no echo; the connection is closed."""
    response, content = answer_to(api, sent)

    body = json.loads(content)
    assert response.status == body["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (body["code"], body["type"]) == (code, f"urn:shardboard:problem:{code}")
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Connection"] == "close"
    assert b"gunicorn" not in content.lower() and SECRET.encode() not in content
    assert SECRET not in api.api.output.read_text()


@pytest.mark.parametrize("chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}xx0\r\n\r\n"])
def test_a_body_whose_chunks_are_broken_is_the_clients_fault(api: Services, chunks: bytes) -> None:
    """Found out only where the body is read."""
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    at = urlsplit(api.url)
    with socket.create_connection((at.hostname, at.port), timeout=20) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        answered = connection.makefile("rb").read()

    head, _, content = answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    # All of it: one answer, and the end of the connection.
    assert json.loads(content)["code"] == "bad_request"

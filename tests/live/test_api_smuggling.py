"""No request hides in another: a request whose end can be read in two ways is refused, or the connection ends with it.

Each case holds a second request where its sender wants it to be found. The server answers the first one only, directly
and with a real nginx in front that keeps connections to it open. https://www.rfc-editor.org/rfc/rfc9112#section-11.2
"""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from support import free_port

from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
ANSWER_S = 2
# A second answer would come right after the first.
SILENCE_S = 0.5
# The proxy keeps what it sees for itself: if the API answers it (404), the proxy has not seen it.
SEEN_BY_PROXY = 418

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def with_headers(*lines: bytes, body: bytes = b"") -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def chunked(body: bytes, *lines: bytes) -> bytes:
    return with_headers(b"Transfer-Encoding: chunked", *lines, body=body)


EMPTY_CHUNKS = b"0\r\n\r\n"
LENGTH_OF_HIDDEN = str(len(HIDDEN)).encode()
# What its sender hopes for is in the name.
CASES: dict[str, bytes] = {
    "both, the length is believed": chunked(EMPTY_CHUNKS + HIDDEN, b"Content-Length: 5"),
    "both, the chunks are believed": chunked(EMPTY_CHUNKS + HIDDEN, b"Content-Length: %d" % (5 + len(HIDDEN))),
    "two lengths, the first is believed": with_headers(
        b"Content-Length: 0", b"Content-Length: " + LENGTH_OF_HIDDEN, body=HIDDEN
    ),
    "two lengths, the last is believed": with_headers(
        b"Content-Length: " + LENGTH_OF_HIDDEN, b"Content-Length: 0", body=HIDDEN
    ),
    "a list of lengths": with_headers(b"Content-Length: 0, " + LENGTH_OF_HIDDEN, body=HIDDEN),
    "a length with a sign": with_headers(b"Content-Length: +0", body=HIDDEN),
    "a negative length": with_headers(b"Content-Length: -1", body=HIDDEN),
    "a hexadecimal length": with_headers(b"Content-Length: 0x0", body=HIDDEN),
    "a length with an underscore": with_headers(b"Content-Length: 0_0", body=HIDDEN),
    "a length in other digits": with_headers("Content-Length: \u0660".encode(), body=HIDDEN),
    "an empty length": with_headers(b"Content-Length: ", body=HIDDEN),
    "a space before the colon": with_headers(b"Content-Length : 0", body=HIDDEN),
    "an encoding with a space before the colon": with_headers(
        b"Transfer-Encoding : chunked", body=EMPTY_CHUNKS + HIDDEN
    ),
    "an unknown encoding": with_headers(b"Transfer-Encoding: xchunked", b"Content-Length: 0", body=HIDDEN),
    "an encoding after chunked": with_headers(b"Transfer-Encoding: chunked, identity", body=EMPTY_CHUNKS + HIDDEN),
    "chunked twice": with_headers(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=EMPTY_CHUNKS + HIDDEN
    ),
    "an encoding behind a vertical tab": with_headers(
        b"Transfer-Encoding: \x0bchunked", b"Content-Length: 0", body=HIDDEN
    ),
    "a quoted encoding": with_headers(b'Transfer-Encoding: "chunked"', b"Content-Length: 0", body=HIDDEN),
    "a folded encoding": with_headers(b"Transfer-Encoding:\r\n chunked", body=EMPTY_CHUNKS + HIDDEN),
    "a folded length": with_headers(b"X-A: b\r\n Content-Length: 0", body=HIDDEN),
    "a line that ends in CR": with_headers(b"X-A: b\rContent-Length: 0", body=HIDDEN),
    "a NUL in a header": with_headers(b"X-A: b\x00c", b"Content-Length: 0", body=HIDDEN),
    "a header without a name": with_headers(b": b", b"Content-Length: 0", body=HIDDEN),
    "a header name with a line feed": with_headers(b"X\nContent-Length: 0", body=HIDDEN),
    "a hexadecimal prefix of a chunk": chunked(b"0x0\r\n\r\n" + HIDDEN),
    "a chunk with a sign": chunked(b"+0\r\n\r\n" + HIDDEN),
    "a negative chunk": chunked(b"-1\r\n\r\n" + HIDDEN),
    "a chunk with an underscore": chunked(b"0_0\r\n\r\n" + HIDDEN),
    "a chunk after a space": chunked(b" 0\r\n\r\n" + HIDDEN),
    "a chunk of no size": chunked(b"\r\n\r\n" + HIDDEN),
    "a chunk of an endless size": chunked(b"ffffffffffffffff1\r\n" + HIDDEN),
    "a chunk's line that ends in LF": chunked(b"2\n{}\n0\n\n" + HIDDEN),
    "a chunk extension that ends in LF": chunked(b"2;a\n{}\r\n0\r\n\r\n" + HIDDEN),
    "a chunk longer than it says": chunked(b"1\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    "a chunk without its end": chunked(b"2\r\n{}0\r\n\r\n" + HIDDEN),
    "chunks in HTTP/1.0": chunked(EMPTY_CHUNKS + HIDDEN).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "two versions": b"GET /health/live HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
    "no version": b"GET /health/live\r\n" + HIDDEN,
    "a version to come": b"GET /health/live HTTP/3.0\r\nHost: x\r\n\r\n" + HIDDEN,
    "a line feed in the path": b"GET /health/live\nX: y HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
}
# These have one reading, in which the rest is the body or a trailer: the server may answer, and finds nothing hidden.
ONE_READING: dict[str, bytes] = {
    "a body of GET": b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + LENGTH_OF_HIDDEN
    + b"\r\n\r\n"
    + HIDDEN,
    "a length in a trailer": chunked(b"2\r\n{}\r\n0\r\nContent-Length: 0\r\n\r\n"),
    "a header with underscores": with_headers(
        b"Content_Length: 0", b"Content-Length: " + LENGTH_OF_HIDDEN, body=HIDDEN
    ),
    "a body of DELETE": b"DELETE /api/v1/tasks/x HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + LENGTH_OF_HIDDEN
    + b"\r\n\r\n"
    + HIDDEN,
}

CONFIG = """
daemon off; worker_processes 1; error_log stderr crit; pid {root}/nginx.pid;
events {{}}
http {{
  access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  upstream api {{ server {api}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location = /hidden {{ return 418; }}
    location / {{
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(api: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A proxy that passes bodies on as they come, over connections that it keeps."""
    root, port = tmp_path_factory.mktemp("nginx"), free_port()
    (root / "nginx.conf").write_text(CONFIG.format(root=root, port=port, api=urlsplit(api.url).netloc))
    root.chmod(0o755)
    argv = [NGINX or "nginx", "-p", str(root), "-c", str(Path(root) / "nginx.conf")]
    with subprocess.Popen(argv) as process:
        try:
            wait_until("nginx", lambda: require_answer(port), 10)
            yield "127.0.0.1", port
        finally:
            process.terminate()


def require_answer(port: int) -> None:
    try:
        requests.get(f"http://127.0.0.1:{port}/health/live", timeout=2).raise_for_status()
    except requests.ConnectionError as error:
        raise NotReady("no answer") from error


@pytest.fixture(params=["direct", "behind nginx"])
def address(request: pytest.FixtureRequest, api: Services) -> tuple[str, int]:
    """Where to connect to."""
    if request.param == "direct":
        parts = urlsplit(api.url)
        return str(parts.hostname), int(parts.port or 0)
    if NGINX is None:
        pytest.skip("nginx is not installed")
    found: tuple[str, int] = request.getfixturevalue("nginx")
    return found


def answers_to(address: tuple[str, int], sent: bytes) -> list[int]:
    """The statuses of everything that comes back until the server falls silent."""
    received = b""
    with socket.create_connection(address, ANSWER_S) as connection:
        connection.sendall(sent)
        with suppress(TimeoutError, ConnectionResetError):
            while part := connection.recv(65536):
                received += part
                connection.settimeout(SILENCE_S)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]


def test_two_requests_get_two_answers(address: tuple[str, int]) -> None:
    """What this test would see if something hidden were found."""
    found = answers_to(address, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN)
    assert found in ([200, 404], [200, SEEN_BY_PROXY])


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_read_in_two_ways_is_refused(address: tuple[str, int], case: str) -> None:
    """One answer, a refusal; or none, and the connection ends. What the proxy reads as two requests (418), it may."""
    found = [status for status in answers_to(address, CASES[case]) if status != SEEN_BY_PROXY]
    assert len(found) <= 1, found
    assert all(400 <= status < 600 for status in found), found
    assert 404 not in found


@pytest.mark.parametrize("case", ONE_READING)
def test_a_body_is_never_a_request(address: tuple[str, int], case: str) -> None:
    found = answers_to(address, ONE_READING[case])
    assert len(found) == 1, found


def test_what_one_sends_never_answers_another(address: tuple[str, int]) -> None:
    """After all of it, connections that the proxy has kept still belong to who asks."""
    for sent in CASES.values():
        answers_to(address, sent)
    url = f"http://{address[0]}:{address[1]}/health/live"
    assert {requests.get(url, timeout=5).status_code for _ in range(20)} == {200}

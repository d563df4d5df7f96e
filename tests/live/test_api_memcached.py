"""What is remembered of sessions, shared by all processes in a real memcached; and without it when it is away."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from api_support import Caller, ok, sign_up, statuses
from bson import ObjectId
from pymemcache.client.base import Client
from second_api import second_api
from support import free_port

from api.standing import FRESH_S, SharedCache, _key, _sign
from api.tokens import Claims
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

MEMCACHED = shutil.which("memcached") or ""
KEYS = (("kid-1", "f3a9c1e07b5d4826ae19d0c47f6b8253"),)
CLAIMS = Claims(ObjectId(), "session-1234567890", "member", 0, 2**40)

pytestmark = pytest.mark.skipif(not MEMCACHED, reason="memcached is not installed")


@dataclass
class Memcached:
    """A server of this test; `process` may be killed."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> Client:
        return Client(("127.0.0.1", self.port), timeout=2, default_noreply=False)


@pytest.fixture
def memcached() -> Iterator[Memcached]:
    port = free_port()
    argv = [MEMCACHED, "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-m", "16"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        server = Memcached(port, process)
        try:
            wait_until("memcached", lambda: require_answer(server), 10)
            yield server
        finally:
            process.kill()


def require_answer(server: Memcached) -> None:
    try:
        server.client.version()
    except OSError as error:
        raise NotReady(str(error)) from error


@pytest.fixture
def shared(api: Services, memcached: Memcached) -> Iterator[str]:
    """Where another API of the same cluster is, of three processes that remember in memcached."""
    with second_api(api, {"MEMCACHED_SERVERS": f"127.0.0.1:{memcached.port}", "WORKERS": "3"}) as url:
        yield url


def answers(caller: Caller, count: int = 12) -> Counter[int]:
    """Enough to meet every process."""
    return statuses(caller.get("/me") for _ in range(count))


def test_a_logout_is_in_force_everywhere_at_once(shared: str, memcached: Memcached) -> None:
    """Every process had remembered the session; none of them is given time to forget it."""
    ada = sign_up(shared)
    assert answers(ada) == {200: 12}
    assert memcached.client.stats()[b"get_hits"] > 0

    ok(ada.post("/auth/logout"), 204)

    assert answers(ada) == {401: 12}


def test_without_memcached_the_database_is_asked(shared: str, memcached: Memcached) -> None:
    """Nothing fails while it is away, nobody who was logged out comes in, and it is used again when it is back."""
    ada = sign_up(shared)
    assert answers(ada) == {200: 12}
    memcached.process.kill()
    memcached.process.wait(10)

    assert answers(ada) == {200: 12}
    ok(ada.post("/auth/logout"), 204)
    assert answers(ada) == {401: 12}


def test_what_somebody_else_wrote_is_not_believed(memcached: Memcached) -> None:
    """Neither a bare role, nor one that is signed for another session, nor for another user."""
    asked: list[str] = []

    def read_role(session_id: str, user_id: ObjectId) -> str | None:
        asked.append(session_id)
        return "member"

    cache = SharedCache(read_role, [("127.0.0.1", memcached.port)], KEYS, 2)

    def asks(kept: bytes) -> bool:
        memcached.client.set(_key(CLAIMS.session_id), kept)
        asked.clear()
        assert cache.role_of(CLAIMS) == "member"
        return asked == [CLAIMS.session_id]

    def signed(claims: Claims) -> bytes:
        return f"member.{_sign(cache._keys[0], claims, 'member')}".encode()

    assert not asks(signed(CLAIMS))
    others = [replace(CLAIMS, session_id="session-0987654321"), replace(CLAIMS, user_id=ObjectId())]
    raised = signed(CLAIMS).replace(b"member", b"admin")
    for kept in (b"admin", b"admin.", b"admin." + b"0" * 64, raised, *map(signed, others), b"\xff"):
        assert asks(kept), kept


def test_an_answer_that_was_long_in_coming_is_not_kept(memcached: Memcached) -> None:
    """It may be older than the logout that has removed what was there."""
    now = [0.0]

    def read_role(session_id: str, user_id: ObjectId) -> str | None:
        now[0] += 1.5
        return "member"

    cache = SharedCache(read_role, [("127.0.0.1", memcached.port)], KEYS, 2, lambda: now[0])
    assert cache.role_of(CLAIMS) == "member"
    assert memcached.client.get(_key(CLAIMS.session_id)) is None


def test_a_session_is_remembered_for_two_seconds_at_most(memcached: Memcached) -> None:
    """Whatever happens to the word that it has ended."""
    roles = ["member", None]
    cache = SharedCache(lambda *_: roles.pop(0), [("127.0.0.1", memcached.port)], KEYS, 2)
    assert cache.role_of(CLAIMS) == "member"

    def probe() -> None:
        if cache.role_of(CLAIMS) is not None:
            raise NotReady("remembered")

    wait_until("the end of what is remembered", probe, FRESH_S + 1)

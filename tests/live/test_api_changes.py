"""Live changes: everybody hears of what they may see, all of it, once, in order. A real cluster, real processes."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests
from api_support import Caller, assert_problem, at_once, log_in_as, ok, sign_up, statuses
from bson import ObjectId, Timestamp
from listening import Event, Listener, Process, process
from pymongo import MongoClient
from pymongo.database import Database
from scratch import router_client
from support import Login

from api.cursors import CursorSigner, Position
from api.tokens import TokenKeys
from cluster.local import LocalCluster
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

CAP = 6


@pytest.fixture(scope="module")
def one(cluster: LocalCluster, api: Services) -> Iterator[Process]:
    """A process with few places, few threads and a quick heart."""
    settings = {"CHANGES_CLIENTS": str(CAP), "CHANGES_HEARTBEAT_S": "1", "THREADS": "2", "ACCESS_TOKEN_S": "3600"}
    with process(cluster, **settings) as found:
        yield found


@pytest.fixture
def ada(one: Process) -> Caller:
    return sign_up(one.url)


def end(*people: Caller) -> None:
    """Something that each of them hears of, after all the rest."""
    for who in people:
        who.task(title="end")


def test_everybody_hears_of_what_they_see_and_of_nothing_else(one: Process) -> None:
    """The owner, the assignee, a member of the project, a stranger."""
    owner, assignee, member, stranger = (sign_up(one.url) for _ in range(4))
    project_id = ok(owner.post("/projects", {"name": "Garden"}), 201)["id"]
    ok(owner.call("PUT", f"/projects/{project_id}/members/{member.id}"), 204)
    people = (owner, assignee, member, stranger)
    listeners = [Listener(who) for who in people]
    try:
        given = owner.task(title="given", assignee_id=assignee.id)
        shared = owner.task(title="shared", project_id=project_id)
        ok(assignee.patch(f"/tasks/{given['id']}", {"status": "done"}))
        ok(member.patch(f"/tasks/{shared['id']}", {"priority": 1}))
        event = ok(owner.post("/events", {"starts_at": "2030-01-01T10:00:00Z", "title": "party"}), 201)
        ok(owner.patch(f"/projects/{project_id}", {"name": "Park"}))
        # What is deleted before it is looked at is told of as deleted only.
        listeners[0].until("updated Park")
        ok(owner.delete(f"/events/{event['id']}"), 204)
        ok(owner.delete(f"/tasks/{given['id']}"), 204)
        end(*people)
        heard = [listener.until("created end") for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()

    of_given = ["created given 1", "updated given 2"]
    of_shared = ["created shared 1", "updated shared 2"]
    assert heard[0] == [
        *("created given 1", "created shared 1", "updated given 2", "updated shared 2", "created party 1"),
        *("updated Park 3", "deleted events 1", "deleted tasks 2"),
    ]
    assert heard[1] == [*of_given, "deleted tasks 2"]
    assert heard[2] == [*of_shared, "updated Park 3"]
    assert heard[3] == []


def test_an_item_is_shown_as_get_shows_it(ada: Caller) -> None:
    """And a deleted one by its id and last version."""
    with Listener(ada) as listener:
        task = ada.task(title="one")
        project = ok(ada.post("/projects", {"name": "Garden"}), 201)
        hourly = {"kind": "interval", "every_s": 3600}
        reminder = ok(ada.post("/reminders", {"task_id": task["id"], "schedule": hourly}), 201)
        ok(ada.delete(f"/reminders/{reminder['id']}"), 204)
        listener.wait(lambda: len(listener.events) == 4, "four events")

    assert [event.data.get("item") for event in listener.events] == [task, project, reminder, None]
    last = {"resource": "reminders", "id": reminder["id"], "version": 1}
    assert listener.events[3] == Event("deleted", listener.events[3].id, last)
    headers = listener.answer.headers
    assert headers["Content-Type"].startswith("text/event-stream")
    assert (headers["X-Accel-Buffering"], "no-cache" in headers["Cache-Control"]) == ("no", True)


def test_who_loses_sight_is_told_so(one: Process) -> None:
    """Unassigned, moved out of the project, taken out of it: an id, and nothing that was written since."""
    owner, assignee, member = (sign_up(one.url) for _ in range(3))
    project_id = ok(owner.post("/projects", {"name": "Garden"}), 201)["id"]
    ok(owner.call("PUT", f"/projects/{project_id}/members/{member.id}"), 204)
    given, shared, kept = owner.task(assignee_id=assignee.id), owner.task(project_id=project_id), owner.task()
    with Listener(assignee) as of_assignee, Listener(member) as of_member:
        ok(owner.patch(f"/tasks/{given['id']}", {"assignee_id": None, "title": "secret"}))
        ok(owner.patch(f"/tasks/{given['id']}", {"title": "more secret"}))
        ok(owner.patch(f"/tasks/{shared['id']}", {"project_id": None, "title": "secret"}))
        ok(owner.patch(f"/tasks/{kept['id']}", {"project_id": project_id, "title": "kept"}))
        of_member.wait(lambda: len(of_member.events) == 2, "two events")
        ok(owner.call("DELETE", f"/projects/{project_id}/members/{member.id}"), 204)
        ok(owner.patch(f"/tasks/{kept['id']}", {"title": "secret"}))
        end(member)
        of_member.until("created end")
        ok(owner.call("PUT", f"/projects/{project_id}/members/{member.id}"), 204)
        ok(owner.patch(f"/tasks/{kept['id']}", {"title": "again"}))
        of_member.until("updated again")
        ok(owner.delete(f"/projects/{project_id}?tasks=delete"), 204)
        end(assignee)
        member.task(title="the last")
        of_member.until("created the last")
        heard = [of_assignee.until("created end"), [event.title for event in of_member.events]]

    assert heard[0] == ["removed tasks 2"]
    assert of_assignee.events[0].data["id"] == given["id"]
    told = [title for title in heard[1] if not title.startswith("deleted tasks")]
    assert told == [
        *("removed tasks 2", "updated kept 2", "removed projects 3", "created end 1"),
        *("updated Garden 4", "updated again 4", "deleted projects 4", "created the last 1"),
    ]


def test_an_admin_hears_of_all_only_when_asked(one: Process, admin: Login) -> None:
    """As with lists."""
    boss, somebody = Caller(one.url, admin.headers), sign_up(one.url)
    with Listener(boss) as own, Listener(boss, scope="all", resource=["tasks"]) as everything:
        somebody.task(title="theirs")
        ok(somebody.post("/projects", {"name": "not asked for"}), 201)
        end(boss)
        assert own.until("created end") == []
        assert everything.until("created end") == ["created theirs 1"]
    assert_problem(somebody.get("/changes", params={"scope": "all"}), 403)


@pytest.mark.parametrize("where", ["the same process", "another process", "a new process"])
def test_who_comes_back_hears_what_was_missed(
    cluster: LocalCluster, api: Services, one: Process, ada: Caller, where: str
) -> None:
    """Each once and in order, with those that come meanwhile."""
    with Listener(ada) as listener:
        ada.task(title="before")
        listener.wait(lambda: bool(listener.events), "the first event")
    titles = [f"missed {number}" for number in range(5)]
    for title in titles:
        ada.task(title=title)
    task = ada.task(title="changed")
    ok(ada.patch(f"/tasks/{task['id']}", {"title": "twice"}))
    ok(ada.patch(f"/tasks/{task['id']}", {"title": "thrice"}))
    if where == "a new process":
        one.stop()
        one.start()
    there = replace(ada, url=api.url) if where == "another process" else ada
    with Listener(there, listener.last_id) as again:
        ada.task(title="live")
        end(ada)
        heard = again.until("created end")
    kept = [title for title in heard if "changed" not in title and "twice" not in title]
    assert kept == [*(f"created {title} 1" for title in titles), "updated thrice 3", "created live 1"]
    # In its own history a version is told once, whether or not a later one was there already.
    assert len(set(heard)) == len(heard)


def test_what_was_under_way_when_an_answer_began_is_not_lost(cluster: LocalCluster, one: Process, ada: Caller) -> None:
    """A write that no list shows yet, for want of a majority: later it is in the lists that were loaded, or told."""
    if len(cluster.cluster.shards[0].members) == 1:
        pytest.skip("one member is a majority")
    # The stream has begun: it does not wait for that write.
    with Listener(ada) as first, ThreadPoolExecutor() as pool:
        with no_majority(cluster) as primaries:
            writing = pool.submit(ada.task, title="under way")
            wait_until("the write", lambda: require_written(primaries, "under way"), 10)
            opening = pool.submit(Listener, ada)
            is_open = bool(wait([opening], 0.5).done)
            listed = titles_of(ada) if is_open else []
        listener = opening.result()
        if listener.answer.status_code != 200:
            is_open, listener = False, Listener(ada)
        with listener:
            listed = listed if is_open else titles_of(ada)
            writing.result()
            end(ada)
            heard = listener.until("created end")
        first.until("created under way")
    assert "under way" in listed or "created under way 1" in heard


@contextmanager
def no_majority(cluster: LocalCluster) -> Iterator[list[MongoClient]]:  # type: ignore[type-arg]
    """The shards' secondaries write nothing for a while; a primary stays one. Yields clients of the primaries."""
    with cluster.connections() as connections:
        of_shards = [(shard, cluster.primary(shard)) for shard in cluster.cluster.shards]
        held = [connections.member(each) for shard, first in of_shards for each in shard.members if each != first]
        try:
            for member in held:
                member.admin.command("configureFailPoint", "rsSyncApplyStop", mode="alwaysOn")
            yield [connections.member(first) for _, first in of_shards if first is not None]
        finally:
            for member in held:
                member.admin.command("configureFailPoint", "rsSyncApplyStop", mode="off")


def require_written(primaries: list[MongoClient], title: str) -> None:  # type: ignore[type-arg]
    if not any(primary["shardboard"]["tasks"].count_documents({"title": title}) for primary in primaries):
        raise NotReady("not written yet")


def titles_of(who: Caller) -> list[str]:
    return [task["title"] for task in ok(who.get("/tasks"))["data"]]


def test_what_is_not_seen_any_more_is_not_told_later(one: Process) -> None:
    """Who was away hears of nothing that they may not see now, though they might have then."""
    owner, assignee, newcomer = (sign_up(one.url) for _ in range(3))
    project_id = ok(owner.post("/projects", {"name": "Garden"}), 201)["id"]
    with Listener(assignee) as of_assignee, Listener(newcomer) as of_newcomer:
        pass
    moved = owner.task(title="was here once", project_id=project_id)
    ok(owner.patch(f"/tasks/{moved['id']}", {"project_id": None}))
    given = owner.task(title="was yours once", assignee_id=assignee.id)
    ok(owner.patch(f"/tasks/{given['id']}", {"assignee_id": None}))
    ok(owner.call("PUT", f"/projects/{project_id}/members/{newcomer.id}"), 204)
    people = ((assignee, of_assignee), (newcomer, of_newcomer))
    for who, before in people:
        with Listener(who, before.last_id) as again:
            end(who)
            heard = again.until("created end")
        assert not [title for title in heard if "once" in title]


def test_a_page_that_can_send_no_header_comes_back_by_a_parameter(ada: Caller) -> None:
    with Listener(ada) as listener:
        pass
    ada.task(title="missed")
    with Listener(ada, last_event_id=listener.last_id) as again:
        again.until("created missed")


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: "A" + text[1:], lambda text: "x"])
def test_an_id_that_was_changed_is_refused(ada: Caller, change) -> None:  # type: ignore[no-untyped-def]
    with Listener(ada) as listener:
        pass
    text = change(listener.last_id) if change(listener.last_id) != listener.last_id else "B" + listener.last_id[1:]
    assert_problem(ada.get("/changes", headers={"Last-Event-ID": text}), 422)
    assert_problem(ada.get("/changes", params={"last_event_id": text}), 422)


def test_who_was_away_for_too_long_is_told_to_begin_anew(cluster: LocalCluster, ada: Caller) -> None:
    """The servers have forgotten what happened then: a reset, and everything after it."""
    signer = CursorSigner([("key-1", cluster.secrets.key("jwt"))])
    long_ago = signer.seal(Position([Timestamp(1_000_000_000, 1), 1], ObjectId("0" * 24)), "changes")
    routers = [router_client(cluster, number) for number in range(2)]
    # What servers answer whose oplog has gone round; those of this test have not.
    point = {"failCommands": ["aggregate"], "errorCode": 286}
    try:
        with Listener(ada) as other:
            for router in routers:
                router.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=point)
            with Listener(ada, long_ago) as listener:
                listener.wait(lambda: bool(listener.events), "a reset")
                end(ada)
                assert listener.until("created end") == ["reset"]
                assert other.until("created end") == []
    finally:
        for router in routers:
            router.admin.command("configureFailPoint", "failCommand", mode="off")
            router.close()


def test_a_ticket_opens_one_stream(one: Process, api: Services, ada: Caller) -> None:
    """Of many who come with it at once, to several processes, one gets in; a HEAD does not use it up."""
    ticket = ok(ada.post("/changes/ticket"))["ticket"]
    urls = [one.url, api.url] * 3
    head = requests.head(f"{one.url}/api/v1/changes", params={"ticket": ticket}, timeout=20)
    assert head.status_code == 401

    def come(url: str) -> requests.Response:
        return requests.get(f"{url}/api/v1/changes", params={"ticket": ticket}, stream=True, timeout=20)

    answers = at_once([lambda url=url: come(url) for url in urls])  # type: ignore[misc]
    assert statuses(answers) == {200: 1, 401: 5}
    for answer in answers:
        answer.close()
    assert_problem(Caller(one.url).get("/changes", params={"ticket": "x"}), 401)
    assert_problem(Caller(one.url).get("/changes"), 401)


def test_a_stream_ends_with_its_session(one: Process, admin: Login) -> None:
    """Logged out, ended from elsewhere, disabled, deleted, another role: within two seconds, on every process."""
    boss = Caller(one.url, admin.headers)

    def disable(who: Caller) -> None:
        ok(boss.patch(f"/users/{who.id}", {"status": "disabled"}))

    def promote(who: Caller) -> None:
        ok(boss.patch(f"/users/{who.id}", {"role": "admin"}))

    ways = {
        "logout": lambda who: ok(who.post("/auth/logout"), 204),
        "elsewhere": lambda who: ok(log_in_as(who.url, who.username).post("/auth/logout-all"), 204),
        "disabled": disable,
        "another role": promote,
        "deleted": lambda who: ok(who.delete("/me"), 204),
    }
    for way, finish in ways.items():
        who = sign_up(one.url)
        ticket = ok(who.post("/changes/ticket"))["ticket"]
        with Listener(Caller(one.url), ticket=ticket) as listener:
            finish(who)
            ended_at = time.monotonic()
            listener.wait(lambda: listener.is_over, f"the end after {way}", 5)  # noqa: B023
            took_s = time.monotonic() - ended_at
        assert [event.title for event in listener.events][-1:] == ["end"], way
        assert listener.events[-1].data == {"reason": "session_ended"}
        assert took_s < 2, f"{way}: {took_s:.1f} s"


def test_a_stream_ends_with_its_access_token(cluster: LocalCluster, ada: Caller) -> None:
    """A client comes back with a new token, where it was."""
    keys = TokenKeys([("key-1", cluster.secrets.key("jwt"))], lifetime_s=2)
    brief = keys.issue(ObjectId(ada.id), ada.refresh_token.partition(".")[0], "member")
    with Listener(replace(ada, headers={"Authorization": f"Bearer {brief}"})) as listener:
        listener.wait(lambda: listener.is_over, "the end")
    assert listener.events[-1].data == {"reason": "token_expired"}


def test_a_heart_beats_in_quiet_times(ada: Caller) -> None:
    """And moves the id, so that a quiet client never comes from a forgotten place."""
    with Listener(ada) as listener:
        listener.wait(lambda: len(listener.beats) >= 4, "four heartbeats")
    assert len({beat.id for beat in listener.beats}) >= 3
    assert listener.events == []


def test_clients_have_places_and_requests_have_threads(one: Process, ada: Caller) -> None:
    """The last place taken, one more is refused; requests go on; who leaves makes room."""
    wait_for_place(ada)
    listeners = [Listener(ada) for _ in range(CAP)]
    try:
        refused = ada.get("/changes")
        assert_problem(refused, 503)
        assert int(refused.headers["Retry-After"]) >= 1
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ada.get("/tasks"), range(40)))
        assert statuses(answers) == {200: 40}
        listeners.pop().close()
        wait_for_place(ada)
    finally:
        for listener in listeners:
            listener.close()


def wait_for_place(who: Caller) -> None:
    """Returns when a client is let in; it leaves again."""

    def probe() -> None:
        with Listener(who) as listener:
            if listener.answer.status_code != 200:
                raise NotReady(str(listener.answer.status_code))

    wait_until("a place", probe, 20)


def test_who_does_not_read_is_cut_off_and_others_are_not(one: Process, ada: Caller, db: Database) -> None:  # type: ignore[type-arg]
    """It takes neither memory nor a place for long, and finds everything where it was."""
    wait_for_place(ada)
    with deaf(ada), Listener(ada) as other:
        insert_long(db, ada, 600)
        other.wait(lambda: len(other.events) == 600, "600 events")
        filled = [Listener(ada) for _ in range(CAP - 2)]
        try:
            assert_problem(ada.get("/changes"), 503)
            wait_for_place(ada)
        finally:
            for listener in filled:
                listener.close()
        end(ada)
        other.until("created end")


@contextmanager
def deaf(who: Caller) -> Iterator[None]:
    """Somebody who is let in and does not read."""
    place = urlsplit(who.url)
    lines = ["GET /api/v1/changes HTTP/1.1", "Host: x", f"Authorization: {who.headers['Authorization']}", "", ""]
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect((place.hostname, place.port))
        opened.sendall("\r\n".join(lines).encode())
        assert opened.recv(12) == b"HTTP/1.1 200"
        yield


def insert_long(db: Database, who: Caller, count: int) -> None:  # type: ignore[type-arg]
    """Tasks of 10 kB each."""
    owner_id, at = ObjectId(who.id), datetime.now(UTC)
    own = {"owner_id": owner_id, "description": "x" * 10_000, "status": "pending", "priority": 3, "tags": []}
    empty = dict.fromkeys(("position", "due_at", "assignee_id", "project_id", "completed_at", "updated_by"))
    stamps = {"created_at": at, "updated_at": at, "request_id": "changes", "version": 1}
    db["tasks"].insert_many({"_id": ObjectId(), "title": f"t{n}", **own, **empty, **stamps} for n in range(count))


def test_a_stop_ends_streams_and_loses_nothing(one: Process, ada: Caller, db: Database) -> None:  # type: ignore[type-arg]
    """At once and in order, whoever reads or not; `stop` fails when the process takes longer."""
    wait_for_place(ada)
    somebody = sign_up(one.url)
    with deaf(somebody), Listener(ada) as listener:
        insert_long(db, somebody, 600)
        end(ada)
        listener.until("created end")
        one.stop()
        listener.wait(lambda: listener.is_over, "the end")
    one.start()
    assert not listener.is_broken
    assert listener.events[-1].data == {"reason": "restarting"}
    ada.task(title="missed")
    with Listener(ada, listener.last_id) as again:
        again.until("created missed")


def test_a_killed_primary_loses_no_change(breakable: LocalCluster, one: Process, ada: Caller) -> None:
    """The stream waits for the election and goes on, for clients who stay: every change, once, in order."""
    if len(breakable.cluster.shards[0].members) == 1:
        pytest.skip("nobody to take over")
    titles = [f"t{number}" for number in range(60)]
    with Listener(ada) as listener:
        for number, title in enumerate(titles):
            if number == 20:
                victim = breakable.primary(breakable.cluster.shards[0])
                assert victim is not None
                assert breakable.nodes.kill(victim)
            ada.task(title=title)
        end(ada)
        listener.wait(lambda: len(listener.events) > len(titles), "all", 60)
        heard = listener.until("created end")
    assert heard == [f"created {title} 1" for title in titles]

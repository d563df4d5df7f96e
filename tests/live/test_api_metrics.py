"""Metrics as Prometheus reads them: exact over several processes, never public, with labels of ours alone."""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from api_support import PASSWORD, Caller, assert_problem, at_once, ok, registration, sign_up, statuses
from prometheus_client.parser import text_string_to_metric_families
from pymongo.database import Database
from support import FROM_ONE_ADDRESS, free_port

from cluster.local import LocalCluster
from cluster.nodes.process import process_in
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

ROUTE = "/api/v1/tasks/<task_id>"
WRITERS, EACH = 6, 20
THREADS = 4


@pytest.fixture(scope="module")
def measured(cluster: LocalCluster, api: Services) -> Iterator[Services]:
    """An API of its own, so that nobody else's requests are counted; three processes."""
    with serving(cluster, workers=3) as services:
        yield services


@contextmanager
def serving(cluster: LocalCluster, workers: int) -> Iterator[Services]:
    """Another API beside the one of all tests; each process has `THREADS`."""
    port, settings = free_port(2), {"WORKERS": str(workers), "THREADS": str(THREADS), **FROM_ONE_ADDRESS}
    services = Services(cluster, port, settings, port + 1)
    services.api = process_in(cluster.data_dir, f"api-{port}")
    try:
        services.start_api()
        yield services
    finally:
        services.api.stop()


def scrape(services: Services, name: str = "api") -> Samples:
    """Every sample, by name and labels."""
    answer = requests.get(services.metrics_urls[name], timeout=10)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of what has these labels, whatever its other ones."""
    wanted = labels.items()
    return sum(found for (known, own), found in samples.items() if known == f"shardboard_{name}" and wanted <= own)


def counters(samples: Samples) -> dict[Any, float]:
    """What may never go down."""
    ends = ("_total", "_count", "_sum", "_bucket")
    return {key: found for key, found in samples.items() if key[0].endswith(ends)}


def processes(services: Services) -> list[int]:
    """The pids of the API's worker processes."""
    pid = services.api.pid
    assert pid is not None
    return [child.pid for child in psutil.Process(pid).children()]


def test_every_request_is_counted_once_over_all_processes_and_their_deaths(measured: Services) -> None:
    """Scraped under load; one process is killed, and another takes up its figures."""
    people = [sign_up(measured.url) for _ in range(WRITERS)]
    tasks = {who.id: who.task()["id"] for who in people}
    before = scrape(measured)
    last: dict[Any, float] = {}

    def read(who: Caller) -> Counter[int]:
        return Counter(who.get(f"/tasks/{tasks[who.id]}").status_code for _ in range(EACH))

    def watch_counters() -> Counter[int]:
        for _ in range(10):
            now = counters(scrape(measured))
            assert not {key for key in last if now.get(key, 0) < last[key]}
            last.update(now)
        return Counter()

    sent = sum(at_once([*(lambda who=who: read(who) for who in people), watch_counters]), Counter())
    victim = processes(measured)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until("another process", lambda: require_replaced(measured, victim), 20)
    watch_counters()
    sent += sum(at_once([lambda who=who: read(who) for who in people]), Counter())
    after = scrape(measured)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert sent == {200: 2 * WRITERS * EACH}
    assert grown("http_requests_total", route=ROUTE, method="GET", status="200") == sent[200]
    assert grown("http_requests_total", route=ROUTE) == sent[200]
    assert grown("http_request_duration_seconds_count", route=ROUTE, method="GET") == sent[200]
    assert grown("http_request_duration_seconds_bucket", route=ROUTE, method="GET", le="+Inf") == sent[200]
    assert grown("mongodb_command_duration_seconds_count", query="tasks.find_task", outcome="ok") == sent[200]
    assert value(after, "http_requests_in_flight") == 0
    assert value(after, "mongodb_connections_in_use") == 0
    assert value(after, "mongodb_connections") > 0


def require_replaced(services: Services, victim: int, count: int = 3) -> None:
    """Raises NotReady until there are as many processes as before, without the victim."""
    found = processes(services)
    if victim in found or len(found) < count:
        raise NotReady(str(found))


def test_what_clients_send_makes_no_label(measured: Services) -> None:
    """Any path and any method: one label for all; nobody's id, name, address or token is in a scrape."""
    who = sign_up(measured.url)
    before = scrape(measured)
    for number in range(20):
        requests.get(f"{measured.url}/no/such/path/{number}", timeout=10)
        requests.request(f"METHOD{number}", f"{measured.url}/api/v1/me", timeout=10)
    requests.get(measured.url + "/" + "x" * 9000, timeout=10)
    who.get("/me", headers={"X-Request-Id": "request-of-somebody", "User-Agent": "agent-of-somebody"})
    after = scrape(measured)

    new = {key for key in after if key not in before and key[0].endswith("_total")}
    assert len(new) <= 4, new
    for route, status, sent in (("unmatched", "404", 20), ("unmatched", "405", 20), ("unparsed", "414", 1)):
        labels = {"route": route, "status": status}
        assert value(after, "http_requests_total", **labels) - value(before, "http_requests_total", **labels) == sent
    text = requests.get(measured.metrics_urls["api"], timeout=10).text
    for secret in (who.id, who.username, who.headers["Authorization"][7:], "somebody", "127.0.0.1", "path"):
        assert secret not in re.sub(r"# .*|<\w+>", "", text)


def test_metrics_are_on_the_internal_listener_alone(measured: Services) -> None:
    """The public one answers as to any unknown path, whatever host is asked for; the internal one has nothing else."""
    internal = measured.metrics_urls["api"].removesuffix("/metrics")
    port = internal.rpartition(":")[2]
    for headers in ({}, {"Host": f"127.0.0.1:{port}"}, {"X-Forwarded-Port": port, "X-Forwarded-Host": internal}):
        assert_problem(requests.get(f"{measured.url}/metrics", headers=headers, timeout=10), 404)
    for path in ("/", "/health/live", "/api/v1/status", "/metrics/"):
        assert_problem(requests.get(internal + path, timeout=10), 404)
    assert_problem(requests.post(internal + "/metrics", timeout=10), 405)


def test_refusals_are_told_apart(measured: Services) -> None:
    """Too many failed logins, by what was counted."""
    body, before = registration(), value(scrape(measured), "logins_throttled_total", counter="account")
    ok(Caller(measured.url).post("/auth/register", body), 201)
    for _ in range(12):
        Caller(measured.url).post("/auth/login", {"username": body["username"], "password": PASSWORD + "x"})

    assert value(scrape(measured), "logins_throttled_total", counter="account") - before == 2


def test_the_directory_of_counters_goes_with_the_api(cluster: LocalCluster, api: Services) -> None:
    """It is private, has a place a process however many have died, and nothing is left of it after a stop."""
    with serving(cluster, workers=2) as services:
        directory = directory_of(processes(services)[0])
        assert directory.stat().st_mode & 0o077 == 0
        for _ in range(2):
            victim = processes(services)[0]
            os.kill(victim, signal.SIGKILL)
            wait_until("another process", partial(require_replaced, services, victim, 2), 20)
        scrape(services)
        names = {path.stem for path in directory.iterdir()} - {"owner"}
        assert {re.split(r"[_-]", name)[-1] for name in names} == {"0", "1"}

    assert not directory.exists()


def test_the_directory_of_a_killed_api_goes_with_the_next_start(cluster: LocalCluster, api: Services) -> None:
    """Those of others, who live, stay."""
    others = directory_of(processes(api)[0])
    with serving(cluster, workers=1) as services:
        directory = directory_of(processes(services)[0])
        services.api.kill()
        assert directory.exists()
        services.start_api()
        assert not directory.exists() and others.exists()


def test_a_reload_loses_no_count(measured: Services) -> None:
    """Old and new processes serve side by side for a while, each in a place of its own."""
    before, scraped = set(processes(measured)), counters(scrape(measured))
    measured.api.signal(signal.SIGHUP)
    wait_until("other processes", lambda: require_others(measured, before), 20)
    requests.get(f"{measured.url}/health/live", timeout=10)
    after = scrape(measured)

    assert not {key for key, found in scraped.items() if counters(after).get(key, 0) < found}
    assert value(after, "http_requests_total", route="/health/live") == 1
    assert value(after, "http_requests_in_flight") == value(after, "mongodb_connections_in_use") == 0


def require_others(services: Services, before: set[int]) -> None:
    found = set(processes(services))
    if found & before or len(found) < 3:
        raise NotReady(str(found))


def directory_of(pid: int) -> Path:
    """Where a process has its counters mapped."""
    paths = {mapped.path for mapped in psutil.Process(pid).memory_maps() if "shardboard-metrics-" in mapped.path}
    return Path(paths.pop()).parent


def test_a_scrape_is_answered_while_every_thread_waits(breakable: LocalCluster, api: Services) -> None:
    """That is when somebody looks; and requests that the database did not serve are counted as refused."""
    with serving(breakable, workers=1) as alone, ThreadPoolExecutor(2 * THREADS) as pool:
        who = sign_up(alone.url)
        for router in breakable.cluster.routers:
            breakable.nodes.pause(router)
        asked = [pool.submit(who.get, "/tasks") for _ in range(2 * THREADS)]
        wait_until("every thread to wait", lambda: require_in_flight(alone, THREADS), 10)
        wait_until("a refusal", lambda: require_refused(alone), 10)
        for router in breakable.cluster.routers:
            breakable.nodes.resume(router)

        answered = statuses(each.result() for each in asked)
        assert set(answered) <= {200, 503}
        assert value(scrape(alone), "refusals_total", reason="database") == answered[503]


def require_in_flight(services: Services, wanted: int) -> None:
    found = value(scrape(services), "http_requests_in_flight")
    if found != wanted:
        raise NotReady(f"{found:g} in flight")


def require_refused(services: Services) -> None:
    if not value(scrape(services), "refusals_total", reason="database"):
        raise NotReady("none")


def test_the_worker_tells_what_waits(api: Services, db: Db) -> None:
    """Depth and age of the outbox, by kind and state, and how late reminders are."""
    samples = scrape(api, "worker")

    assert value(samples, "backlog_known") == 1
    assert value(samples, "reminder_lag_seconds") >= 0
    assert value(samples, "mongodb_command_duration_seconds_count", query="outbox.find_due_entries") > 0
    assert value(samples, "outbox_entries", state="failed") == db["outbox"].count_documents({"state": "failed"})
    known = {dict(labels)["kind"] for name, labels in samples if name == "shardboard_outbox_oldest_age_seconds"}
    assert {"letter", "purge_user"} <= known

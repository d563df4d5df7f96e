"""The figures of what waits, as a scrape asks for them."""

from api_support import ENVIRON
from prometheus_client import CollectorRegistry, generate_latest

from api import create_app
from api.worker.backlog import FRESH_S, Backlog


def test_without_a_database_the_figures_are_missing_and_asked_for_seldom() -> None:
    """A zero would look like a good day; and scrapes must not pile up on a database that is in trouble."""
    asked, now = [], [0.0]
    backlog = Backlog(create_app(ENVIRON), lambda: now[0])
    ask = backlog._ask
    backlog._ask = lambda: asked.append(now[0]) or ask()  # type: ignore[method-assign, func-returns-value]
    registry = CollectorRegistry()
    registry.register(backlog)
    for moment in (0.0, 1.0, FRESH_S - 0.1, FRESH_S + 0.1):
        now[0] = moment
        text = generate_latest(registry).decode()

    assert "shardboard_backlog_known 0.0" in text
    assert "shardboard_outbox_entries" not in text
    assert asked == [0.0, FRESH_S + 0.1]

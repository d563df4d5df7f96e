"""The routes, one blueprint a resource. A route loads, asks the store and dumps, in a few lines."""

from flask import Flask

from . import (
    aliases,
    audit,
    auth,
    changes,
    cluster,
    events,
    health,
    imports,
    me,
    projects,
    reminders,
    simple_rest,
    stats,
    tasks,
    users,
)

PREFIX = "/api/v1"


def register(app: Flask) -> None:
    """Put every blueprint on `app`: the API under its prefix, health beside it."""
    for module in (auth, me, users, tasks, imports, projects, events, reminders, changes, stats, cluster, audit):
        app.register_blueprint(module.blueprint, url_prefix=PREFIX)
    app.register_blueprint(health.blueprint)
    simple_rest.register(app)
    aliases.register(app)

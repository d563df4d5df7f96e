"""The API without a server: what needs no database can be asked of it."""

import pytest
from api_support import ENVIRON
from flask import Flask
from flask.testing import FlaskClient

from api import create_app


@pytest.fixture(scope="session")
def app() -> Flask:
    """The whole application, with no router to talk to."""
    return create_app(ENVIRON)


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    """A client of that application."""
    return app.test_client()

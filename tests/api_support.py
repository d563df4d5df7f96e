"""What tests of the API share: its settings without a router, and the one shape of a problem."""

from typing import Any

KEY = "kid-1:f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70"

ENVIRON = {
    # Nothing listens there, and nothing is asked of it.
    "MONGODB_URI": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100",
    "JWT_KEYS": KEY,
    "ARGON2_MEMORY_KIB": "64",
    "ARGON2_TIME": "1",
    "DEADLINE_ITEM_MS": "200",
    "DEADLINE_LIST_MS": "200",
    "DEADLINE_WRITE_MS": "300",
    "MAX_BODY_BYTES": "2048",
    "CORS_ORIGINS": "https://dash.example.org",
}


def assert_problem(answer: Any, status: int) -> None:
    """The one shape."""
    body = answer.json() if callable(answer.json) else answer.get_json(force=True)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(body)
    assert body["status"] == answer.status_code == status
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert body["type"] == f"urn:shardboard:problem:{body['code']}"

"""schemathesis over the OpenAPI document, against the API on a cluster of its own, as a member and as an admin.

It asks every route what the document says it takes, and what it does not, alone and one after the other by the ids of
answers: never a 500, every answer as documented. Quick by default; with `FUZZ_EXAMPLES=300` in the environment it asks
for longer and walks through every bound of every parameter. `FUZZ_SEED=2` makes other requests than last time's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import FROM_ONE_ADDRESS, free_port, keep_logs

from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.run.services import ADMIN_USERNAME, Services

HERE = Path(__file__).parent / "fuzz"
EXAMPLES, SEED = int(os.environ.get("FUZZ_EXAMPLES", "0")), os.environ.get("FUZZ_SEED", "1")
QUICK = ("--phases", "examples,fuzzing,stateful", "--max-examples", "5")
LONG = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES))
LIMIT_S = 14_400 if EXAMPLES else 300

# Passwords by the thousand, of one person at one address.
SETTINGS = {
    "ARGON2_MEMORY_KIB": "64",
    "ARGON2_TIME": "1",
    "LOGIN_TRIES_ACCOUNT": "100000",
    **FROM_ONE_ADDRESS,
    "ACCESS_TOKEN_S": str(LIMIT_S),
    "CHANGES_HEARTBEAT_S": "1",
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Services]:
    """The API in front of two shards: what an admin does here to users is nobody else's concern."""
    root = tmp_path_factory.mktemp("fuzz")
    local = LocalCluster.create(root, {"shards": 2, "members": 1, "routers": 1}, free_port(6))
    found = Services(local, free_port(), SETTINGS)
    try:
        local.up(Progress(quiet=True))
        found.create_first_admin()
        found.start_api()
        found.start_worker()
        yield found
    finally:
        found.stop()
        if request.session.testsfailed:
            keep_logs(root, "fuzz")
        local.kill()


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.parametrize("role", ["member", "admin"])
def test_every_answer_is_as_documented(services: Services, tmp_path: Path, role: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
        + [f"{services.url}/openapi.json", "--seed", SEED, "--no-color", *(LONG if EXAMPLES else QUICK)],
        env={
            **os.environ,
            "PYTHONPATH": str(HERE),
            "SCHEMATHESIS_HOOKS": "hooks",
            "FUZZ_URL": services.url,
            "FUZZ_ROLE": role,
            "FUZZ_ADMIN": json.dumps([ADMIN_USERNAME, services.admin_password]),
        },
        cwd=tmp_path,
        timeout=LIMIT_S,
        capture_output=True,
        text=True,
    )
    print(told.stdout[-3_000:])
    assert told.returncode == 0, told.stdout[-30_000:] + told.stderr[-2_000:]

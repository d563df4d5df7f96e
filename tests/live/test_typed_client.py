"""Types made of the API's document by `openapi-typescript`, and a client that compiles with them. A real server.

The tools are npm's; `npm install --prefix tests/node` puts them where these tests look.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from api_support import PASSWORD, Caller, sign_up

from cluster.run.services import Services

NODE = Path(__file__).parents[1] / "node"
TOOLS = NODE / "node_modules" / ".bin"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (TOOLS / "openapi-typescript").exists(),
        reason="openapi-typescript is not installed: npm install --prefix tests/node",
    ),
]


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture(scope="module")
def typed(ada: Caller, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the client and the types of the API that is served."""
    root = tmp_path_factory.mktemp("typed")
    shutil.copytree(NODE / "typed", root, dirs_exist_ok=True)
    (root / "package.json").write_text('{"type": "module"}')
    (root / "node_modules").symlink_to(NODE / "node_modules")
    # A default is what a client may leave out, not what it must send.
    run(root, TOOLS / "openapi-typescript", f"{ada.url}/openapi.json", "--default-non-nullable=false", "-o", "api.d.ts")
    return root


def run(root: Path, *command: str | Path, **environ: str) -> str:
    """What a command prints that must succeed."""
    done = subprocess.run(
        command, cwd=root, env={"PATH": os.environ["PATH"], "HOME": str(root), **environ},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_typed_client_compiles_and_works(typed: Path, ada: Caller) -> None:
    """Strictly; each mistake in it is one that the compiler must find."""
    run(typed, TOOLS / "tsc", "--strict", "--project", typed)
    login = {"API_ORIGIN": ada.url, "LOGIN_NAME": ada.username, "LOGIN_PASSWORD": PASSWORD}
    printed = json.loads(run(typed, "node", "out/client.js", **login))

    assert printed == {"titles": ["Typed"], "total": 1, "status": "done", "refusal": "stale_version"}

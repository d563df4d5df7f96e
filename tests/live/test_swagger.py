"""Swagger UI in a real browser: a person logs in there and calls what needs a token. A real cluster, a real server.

Chromium is the system's; `npm install --prefix tests/node` brings what drives it.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from api_support import PASSWORD, sign_up

from cluster.run.services import Services

NODE = Path(__file__).parents[1] / "node"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# A browser that starts on a loaded machine takes its time.
LIMIT_S = 100

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (NODE / "node_modules" / "puppeteer-core").exists(),
        reason="puppeteer-core is not installed: npm install --prefix tests/node",
    ),
]


def test_a_person_logs_in_and_calls_a_route(api: Services, tmp_path: Path) -> None:
    """By two buttons: the token need not be copied, and it is gone after the logout. Nothing comes from elsewhere."""
    ada = sign_up(api.url)
    login = {"LOGIN_NAME": ada.username, "LOGIN_PASSWORD": PASSWORD, "API_ORIGIN": api.url}
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHROMIUM": str(CHROMIUM), **login}
    done = subprocess.run(
        ["node", NODE / "swagger.mjs"], capture_output=True, text=True, timeout=LIMIT_S, check=False,
        env=environ | {"SCREENSHOTS": os.environ.get("SCREENSHOTS", "")},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    seen = json.loads(done.stdout)

    statuses = {"before": "401", "login": "200", "after": "200", "create": "201", "list": "200", "logout": "204"}
    assert seen["statuses"] == statuses
    assert (seen["authorized"], seen["leftOver"]) == (True, False)
    assert seen["elsewhere"] == []
    # The browser's own word on the first answer, which is 401 as it should be.
    assert [each for each in seen["complaints"] if "401" not in each] == []

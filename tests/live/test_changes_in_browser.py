"""Live changes in a real browser: the code of the page for frontends, as it stands there. A real cluster and server."""

import json
import os
import subprocess
from pathlib import Path

from api_support import ok, sign_up
from listening import process
from support import free_port
from test_swagger import CHROMIUM, NODE
from test_swagger import pytestmark as pytestmark

from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster


def test_a_page_is_told_of_everything_once(cluster: LocalCluster, tmp_path: Path) -> None:
    """From another origin, by tickets, and across a lost connection."""
    origin_port = free_port()
    with process(cluster, CORS_ORIGINS=f"http://127.0.0.1:{origin_port}") as api:
        ada = sign_up(api.url)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CHROMIUM": str(CHROMIUM),
            "API": f"{api.url}/api/v1",
            "ORIGIN_PORT": str(origin_port),
            "PAGE": str(PACKAGE_ROOT / "docs" / "live-changes.md"),
            "TOKEN": ada.headers["Authorization"].removeprefix("Bearer "),
        }
        argv = ["node", str(NODE / "changes.mjs")]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, env=environ, stdin=pipe, stdout=pipe, text=True) as page:
            assert page.stdin is not None
            assert page.stdout is not None
            assert page.stdout.readline() == "open\n"
            task = ada.task(title="seen")
            print(1, file=page.stdin, flush=True)
            assert json.loads(page.stdout.readline()) == ["put seen"]
            print("lose", file=page.stdin, flush=True)
            assert page.stdout.readline() == "lost\n"
            ada.task(title="missed")
            ok(ada.delete(f"/tasks/{task['id']}"), 204)
            print(3, file=page.stdin, flush=True)
            assert json.loads(page.stdout.readline()) == ["put seen", "put missed", f"drop {task['id']}"]
            page.stdin.close()
            assert page.wait(30) == 0

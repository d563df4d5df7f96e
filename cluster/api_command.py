"""Commands of the API that a command of the cluster runs: `python -m api first-admin`, `demo`."""

import subprocess
import sys
from collections.abc import Mapping

from .errors import ClusterError
from .layout import PACKAGE_ROOT

# Creating the first admin is one login; the demo writes some hundred documents. An election may come in between.
TIMEOUT_S = 120


def run_api_command(name: str, *options: str, environ: Mapping[str, str], said: str = "") -> str:
    """Runs `python -m api NAME OPTIONS`, which reads `said` on standard input; answers what it printed.

    Raises:
        ClusterError: it failed, with its own reason, or did not end in time.
    """
    argv = [sys.executable, "-m", "api", name, *options]
    try:
        done = subprocess.run(
            argv,
            cwd=PACKAGE_ROOT,
            env=dict(environ),
            input=said,
            timeout=TIMEOUT_S,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`python -m api {name}` did not end in {TIMEOUT_S} s: try again.") from error
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ClusterError(f"`python -m api {name}` failed: {reason.removeprefix('api: ')}")
    return done.stdout.strip()

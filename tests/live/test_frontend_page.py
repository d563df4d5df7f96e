"""The page for frontends: every command on it is run, and prints what the page shows."""

from pathlib import Path

import pytest
from pasted import check

from cluster.layout import PACKAGE_ROOT
from cluster.run.services import Services


@pytest.mark.parametrize("page", ["frontend.md", "live-changes.md"])
def test_the_page_shows_what_happens(api: Services, tmp_path: Path, page: str) -> None:
    check(PACKAGE_ROOT / "docs" / page, {"API": f"{api.url}/api/v1"}, tmp_path)

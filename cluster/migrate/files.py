"""The migration files: found, numbered, loaded."""

import hashlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ClusterError
from ..layout import PACKAGE_ROOT

MIGRATIONS_DIR = PACKAGE_ROOT / "cluster" / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.py")


@dataclass(frozen=True)
class Migration:
    """One file, e.g. `Migration("0001_initial_declaration", ...)`."""

    name: str
    title: str
    checksum: str
    upgrade: Callable[[Any], None]
    downgrade: Callable[[Any], None]

    @property
    def number(self) -> int:
        return int(self.name[:4])


def load_migrations(directory: Path = MIGRATIONS_DIR) -> tuple[Migration, ...]:
    """Every migration in `directory`, by number.

    Raises:
        ClusterError: a file has no `upgrade` or `downgrade`, does not load, or two have one number.
    """
    found = tuple(_load(path) for path in sorted(directory.glob("*.py")) if _NAME.fullmatch(path.name))
    numbers = [migration.number for migration in found]
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise ClusterError(f"Two migrations in {directory} have the number {twice:04}: rename the later one.")
    return found


def _load(path: Path) -> Migration:
    spec = importlib.util.spec_from_file_location(f"shardboard_migration_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ClusterError(f"{path} cannot be loaded: correct it.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # Whatever a file that somebody wrote may raise.
        raise ClusterError(f"{path} does not load ({type(error).__name__}: {error}): correct it.") from error
    for name in ("upgrade", "downgrade"):
        if not callable(getattr(module, name, None)):
            raise ClusterError(f"{path} has no function {name}(db): add it.")
    title = (module.__doc__ or path.stem).strip().partition("\n")[0]
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    return Migration(path.stem, title, checksum, module.upgrade, module.downgrade)


def new_path(directory: Path, message: str) -> Path:
    """Where the next migration goes, e.g. `0003_drop_the_index_on_title.py`.

    Raises:
        ClusterError: the message has no word for a name.
    """
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:60]
    if not slug:
        raise ClusterError("A migration needs a name: give a few words with -m.")
    numbers = [int(found[1]) for path in directory.glob("*.py") if (found := _NAME.fullmatch(path.name))]
    return directory / f"{max(numbers, default=0) + 1:04}_{slug}.py"

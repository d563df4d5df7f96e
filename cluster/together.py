"""Independent work side by side, every error kept."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .errors import ClusterError

T = TypeVar("T")
R = TypeVar("R")


def together(work: Callable[[T], R], items: Iterable[T], most: int = 16) -> list[R]:
    """`work` of each item, in threads, at most `most` at once; results in the order of the items.

    Every item is worked on, even when one fails.

    Raises:
        Exception: what the one item that failed raised, or a `ClusterError` that joins several.
    """
    everything = list(items)
    with ThreadPoolExecutor(max_workers=max(1, min(most, len(everything)))) as pool:
        futures = [pool.submit(work, item) for item in everything]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ClusterError(" Also: ".join(dict.fromkeys(map(str, errors)))) from errors[0]
    return [future.result() for future in futures]

"""CSV files that people send: what is read of them, and what is refused."""

import tracemalloc
from collections.abc import Callable

import pytest

from api import csv_files
from api.errors import Problem

KNOWN = ("title", "tags", "id")


def rows_of(data: bytes) -> list[tuple[int, list[str]]]:
    return [(row.number, row.cells) for row in csv_files.read(data, KNOWN, ("title",)).rows()]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"title\na\nb", [(2, ["a"]), (3, ["b"])]),
        (b"title\r\na\r\nb\r\n", [(2, ["a"]), (3, ["b"])]),
        (b"title\ra\rb\r", [(2, ["a"]), (3, ["b"])]),
        (b"\xef\xbb\xbftitle\na\n", [(2, ["a"])]),
        (b" Title , TAGS\na,b\n", [(2, ["a", "b"])]),
        (b"title;tags\na,b;c\n", [(2, ["a,b", "c"])]),
        (b"title\ttags\na;b\tc\n", [(2, ["a;b", "c"])]),
        (b'title,tags\n"a\r\n""b"", c",d\ne,f\n', [(2, ['a\r\n"b", c', "d"]), (3, ["e", "f"])]),
        (b"title\n\n,,\na\n", [(4, ["a"])]),
        ("title\nä\u2028ö\x85ü\n".encode(), [(2, ["ä\u2028ö\x85ü"])]),
        (b"title\na,b\n", [(2, ["a", "b"])]),
    ],
)
def test_rows_are_numbered_as_spreadsheets_do(data: bytes, rows: list[tuple[int, list[str]]]) -> None:
    """Whatever ends lines and divides cells; rows that are empty have a number and are passed over."""
    assert rows_of(data) == rows


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "bad_csv", "name the columns"),
        (b"\n\n", "bad_csv", "name the columns"),
        (b"title\n\xff\n", "bad_csv", "UTF-8"),
        ("title\na\n".encode("utf-16"), "bad_csv", "NUL"),
        (b"title\na\0b\n", "bad_csv", "NUL"),
        (b'title\nb\n"a\n', "bad_csv", "Row 3"),
        (b'title\n"a"b\n', "bad_csv", "Row 2"),
        (b"title\n" + b"x" * 70_000, "bad_csv", "Row 2"),
        (b'title\n"' + b"a,b\n" * 20_000, "bad_csv", "Row 2"),
        (b"title,color\na,b\n", "invalid", "/color"),
        (b"title,\na,b\n", "invalid", "/"),
        (b"title,Title\na,b\n", "invalid", "/title"),
        (b"tags\na\n", "invalid", "/title"),
        (b"a task\nanother\n", "invalid", "/a task"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(data: bytes, code: str, says: str) -> None:
    with pytest.raises(Problem) as refusal:
        rows_of(data)

    assert refusal.value.code == code
    assert says in refusal.value.detail


@pytest.mark.parametrize(
    "make",
    [
        lambda size: b"title\n" + b"x" * size,
        lambda size: b"title\n" + b"," * size,
        lambda size: b'title\n"' + b'","\n' * (size // 4),
        lambda size: b"title\n" + b"a\n" * (size // 2),
        lambda size: b"," * size,
    ],
    ids=["one line", "many cells", "many lines in a row", "many rows", "many columns"],
)
def test_a_file_takes_little_memory_beside_itself(make: Callable[[int], bytes]) -> None:
    data = make(8 * 2**20)
    tracemalloc.start()
    try:
        for _ in csv_files.read(data, KNOWN, ("title",)).rows():
            pass
    except Problem:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * 2**20, f"{peak / 2**20:.1f} MiB"

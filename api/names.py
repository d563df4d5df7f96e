"""When two names are the same: case and compatibility forms do not count."""

import unicodedata

# What of a name a list is sorted by: no longer, so that it fits into a cursor.
MAX_BEGINNING = 100


def fold(name: str) -> str:
    """The form in which names are compared (NFKC_Casefold but for ignorable characters, which names cannot hold).

    https://www.unicode.org/reports/tr44/#NFKC_Casefold
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def beginning(name: str) -> str:
    """What people are found and sorted by: the folded name from its first letter on, up to `MAX_BEGINNING`."""
    return fold(name).lstrip()[:MAX_BEGINNING]

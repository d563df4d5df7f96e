"""When two names are the same: case and compatibility forms do not count."""

import unicodedata


def fold(name: str) -> str:
    """The form in which names are compared (NFKC_Casefold but for ignorable characters, which names cannot hold).

    https://www.unicode.org/reports/tr44/#NFKC_Casefold
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())

"""What TLS errors in a driver's message come from, in words that say what to do."""

import re

# What OpenSSL says, as Python passes it on, and what it means here.
REFUSALS = (
    ("certificate has expired", "its certificate has ended: run `scripts/cluster secrets --tls`, then restart it"),
    ("certificate is not yet valid", "its certificate is not valid yet: set the clocks of both hosts right"),
    (
        "certificate is not valid for",
        "its certificate is for other hosts: `scripts/cluster secrets --tls --host NAME` issues one",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is of another authority: give nodes and clients the same ca.pem",
    ),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS: start it with --tlsMode requireTLS, or leave TLS out here"),
    ("SSL handshake failed", "it ends the TLS handshake: it speaks no TLS, or takes no certificate of this authority"),
)


def tls_refusal(text: str) -> str | None:
    """What the TLS error in `text` means, e.g. `127.0.0.1:27019: its certificate has ended: ...`; None without one."""
    meaning = next((meaning for words, meaning in REFUSALS if words in text), None)
    found = re.search(r"[^\s,]+:\d+(?=: )", text)
    return f"{found[0]}: {meaning}" if found and meaning else meaning

"""The README's session, pasted: every command works as it stands, but for host and port."""

import json
import re
import subprocess
from pathlib import Path

from cluster.run.services import Services

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
ADDRESS = "http://127.0.0.1:5000"


def session_block() -> str:
    """The shell commands under "A session"."""
    found = re.search(r"tests/live/test_readme\.py\. -->\n```bash\n(.*?)```", README, re.DOTALL)
    assert found, "the README has lost its session, or its marker"
    return found[1]


def test_the_session_works_when_pasted(api: Services):
    """Register, log in, create, list, change, delete."""
    script = session_block().replace(ADDRESS, api.url)
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=True)
    documents, rest = decode_all(done.stdout)
    registered, listed, changed = documents
    assert registered["username"] == "ada"
    assert [task["title"] for task in listed["data"]] == ["Shard the cluster"]
    assert (changed["status"], changed["version"]) == ("done", 2)
    assert rest.strip() == "204"


def decode_all(text: str) -> tuple[list[dict], str]:
    """The JSON documents at the start of a text, and what is left after them."""
    decoder, documents = json.JSONDecoder(), []
    while (text := text.lstrip()).startswith("{"):
        document, end = decoder.raw_decode(text)
        documents.append(document)
        text = text[end:]
    return documents, text

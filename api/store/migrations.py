"""The query on migrations, which are unsharded; only `scripts/cluster` writes there."""

from ..db import Document
from .query import Documents, queries_of

query = queries_of("migrations")


@query
def find_first_migration(migrations: Documents) -> Document | None:
    """The oldest note, which is made before the first collection of the product is."""
    return migrations.find_one({"state": "applied"}, {"at": 1}, sort=[("at", 1)])

"""Queries on tickets, one-use keys to the stream of changes. The shard key is the id: a hash of the ticket."""

from ..db import Document
from .query import Documents, queries_of

query = queries_of("tickets")


@query
def insert_ticket(tickets: Documents, ticket: Document) -> None:
    tickets.insert_one(ticket)


@query
def take_ticket(tickets: Documents, ticket_id: str) -> Document | None:
    """The ticket, which is gone with that: of several who come with it, one gets it."""
    return tickets.find_one_and_delete({"_id": ticket_id})

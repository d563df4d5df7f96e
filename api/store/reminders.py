"""Queries on reminders. The shard key is the owner and the id."""

from .owned_queries import owned_queries

REMINDERS = owned_queries("reminders", "reminder")
list_reminders_of_owner, count_reminders_of_owner = REMINDERS.list_items_of_owner, REMINDERS.count_items_of_owner

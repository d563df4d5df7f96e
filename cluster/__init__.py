"""Bring up, declare, watch and break a sharded MongoDB cluster."""
